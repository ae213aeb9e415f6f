"""P2: the one place that turns the mode of a run into what may leave this process.

It sits on the transports, below every policy, SDK method, retry and redirect, so nothing goes round it. Signing in is not its business:
token endpoints are reached by the credentials' own transports, and blob, price and Graph hosts by transports that carry this guard too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from firebreak.clients.addresses import origin_of
from firebreak.clients.policies.redaction import shown_url
from firebreak.errors import ScopeError, WriteRefusedError
from firebreak.model.mode import Mode

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NAME = r"[^/?#%\\]+"

ARM_READ_POSTS = (
    rf"/subscriptions/{_GUID}(/resourcegroups/{_NAME})?/providers/microsoft\.costmanagement/query",
    r"/providers/microsoft\.resourcegraph/resources",
    rf"/subscriptions/{_GUID}/providers/microsoft\.support/checknameavailability",
)
GRAPH_READ_POSTS = (r"/(v1\.0|beta)/directoryobjects/getbyids",)

_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")


class ModeGuard:
    """Lets through what the mode allows on one service: in live mode everything, else GET, HEAD and `read_posts` below `base`.

    `origins` are the only places this transport may speak to, in any mode; empty means that its client checks addresses itself.
    """

    def __init__(
        self, mode: Mode, *, base: str = "", read_posts: tuple[str, ...] = (), origins: tuple[str, ...] = ()
    ) -> None:
        self._mode = mode
        self._base = base.rstrip("/")
        self._reads = re.compile("|".join(f"(?:{p})" for p in read_posts), re.IGNORECASE) if read_posts else None
        self._origins = frozenset(origin_of(o) for o in origins)

    def check(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        """Raise before anything leaves, or return.

        Raises:
            WriteRefusedError: the mode may not write, and this is not on the list of reads.
            ScopeError: the address is not one of this service's.
        """
        if self._origins and origin_of(url) not in self._origins:
            raise ScopeError(
                f"{method} {shown_url(url)} was not sent: the address is not the configured service.",
                hint="A link or redirect pointed elsewhere; look at the answer that carried it.",
            )
        if self._mode.may_write or self.is_read(method, url, headers):
            return
        raise WriteRefusedError(
            f"{method} {shown_url(url)} was not sent: the run is a {self._mode.value}, which cannot write.",
            hint="Start the playbook without dry-run to change anything.",
        )

    def is_read(self, method: str, url: str, headers: Mapping[str, str]) -> bool:
        """Whether this is a GET, a HEAD or one of the listed read-only POSTs, with no header that makes it something else."""
        if any(name.lower() in _OVERRIDES for name in headers):
            return False
        if method in ("GET", "HEAD"):
            return True
        if method != "POST" or self._reads is None or not url.startswith(self._base + "/"):
            return False
        path = url[len(self._base) :].partition("?")[0]
        return self._reads.fullmatch(path) is not None
