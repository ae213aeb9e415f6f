"""Access control: role definitions, role assignments, permissions; classic administrators and deny assignments are empty."""
