"""Bytes to `Alert`: tolerant of what others send, strict about what we rely on, and lossless (the raw bytes are kept)."""
