"""The simulated interfaces, public addresses, load balancers, virtual networks and security groups."""
