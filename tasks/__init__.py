"""The runbook, one file per step, by phase. `tasks.registry` finds the steps; nothing is registered on import."""
