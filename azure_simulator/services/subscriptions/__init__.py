"""Subscriptions, tenants and the regions of the cloud."""
