"""Resource providers: which types and api-versions there are, and registration."""
