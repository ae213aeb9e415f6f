"""Budgets of both providers (Consumption and Cost Management) over one table. They notify; they stop nothing."""
