"""Microsoft.Support: services, problem classifications, tickets and communications."""
