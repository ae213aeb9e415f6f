"""Management locks: CanNotDelete and ReadOnly, inherited by everything below."""
