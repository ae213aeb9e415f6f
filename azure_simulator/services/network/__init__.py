"""The simulated interfaces, public addresses, virtual networks and security groups."""
