"""Microsoft.KeyVault: vaults with their access policies and what was deleted of them, and the secrets in a vault."""
