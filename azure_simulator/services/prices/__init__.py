"""The retail prices API: public list prices, without sign-in."""
