"""How the shipped library of incidents is made: worlds to respond in, and the recorder. `python -m tests.library incidents`."""
