"""Steps that make the next attack smaller."""
