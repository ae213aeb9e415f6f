"""What the embedded Azure is told of a recorded subscription: the answers of one look, as plain JSON, and nothing that opens anything."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from firebreak.bundle import Bundle
from firebreak.errors import BundleError
from firebreak.model.plan import UNDO
from firebreak.replay.past import Past


def write(bundle: Bundle, past: Past, number: int, file: Path) -> None:
    """Write the alert and the successful answers to the reading steps of round `number`. The secret that opens the world is made up here.

    Raises:
        BundleError: the round has no answers, or the bundle does not say whom the run was signed in as.
    """
    stages = {stage.id for stage in bundle.playbook.stages} | {UNDO}
    answers: list[dict[str, Any]] = []
    looked_at: set[str] = set()
    for entry in bundle.evidence:
        if entry.round != number:
            continue
        if entry.step in stages:
            # A target was read before its write and after it: only the first time tells of the world as the plan found it.
            if entry.url in looked_at or not _is_one_thing(entry.url):
                continue
            looked_at.add(entry.url)
        if entry.status != 200:
            continue
        # A list of blobs is XML: the world says that it does not hold it.
        answers.append({"url": entry.url, "body": _document(bundle.body(entry))})
    if not answers or not bundle.head.own_principal_ids:
        raise BundleError(
            f"{bundle.place}: round {number} has no answers to make a world of, or nobody who asked.",
            hint="Capture the subscription anew.",
        )
    shape = past.rounds[number].settings
    record = {
        "now": past.rounds[number].began_at.isoformat(),
        "tenant_id": str(shape.get("tenant_id") or bundle.head.incident.customer_tenant_id),
        "partner_tenant_id": str(shape.get("partner_tenant_id") or ""),
        "subscription_id": bundle.incident.subscription_id,
        "identity": bundle.head.own_principal_ids[0],
        "secret": secrets.token_urlsafe(24),
        "alert": _document(bundle.alert),
        "answers": answers,
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(record), encoding="utf-8")


def _document(content: bytes) -> Any:
    """What JSON says; None when it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _is_one_thing(url: str) -> bool:
    """Whether an address names one resource and no list: after `providers` and its namespace come pairs of kind and name."""
    path = urlsplit(url).path.lower()
    return "/providers/" in path and len(path.rpartition("/providers/")[2].split("/")) % 2 == 1
