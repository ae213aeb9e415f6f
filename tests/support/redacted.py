"""What a redacted bundle is judged by: its plans are the original's when the pseudonyms are turned back, and no name of the original stands in it.

isomorphic(plans_of_the_original, plans_of_the_redacted, mapping)
found_again(files_of_the_original, files_of_the_redacted, allowed)      # [] when nothing is left
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

import msgspec
from ruamel.yaml import YAML

from firebreak.model.plan import Plan
from firebreak.replay import Point

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+(?:#ext#)?@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
TOKEN = re.compile(
    rf"\\\\u[0-9a-f]{{4}}|{GUID.pattern}|{IPV4.pattern}(?:/\d+)?|(?:[0-9a-f]{{0,4}}:){{2,7}}[0-9a-f]{{0,4}}|[^\W_]+…?",
    re.I,
)
ACCESS_TOKEN = re.compile(r"(?<![\w-])[\w-]{22}(?![\w-])")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def isomorphic(then: Mapping[Point, Plan], now: Mapping[Point, Plan], table: dict[str, str]) -> int:
    """Compare the plans of two replays, with the pseudonyms of the second turned back; return how many actions and no-ops they have."""
    back = {new.casefold(): old for new, old in table.items()}
    assert list(then) == list(now)
    lines = 0
    for point, one in then.items():
        other = now[point]
        assert (one.complete, one.applyable, one.errored) == (other.complete, other.applyable, other.errored)
        assert [(a.step, a.per_hour) for a in one.actions] == [(a.step, a.per_hour) for a in other.actions]
        old = sorted(plain(row, str) for row in (*one.actions, *one.no_ops, one.problems, one.over_limits))
        new = sorted(
            plain(row, lambda text: turned(text, back))
            for row in (*other.actions, *other.no_ops, other.problems, other.over_limits)
        )
        assert old == new
        lines += len(old) - 2
    return lines


def plain(row: Any, turn: Callable[[str], str]) -> str:
    """One action or target left alone, as text; ids of actions and marks of snapshots are digests of names."""
    text = json.dumps(msgspec.to_builtins(row), sort_keys=True, ensure_ascii=False)
    text = re.sub(r'"[0-9a-f]{64}"', '"DIGEST"', text)  # of a document that holds names
    return turn(re.sub(r"(:|firebreak-inc-[0-9a-f]{8}-)[0-9a-f]{10}\b", r"\1ID", text)).casefold()


def turned(text: str, back: dict[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        new = found.group().casefold()
        if not new.endswith("…") or new[:-1] in back:
            return back.get(new.rstrip("…"), new.rstrip("…")) + "…" * new.count("…")
        old = {back[word][: len(new) - 1] for word in back if word.startswith(new[:-1])}
        return f"{old.pop()}…" if len(old) == 1 else new

    for whole in (new for new in back if "…" in new or new.startswith("+")):  # hints, telephone numbers
        text = text.replace(whole, back[whole])
    return TOKEN.sub(one, ACCESS_TOKEN.sub(lambda found: back.get(found.group().casefold(), found.group()), text))


def found_again(original: dict[str, bytes], redacted: dict[str, bytes], allowed: set[str]) -> list[str]:
    """What of the original stands in the redacted files: as bytes, percent-encoded, in base64, in another case, or in UTF-16."""
    names, ids, addresses = canaries(original)
    found: list[str] = []
    by_word: dict[str, list[str]] = {}  # most names are nowhere: they are looked for where their longest word stands
    for name in names - allowed:
        by_word.setdefault(max(re.findall(r"[^\W_]+", name), key=len), []).append(name)
    for file, content in redacted.items():
        for text in spelled(content):
            folded = text.casefold()
            found += [f"{one} in {file}" for one in ids & {g.lower() for g in GUID.findall(folded)}]
            found += [f"{one} in {file}" for one in addresses & {*IPV4.findall(folded), *IPV6.findall(folded)}]
            words = set(re.findall(r"[^\W_]+", folded))
            suspects = [one for word in by_word.keys() & words for one in by_word[word]]
            found += [f"{one} in {file}" for one in suspects if one in folded]
    return found


def public(name: str) -> bool:
    """What may be left: Microsoft's own names for rights, providers, machine extensions and the like, which somebody's things bear too."""
    return re.fullmatch(r"[a-z]+(\.[a-z]+)*\.all|microsoft\.[a-z/]+|standard[a-z0-9_ ]+family|[a-z]*(agent|driver)[a-z]*", name) is not None or name in (
        "apps", "system", "core directory", "customscript", "jobtitle", "kubernetes", "batch", "default", "cores", "lowprioritycores",
    )  # fmt: skip


def canaries(files: dict[str, bytes]) -> tuple[set[str], set[str], set[str]]:
    """Names, ids and addresses of the original that nobody else has."""
    texts = [content.decode("utf-8", "replace") for content in files.values()]
    names = {found.casefold() for text in texts for found in MAIL.findall(text)}
    ids: set[str] = set()
    public: set[str] = set()
    for name, content in files.items():
        if re.fullmatch(r"evidence/[0-9a-f]{64}", name):
            for row in rows_of(content):
                collect(row, names, ids, public)
    truth = YAML(typ="safe", pure=True).load(files["expected.yaml"])
    for one in [*truth["rogue"], *truth["legitimate"]]:
        names |= {part.casefold() for part in one.split("/")[4::4] + one.split("/")[-1:]}
    ids |= {one.lower() for one in truth.get("attackers", ()) if GUID.fullmatch(one)}
    addresses = {
        found.lower() for text in texts for pattern in (IPV4, IPV6) for found in pattern.findall(text) if telling(found)
    }
    # Small numbers stay: a name without a letter names nobody.
    names = {one for one in names if len(one) > 3 and any(c.isalpha() for c in one) and not GUID.fullmatch(one)}
    return names - {"default", "providers", "azure site recovery"}, ids - public, addresses


def collect(row: dict[str, Any], names: set[str], ids: set[str], public: set[str]) -> None:
    names |= {
        str(row[key]).casefold() for key in ("userPrincipalName", "mail", "mailNickname", "surname") if row.get(key)
    }
    if row.get("userPrincipalName"):
        ids.add(str(row.get("id", "")).lower())
        names.add(str(row.get("displayName", "")).casefold())
    if str(row.get("id", "")).lower().startswith("/subscriptions/"):
        parts = str(row["id"]).split("/")
        ids.add(parts[2].lower())
        if len(parts) > 4 and parts[3].lower() == "resourcegroups":
            names.add(parts[4].casefold())
        tags = row.get("tags")
        # One word, such as "test", stands in Azure's own texts as well; a time stays.
        values = [str(value).casefold() for value in tags.values()] if isinstance(tags, dict) else []
        names |= {one for one in values if not one.isalpha() and not re.fullmatch(r"[\d:.tz -]+", one)}
    inner = row.get("properties")
    if isinstance(inner, dict) and inner.get("principalId"):
        ids.add(str(inner["principalId"]).lower())
    if isinstance(inner, dict) and inner.get("type") == "BuiltInRole":
        public.add(str(row.get("name", "")).lower())


def rows_of(content: bytes) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(content)
    except ValueError:
        return
    rows = (
        document.get("value") if isinstance(document, dict) and isinstance(document.get("value"), list) else [document]
    )
    yield from (row for row in rows if isinstance(row, dict))


def telling(text: str) -> bool:
    """Whether it is an address that belongs to somebody: no version number, no range that everybody has."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return int(address) >> (address.max_prefixlen - 8) not in (0, 127, 255) and not address.is_loopback


def spelled(content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "replace")
    yield text
    if "%" in text:
        yield unquote(text)
        yield unquote_plus(unquote(text))
    if b"\0" in content:
        yield content.decode("utf-16", "replace")
    if "\\u" in text:
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found.group(1), 16)), text)
    inner = []
    for coded in set(BASE64.findall(text)):
        try:
            raw = base64.b64decode(coded.replace("-", "+").replace("_", "/") + "=" * (-len(coded) % 4))
            inner.append(raw.decode("utf-8"))
        except ValueError:
            continue
    yield "\n".join(inner)
