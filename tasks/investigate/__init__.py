"""Steps that only look: one file each, facts and findings out."""
