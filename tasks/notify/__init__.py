"""Steps that tell others: Microsoft's support and the partner alert."""
