"""Pure analysis that several steps and the CLI share: no client, clock, environment or network. Documents and facts in, facts and findings out."""
