"""Which route answers a path. Routes are discovered once, from every `azure_simulator.services.*.urls.ROUTES`, and indexed by the
literal that tells them apart (the last provider namespace, else the first segment), so that a look-up tries a handful of patterns.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from azure_simulator import services
from azure_simulator.http import Route, find


class Router:
    """Routes by method and path. Two routes of equal weight are decided by order of discovery (alphabetical)."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._buckets: dict[str, list[Route]] = {}
        for entry in routes:
            self._buckets.setdefault(_pattern_key(entry.pattern), []).append(entry)

    def match(self, method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
        """Return (route, captures, whether any method knows the path)."""
        namespace, first = _path_keys(path)
        candidates = list(self._buckets.get(namespace, ())) if namespace else []
        if first != namespace:
            candidates += self._buckets.get(first, ())
        candidates += self._buckets.get("", ())
        return find(candidates, method, path)


def _pattern_key(pattern: str) -> str:
    segments = pattern.lower().strip("/").split("/")
    for index in range(len(segments) - 2, -1, -1):
        if segments[index] == "providers":
            namespace = segments[index + 1]
            return "" if "{" in namespace else namespace
    return "" if "{" in segments[0] else segments[0]


def _path_keys(path: str) -> tuple[str, str]:
    segments = path.lower().strip("/").split("/")
    namespace = ""
    for index in range(len(segments) - 2, -1, -1):
        if segments[index] == "providers":
            namespace = segments[index + 1]
            break
    return namespace, segments[0]


@functools.cache
def router() -> Router:
    """Every service's routes. A service without `urls.py` has none."""
    routes: list[Route] = []
    for module in sorted(pkgutil.iter_modules(services.__path__), key=lambda m: m.name):
        package = importlib.import_module(f"{services.__name__}.{module.name}")
        if any(inner.name == "urls" for inner in pkgutil.iter_modules(getattr(package, "__path__", []))):
            routes += importlib.import_module(f"{services.__name__}.{module.name}.urls").ROUTES
    return Router(routes)
