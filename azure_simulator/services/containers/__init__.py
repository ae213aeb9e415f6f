"""The simulated clusters, container groups, Batch, Machine Learning, sites and backup vaults."""
