"""Tags at a scope: of a subscription, a group or a resource."""
