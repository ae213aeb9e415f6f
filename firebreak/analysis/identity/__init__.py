"""The identity review: Graph's documents in, facts of `firebreak.model.identity` and findings out. Pure: no client, no clock."""
