"""How well a subscription and its tenant are protected: documents in, checks out. Pure."""
