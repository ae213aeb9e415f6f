"""Alembic migrations of the incident store, applied when the store is opened."""
