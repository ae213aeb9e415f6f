"""The command line: it parses, calls and prints. What only the command line would know is in the wrong place."""
