"""Incidents recorded from a small simulated cloud, as bundles: what replays are tested with.

world = small_world("crypto-mining")
bundle = record(world, tmp_path, mode=Mode.LIVE)          # a whole run in this process, exported, with its ground truth
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from azure_simulator import build
from azure_simulator.world import World
from firebreak.bundle import contents_of, write_bundle
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Decide, Ran, alert_bytes, approve_or_skip, engine_room_of, respond_in
from tests.unit.firebreak.bundle.bundled import made_to_fit

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def small_world(
    scenario: str, *, seed: int = 7, one_in: int = 30, now: datetime = NOW, real_time: bool = False
) -> World:
    """A scenario whose log keeps the last days, and of each month before few operations: a fraction of the events, and of the time."""
    world = build(scenario, seed=seed, now=now, real_time=real_time)
    recent = (now - timedelta(days=2)).isoformat()[:19]
    world.events[:] = [
        event
        for event in world.events
        if str(event["eventTimestamp"])[:19] >= recent or zlib.crc32(str(event["correlationId"]).encode()) % one_in == 0
    ]
    return world


def truth_of(world: World) -> bytes:
    """The world's ground truth as an expected.yaml."""
    truth = world.truth
    rogue = {name.lower() for name in truth["rogue"]}
    document = {
        "rogue": sorted(truth["rogue"]),
        "legitimate": sorted(name for name in world.resources if name.lower() not in rogue),
        "attackers": sorted(row["principal_id"] for row in truth["attackers"]),
        "verdict": truth["verdict"],
    }
    text = io.BytesIO()
    YAML(typ="safe", pure=True).dump(document, text)
    return text.getvalue()


def record(
    world: World, folder: Path, *, mode: Mode = Mode.LIVE, decide: Decide = approve_or_skip, name: str = "bundle.zip"
) -> tuple[Path, Ran]:
    """Respond to the world's alert and export the incident."""
    expected = truth_of(world)
    with engine_room_of(world, folder / "home") as room:
        ran = respond_in(room, world, alert_bytes(world), mode=mode, decide=decide)
        files = contents_of(room.store, room.evidence, room.audit, ran.incident, expected=expected)
    return write_bundle(files, folder / name), ran


def files_in(bundle: Path) -> dict[str, bytes]:
    """Every file of a zipped bundle."""
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_entries(files: dict[str, bytes], entries: list[dict[str, Any]], bodies: dict[str, bytes]) -> dict[str, bytes]:
    """The same bundle with another manifest, every hash made to fit; `bodies` are added by their hash, those that nobody names go."""
    manifest = b"".join(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n" for entry in entries)
    wanted = {f"evidence/{digest}" for entry in entries for digest in (entry["digest"], entry.get("request")) if digest}
    known = {**files, **{f"evidence/{digest}": body for digest, body in bodies.items()}}
    kept = {
        name: body for name, body in known.items() if not re.fullmatch(r"evidence/[0-9a-f]{64}", name) or name in wanted
    }
    return made_to_fit({**kept, "evidence/manifest.jsonl": manifest})


def entries_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The manifest's lines."""
    return [json.loads(line) for line in files["evidence/manifest.jsonl"].splitlines()]


def shuffled(files: dict[str, bytes], seed: int) -> dict[str, bytes]:
    """The same answers in another order: the items of each list are dealt anew over its pages, and the rows of each query are mixed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    entries = entries_of(files)
    bodies: dict[str, bytes] = {}
    pages = {id(entry): page for entry in entries if (page := _page(files[f"evidence/{entry['digest']}"]))}
    asked = {(entry.get("round", 0), entry["step"], entry["url"]): entry for entry in entries}
    following = {}
    for entry in entries:
        link = str(pages.get(id(entry), {}).get("nextLink") or pages.get(id(entry), {}).get("@odata.nextLink") or "")
        after = asked.get((entry.get("round", 0), entry["step"], link)) if link else None
        if after is not None and id(after) in pages:
            following[id(entry)] = after
    later = {id(after) for after in following.values()}
    for entry in entries:
        if id(entry) not in pages or id(entry) in later:
            continue
        chain = [entry]
        while id(chain[-1]) in following:
            chain.append(following[id(chain[-1])])
        deck = [item for one in chain for item in _items(pages[id(one)])]
        chance.shuffle(deck)
        for one in chain:
            items = _items(pages[id(one)])
            items[:], deck = deck[: len(items)], deck[len(items) :]
    for entry in entries:
        if id(entry) in pages:
            body = json.dumps(pages[id(entry)]).encode()
            entry["digest"], entry["bytes"] = hashlib.sha256(body).hexdigest(), len(body)
            bodies[entry["digest"]] = body
    return with_entries(files, entries, bodies)


def _page(body: bytes) -> dict[str, Any]:
    """A document with a list in it that may come in any order."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and _items(document) else {}


def _items(document: dict[str, Any]) -> list[Any]:
    properties = document.get("properties")
    rows = properties.get("rows") if isinstance(properties, dict) else None
    found = document.get("value") or document.get("Items") or document.get("data") or document.get("items") or rows
    return found if isinstance(found, list) else []


_ODD = (None, 7, "x", [], {}, True, -1, "\u202e", "2026-99-99T99:99:99Z", [None], {"id": None}, 10**30)


def spoiled(files: dict[str, bytes], seed: int, *, answers: int = 25) -> dict[str, bytes]:
    """The same bundle with nonsense in some answers, every hash made to fit: what somebody could send who means harm."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    entries, bodies = entries_of(files), {}
    for entry in chance.sample(entries, answers):
        try:
            document = json.loads(files[f"evidence/{entry['digest']}"])
        except ValueError:
            continue
        for _ in range(3):
            document = _spoiled(document, chance)
        body = json.dumps(document).encode()
        entry["digest"], entry["bytes"] = hashlib.sha256(body).hexdigest(), len(body)
        bodies[entry["digest"]] = body
    return with_entries(files, entries, bodies)


def _spoiled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.95:
        key = chance.choice(list(value))
        return {**value, key: _spoiled(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        return [*value[:place], _spoiled(value[place], chance), *value[place + 1 :]]
    return chance.choice(_ODD)
