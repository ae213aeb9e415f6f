"""Azure Policy: built-in and custom definitions with a deny effect, their assignments, and their evaluation on writes."""
