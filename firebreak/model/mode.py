"""The mode of a run. `firebreak.clients` turns it into a guard on the transport; no step ever asks for it (P2)."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    LIVE = "live"
    DRY_RUN = "dry-run"
    REPLAY = "replay"

    @property
    def may_write(self) -> bool:
        return self is Mode.LIVE
