"""Redaction: a bundle that may be shared, with keyed pseudonyms for people, addresses, names, tags and ids, and the same plans up to them."""

from firebreak.redact.bundles import Redaction

__all__ = ["Redaction"]
