"""The tenant's directory: accounts, methods, roles, applications, consents, policies, and what it is to the partner. `found` is the way in."""

from __future__ import annotations

from azure_simulator.scenarios.identity.directory import Directory, found

__all__ = ["Directory", "found"]
