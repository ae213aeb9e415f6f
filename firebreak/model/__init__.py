"""Frozen values that travel one way: Alert, Incident, Facts, Finding, Plan, ApprovedPlan, Outcome, Verification.

No I/O, no clock, no randomness in this package. Everything is a frozen `msgspec.Struct`; `firebreak.model.canonical` turns it
into bytes for digests.
"""
