"""Steps that remove what the attacker left, after a snapshot of what can be kept as evidence."""
