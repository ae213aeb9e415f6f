"""The crash test: runs killed again and again against the embedded Azure, judged by the embedded Azure's own log.

python -m tests.torture --help
"""
