"""Prefect flows: order, gates, artifacts. What a step does is in `tasks`; how it is kept safe is in `firebreak`."""
