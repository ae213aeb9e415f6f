"""Work without Python's collector of cycles: reading and judging a log makes millions of values and no cycle among them.

with uncollected():
    review_file(stream, name, log)
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cycles meanwhile: that would cost a tenth of the work. Also a decorator; may be nested."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
