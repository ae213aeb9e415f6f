"""How long execution waits for what."""

from __future__ import annotations

import msgspec


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds.

    `fresh`: how old a look may be when a write is sent on the strength of it. `prompt`: how soon after it was journalled a request leaves
    without asking the store again whether the lease is still held; far below `settle`, which counts from the journal's time. `settle`: how long after it was sent a request without an
    answer may still take effect; only then can a look prove that it did not. `confirm`: how long a wave waits for its effects, for a cloud that
    cannot be reached and for others' operations; `confirm_at_once`: the same for a write that was answered as finished.
    `ask_operation`: after this long the status of a long-running operation is asked for as well. Pauses between looks grow from
    `first_pause` by `growth` to `longest_pause`. `attempts`: how often at most one run sends one action. `looks`: how often a failing look
    is tried before its targets count as unreadable.
    """

    fresh: float = 30.0
    prompt: float = 2.0
    settle: float = 30.0
    confirm: float = 1800.0
    confirm_at_once: float = 300.0
    ask_operation: float = 60.0
    first_pause: float = 1.0
    growth: float = 1.5
    longest_pause: float = 20.0
    attempts: int = 3
    looks: int = 2
