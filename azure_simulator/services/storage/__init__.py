"""The simulated storage accounts and the blob data plane."""
