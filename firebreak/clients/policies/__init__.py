"""The rules every request obeys, one idea a module, each a small function object between caller and transport.

From the outside in: request_ids, recording, retry, request_log, governor; then signing, and on the transport itself the mode guard.
"""
