"""Scenarios: a believable tenant at work, and an attack laid into it with its ground truth."""
