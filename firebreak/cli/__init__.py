"""The command line: it parses, calls and prints. What only the CLI would know is in the wrong place."""
