"""Defender for Cloud (plans, alerts, contacts) and the state of a subscription (cancel, enable, rename)."""
