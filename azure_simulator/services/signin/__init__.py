"""Sign-in: cloud metadata, OpenID configuration, and the token endpoint of Entra ID."""
