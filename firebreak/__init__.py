"""Firebreak contains a compromised Azure subscription: evidence, plan, approval, execution, proof."""

__version__ = "0.1.0"
