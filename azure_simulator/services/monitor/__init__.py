"""The simulated autoscale settings, action groups, activity-log alerts and diagnostic settings."""
