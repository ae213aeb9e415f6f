"""Strings with pseudonyms in them: plain text, prose of the engine, resource ids, addresses of requests.

Every run of letters and digits is replaced unless it is known to be public. So a name is hidden wherever it stands, also as a part of a longer one,
and what was put together of names is put together of their pseudonyms.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from firebreak.analysis.identity.administrators import hint_of
from firebreak.redact import public
from firebreak.redact.pseudonyms import Pseudonyms

_GUID = public.GUID.pattern
_SCAN = re.compile(
    rf"""(?P<url>https?://[^\s"'<>\\]+)
    |(?P<time>\d{{4}}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)
    |(?P<arm>/?subscriptions/{_GUID}(?:/[^\s"'<>,;()]*)?|/providers/[A-Za-z]+\.[A-Za-z.]+/[^\s"'<>,;()]*)
    |(?P<mail>[^\s@"'<>(),;:]+@[^\s@"'<>(),;:]+\.[^\s@"'<>(),;:]+)
    |(?P<scope>(?<![\w.@-])[A-Za-z]+(?:[._][A-Za-z]+)+(?![\w@-]|\.\w))
    |(?P<field>(?<![^\W_])[A-Za-z]{{3,}}(?==))
    |(?P<guid>(?<![0-9A-Za-z]){_GUID}(?![0-9A-Za-z]))
    |(?P<address>(?<![\w.:])(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?:\d+(?:\.\d+){{3}})?)(?:/\d{{1,3}})?(?![\w:]))
    |(?P<phone>(?<!\w)\+\d[\d ()-]{{6,}}\d)
    |(?P<word>[^\W_]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DURATION = re.compile(r"P(?:T?[\d.]+[A-Z])+")
_TOKEN_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_COMPARED = re.compile(r"([\w/]+)\s+(?:eq|ne|ge|le|gt|lt)\s+$")
_OPAQUE = frozenset({"$skiptoken", "skiptoken", "marker", "continuationtoken", "$deltatoken"})
_TOKEN_KEYS = frozenset({"uti", "uniquetokenidentifier"})
_MADE_HERE = "firebreak-inc-"
_CUT = "…"
_COLLECTION = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
_LONGEST_NUMBER = 5

Words = Callable[[str], str]


class Texts:
    """The functions of one redaction; they give every string back as it is until its pseudonyms are settled."""

    def __init__(self, names: Pseudonyms) -> None:
        self.names = names
        self.regions: set[str] = set()
        self.public_texts: set[str] = set()
        self.public_guids: set[str] = set()
        self.public_scopes: set[str] = set()
        self.contacts: set[str] = (
            set()
        )  # telephone numbers and mail addresses, of which Firebreak shows no more than a hint
        self.bases: tuple[str, ...] = ()  # where the clouds are, by the settings of the run: nobody's secret
        self.strict: set[str] = set()  # whole names, as they stood where only a name can stand
        self._known: dict[tuple[str, str, str], str] = {}  # the same values come again and again
        self._strict_words: frozenset[str] | None = None
        self._hint: re.Pattern[str] | None = None
        self._kept_words = public.KEPT_WORDS | public.indicator_words()

    def settled(self) -> None:
        """Everything was collected: what is said of names from here on is final."""
        self._strict_words = None
        self._known.clear()

    def fix_hints(self) -> None:
        """A hint of somebody's number or address becomes the hint of its pseudonym; call it when the pseudonyms are settled."""
        found = {hint_of(one): hint_of(self.text(one)) for one in sorted(self.contacts)}
        self.names.hints = {old: new for old, new in found.items() if len(old) > 1 and old != new}
        self._hint = re.compile("|".join(map(re.escape, self.names.hints))) if self.names.hints else None
        self._known.clear()

    # Words ------------------------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """A text of anybody: nothing of it stays but what is public."""
        return self._scan(text, self._word)

    def kept(self, text: str) -> str:
        """One of the cloud's own words: ids, addresses and mail addresses in it are replaced all the same."""
        return self._scan(text, str)

    def prose(self, text: str) -> str:
        """A sentence of the engine's: its own words stay, unless something is named by one."""
        if self._strict_words is None:
            self._strict_words = frozenset(w.casefold() for name in self.strict for w in public.WORD.findall(name))
        return self._scan(text, self._prose_word)

    def name(self, text: str) -> str:
        """A text where only a name can stand."""
        if self._is_kept_name(text):
            return text
        if text.lower().startswith(_MADE_HERE):
            return self._scan(text, self._own_or_word)
        if len(text) > 2:
            self.strict.add(text)
        return self.text(text)

    def _own_or_word(self, token: str) -> str:
        return token if token.casefold() in public.own_words() else self._word(token)

    def _word(self, token: str) -> str:
        if (token.isdecimal() and len(token) < _LONGEST_NUMBER) or token.casefold() in self._kept_words:
            return token
        return self.names.word(token)

    def _prose_word(self, token: str) -> str:
        folded = token.casefold()
        said = folded in public.own_words() and folded not in (self._strict_words or ())
        return token if said or folded in self.regions else self._word(token)

    def _is_kept_name(self, text: str) -> bool:
        return text.lower() in public.KEPT_NAMES or text.lower() in self.regions

    def _scan(self, text: str, word: Words) -> str:
        if self._hint is None or _CUT not in text:
            return self._without_hints(text, word)
        result, end = "", 0
        for found in self._hint.finditer(text):
            result += self._without_hints(text[end : found.start()], word) + self.names.hints[found.group()]
            end = found.end()
        return result + self._without_hints(text[end:], word)

    def _without_hints(self, text: str, word: Words) -> str:
        def replaced(found: re.Match[str]) -> str:
            kind, part = str(found.lastgroup), found.group()
            if kind == "word":
                return word(part)
            if kind == "guid":
                return self.guid(part)
            if kind == "url":
                return self.url(part)
            if kind == "arm":
                return self.resource_id(part)
            if kind == "time" or (kind == "scope" and self._is_scope(part)):
                return part
            if kind == "field" and part.lower() in public.own_fields():
                return part
            if kind == "phone":
                return self.names.phone(part)
            if kind == "address" and self.names.addresses.read(part) is not None:
                return self.names.address(part)
            inner = self._word if kind == "mail" else word
            return public.WORD.sub(lambda one: inner(one.group()), part)

        return _SCAN.sub(replaced, text)

    def _is_scope(self, text: str) -> bool:
        return text.lower() in public.own_scopes() or text.lower() in self.public_scopes

    def guid(self, text: str) -> str:
        lowered = text.lower()
        if lowered in public.own_guids() or lowered in self.public_guids:
            return text
        return self.names.guid(text)

    # Values -----------------------------------------------------------------------------------------------------------------

    def value(self, parent: str, key: str, text: str) -> str:
        """A string of a document, by the key it stands under and the key above."""
        place = (parent, key, text)
        if (known := self._known.get(place)) is None:
            known = self._known[place] = self._value(parent, key, text)
        return known

    def _value(self, parent: str, key: str, text: str) -> str:
        lowered, key, pair = text.lower(), key.lower().rpartition("/")[2], f"{parent}.{key}".lower()
        if not text or lowered in self.regions or lowered in public.KEPT_NAMES:
            return text
        if key in _TOKEN_KEYS:
            return self.names.token_id(text) if _TOKEN_ID.fullmatch(text) else self.text(text)
        keys, pairs = public.kept_keys()
        if (key in keys and parent.lower() not in public.PLACES) or pair in pairs:
            return self.kept(text)
        if (_NUMBER.fullmatch(text) and len(text) <= _LONGEST_NUMBER) or _DURATION.fullmatch(text):
            return text
        if lowered in self.public_texts or public.RESOURCE_TYPE.fullmatch(text):
            return text
        named = key in public.NAMED or (parent.lower() == "tags" and not public.is_own_key(key))
        if lowered in public.own_texts() and not named and not self._holds_ids(text):
            return text
        if (text[:1] in "[{" or (text[:1] == text[-1:] == '"' and len(text) > 2)) and (
            inner := _json(text)
        ) is not None:
            return _dumped(self.document(inner, parent, key), text)
        if lowered.startswith(("/subscriptions/", "subscriptions/", "/providers/")):
            return self.resource_id(text)
        if lowered.startswith(("https://", "http://")) and not re.search(r"[\s<>]", text):
            return self.url(text)
        return self.text(text)

    def document(self, value: Any, parent: str = "", key: str = "") -> Any:
        raise NotImplementedError

    def _holds_ids(self, text: str) -> bool:
        return public.GUID.search(text) is not None

    # Ids and addresses --------------------------------------------------------------------------------------------------------

    def resource_id(self, text: str, *, encoded: bool = False) -> str:
        """A path of Resource Manager: types stay, names go."""
        path, mark, query = text.partition("?")
        parts = path.split("/")
        result: list[str] = []
        kind, wants = "", "type"
        for part in parts:
            plain = unquote(part) if encoded else part
            lowered = plain.lower()
            if not part:
                result.append(part)
                continue
            if wants == "name":
                named = plain if self._names_public(kind, plain) else self._id_name(plain)
                result.append(quote(named, safe="") if encoded else named)
                wants = "type"
                continue
            if lowered == "providers":
                kind, wants = lowered, "namespace"
                result.append(part)
            elif wants == "namespace":
                result.append(part if re.fullmatch(r"[A-Za-z]+(\.[A-Za-z]+)+", plain) else self.text(plain))
                wants = "type"
            else:
                kind, wants = lowered, "name"
                known = re.fullmatch(r"[A-Za-z][A-Za-z0-9.]*", plain) is not None
                result.append(part if known else self.text(plain))
        return "/".join(result) + mark + (self._query(query) if mark else "")

    def _names_public(self, kind: str, name: str) -> bool:
        if kind == "locations":
            self.regions.add(name.lower())
        return kind in public.PUBLIC_TYPES and public.GUID.fullmatch(name) is None

    def _id_name(self, name: str) -> str:
        return self.guid(name) if public.GUID.fullmatch(name) else self.name(name)

    def url(self, text: str) -> str:
        """A whole address: of a request, of a next page, of an endpoint."""
        try:
            parts = urlsplit(text)
        except ValueError:
            return public.WORD.sub(lambda one: self._word(one.group()), text)
        base = next((one for one in self.bases if text == one or text.startswith(f"{one}/")), "")
        head = base or f"{parts.scheme}://{self._host(parts.netloc)}"
        inner = parts.path[len(urlsplit(base).path) :] if base else parts.path
        at = re.search(r"/(?:subscriptions|providers)/", inner, re.IGNORECASE)
        before, arm = (inner[: at.start()], inner[at.start() :]) if at else (inner, "")
        path = self.path(before) if not base else self.known_path(before)
        path += self.resource_id(arm, encoded=True) if arm else ""
        query = f"?{self._query(parts.query)}" if "?" in text else ""
        return head + path + query + (f"#{self.text(parts.fragment)}" if parts.fragment else "")

    def path(self, text: str) -> str:
        """A path of a service other than Resource Manager: what Firebreak asks for stays."""
        return "/".join(self._segment(part) for part in text.split("/"))

    def known_path(self, text: str) -> str:
        """A path below an address that the settings name: a collection there is called as the service calls it, and nobody is named in camel case."""
        return "/".join(part if _COLLECTION.fullmatch(part) else self._segment(part) for part in text.split("/"))

    def _segment(self, part: str) -> str:
        plain = unquote(part)
        if not part or plain.lower() in public.own_segments() or plain.lower() in self.regions:
            return part
        return quote(self.text(plain), safe="$,'()=:@")

    def _host(self, host: str) -> str:
        name, colon, port = host.partition(":")
        lowered = name.lower()
        for suffix in public.KEPT_HOSTS:
            if lowered == suffix:
                return host
            if lowered.endswith(f".{suffix}"):
                first = name[: -len(suffix) - 1]
                known = f"{first}.{suffix}".lower() in {t.partition("//")[2].split("/")[0] for t in _own_hosts()}
                return host if known else f"{self._labels(first)}.{name[-len(suffix) :]}{colon}{port}"
        return self.text(name) + colon + port

    def _labels(self, text: str) -> str:
        known = ("blob", "table", "queue", "file", "dfs", "web", "vault", "database", "servicebus", "www")
        return ".".join(part if part.lower() in known else self.text(part) for part in text.split("."))

    def _query(self, query: str) -> str:
        return "&".join(self._parameter(pair) for pair in query.split("&"))

    def _parameter(self, pair: str) -> str:
        name, mark, value = pair.partition("=")
        plain, lowered = unquote_plus(value), unquote(name).lower()
        if not value or lowered in ("api-version", "restype", "comp", "$top", "$expand", "$orderby", "statusonly"):
            return pair
        new = self._opaque(plain) if lowered in _OPAQUE else self._filter(unquote(name), plain)
        return pair if new == plain else f"{name}{mark}{quote(new, safe='')}"

    def _filter(self, name: str, plain: str) -> str:
        """A parameter's value: what is quoted in it is somebody's, by what it is compared with; the rest is the query language's."""
        result, key = "", name
        for part in _QUOTED.split(plain):
            if part.startswith("'") and len(part) > 1:
                result += f"'{self.value('', key, part[1:-1])}'"
                continue
            found = _COMPARED.search(part)
            key = found.group(1).rpartition("/")[2] if found else name
            result += self.kept(part)
        return result

    def _opaque(self, text: str) -> str:
        """A mark of the next page: its inside where it can be read, else a word for the whole."""
        if text.isdecimal():
            return text
        if _BASE64.fullmatch(text):
            try:
                inner = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True).decode("utf-8")
            except (binascii.Error, ValueError):
                inner = ""
            if inner.isprintable() and inner:
                document = _json(inner)
                new = self.text(inner) if document is None else _dumped(self.document(document), inner)
                return text if new == inner else base64.b64encode(new.encode()).decode()
        return self.text(text)


def _own_hosts() -> frozenset[str]:
    return frozenset(text for text in public.own_texts() if text.startswith("https://"))


def _dumped(value: Any, like: str) -> str:
    """JSON with white space as the original has it: detections look for pieces of it as text."""
    tight = '": ' not in like and '", ' not in like
    return json.dumps(value, ensure_ascii=False, separators=(",", ":") if tight else None)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
