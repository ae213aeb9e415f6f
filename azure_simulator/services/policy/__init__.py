"""Azure Policy: built-in and custom definitions with the effects deny and denyAction, initiatives, assignments, exemptions, and their evaluation on writes and deletions."""
