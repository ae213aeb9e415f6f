"""Microsoft.Quota: limits, usages and requests to change a limit, which end only in their request's final state."""
