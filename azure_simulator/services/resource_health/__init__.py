"""Microsoft.ResourceHealth: the service-health events that a subscription was told of, security advisories among them."""
