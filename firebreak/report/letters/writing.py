"""How a letter is put together: which sentences, when each is said, and values as the language writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import msgspec
from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal
from ruamel.yaml import YAML

from firebreak.errors import ContentError
from firebreak.report.letters.facts import LetterFacts

When = Callable[[LetterFacts], bool]

# Babel's locale for each language; also the order in which they are told.
LANGUAGES: Final = MappingProxyType({"en": "en_GB", "nl": "nl_NL", "fr": "fr_FR", "ja": "ja_JP", "ko": "ko_KR"})
PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


def _always(_: LetterFacts) -> bool:
    return True


def _changed(facts: LetterFacts) -> bool:
    return bool(facts.stopped or facts.removed or facts.closed)


_FRAUD: When = lambda f: f.verdict == "fraud"  # noqa: E731 - a table of small conditions
_LEGITIMATE: When = lambda f: f.verdict == "legitimate"  # noqa: E731
_OPEN: When = lambda f: f.verdict not in ("fraud", "legitimate")  # noqa: E731
_MONEY: When = lambda f: f.lost is not None  # noqa: E731

_FOUND: tuple[tuple[str, When], ...] = (
    ("verdict_fraud", _FRAUD),
    ("verdict_legitimate", _LEGITIMATE),
    ("verdict_open", _OPEN),
    ("window", _always),
    ("resources", lambda f: f.resources_in_all > 0),
    ("cost", _MONEY),
    ("cost_unknown", lambda f: not _MONEY(f)),
)
_DONE: tuple[tuple[str, When], ...] = (
    ("stopped", lambda f: f.stopped > 0),
    ("removed", lambda f: f.removed > 0),
    ("closed", lambda f: f.closed > 0),
    ("nothing_done", lambda f: not _changed(f)),
    ("running", lambda f: f.running > 0),
    ("unseen", lambda f: f.unseen > 0),
)
# kind -> its sentences in order, each with when it is said; the subject is apart.
KINDS: Final[Mapping[str, tuple[tuple[str, When], ...]]] = MappingProxyType(
    {
        "customer-notice": (
            ("greeting", _always),
            ("opening", _always),
            *_FOUND,
            *_DONE,
            ("users", lambda f: f.closed > 0),
            ("request", _always),
            ("closing", _always),
        ),
        "support-ticket": (
            ("opening", _always),
            ("ids", _always),
            *_FOUND,
            *_DONE,
            ("request", _always),
            ("closing", _always),
        ),
        "missed-attack": (
            ("opening", _always),
            ("six", _always),
            *_FOUND[:3],
            ("request", _always),
            ("closing", _always),
        ),
        "fraud-report": (
            ("opening", _always),
            ("ids", _always),
            *_FOUND,
            ("accounts", lambda f: f.accounts_in_all > 0),
            *_DONE[:4],
            ("evidence", _always),
            ("request", _always),
            ("closing", _always),
        ),
    }
)
SHARED: Final = frozenset(name for name, _ in (*_FOUND, *_DONE)) | {"ids", "closing"}


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter as plain text. `missing` names what it should say and nobody knows, by the names of `LetterFacts`."""

    kind: str
    language: str
    subject: str
    body: str
    missing: tuple[str, ...] = ()


def write_letter(facts: LetterFacts, *, kind: str, language: str) -> Letter:
    """Write one letter.

    Raises:
        ContentError: there is no such kind or language; names those there are.
    """
    if kind not in KINDS:
        raise ContentError(f"There is no letter {kind!r}.", hint=f"There are: {', '.join(KINDS)}.")
    if language not in LANGUAGES:
        raise ContentError(
            f"Letters are not written in {language!r}.", hint=f"Languages: {', '.join(LANGUAGES)} (ISO 639-1)."
        )
    words = words_of(language)
    values = values_of(facts, language, words["unknown"])
    said = [_filled(sentence(words, kind, name), values) for name, when in KINDS[kind] if when(facts)]
    subject = " ".join(_filled(words[kind]["subject"], values).split())
    return Letter(
        kind=kind,
        language=language,
        subject=subject,
        body="\n\n".join(part.strip() for part in said) + "\n",
        missing=_missing(facts, kind),
    )


@cache
def words_of(language: str) -> Mapping[str, Any]:
    """The sentences of a language, as its file has them."""
    text = (resources.files("firebreak.report.letters") / "words" / f"{language}.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = YAML(typ="safe").load(text)
    return found


def sentence(words: Mapping[str, Any], kind: str, name: str) -> str:
    """A sentence of a kind; those that several kinds say stand once, under `shared`."""
    return str(words[kind].get(name) or words["shared"][name])


def values_of(facts: LetterFacts, language: str, unknown: str) -> dict[str, str]:
    """Each placeholder's text, in the language; what is not known says so."""
    try:
        locale = Locale.parse(LANGUAGES[language])
    except UnknownLocaleError as error:
        raise ContentError(f"Babel does not know {language!r}.", hint="Install the package babel anew.") from error

    def told(value: object) -> str:
        if value is None or value == "":
            return unknown
        if isinstance(value, datetime):
            return f"{format_datetime(value.astimezone(UTC), 'd MMMM y, HH:mm' if language in ('en', 'nl', 'fr') else 'long', locale=locale)}{' UTC' if language in ('en', 'nl', 'fr') else ''}"
        if isinstance(value, Decimal):
            return format_currency(value.quantize(Decimal("0.01")), facts.currency, locale=locale)
        if isinstance(value, int):
            return format_decimal(value, locale=locale)
        if isinstance(value, tuple):
            return "\n".join(f"- {one}" for one in value) or unknown
        return str(value)

    return {name: told(getattr(facts, name)) for name in LetterFacts.__struct_fields__}


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced once: what stands in a value is never a placeholder."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _missing(facts: LetterFacts, kind: str) -> tuple[str, ...]:
    wanted = {
        "customer-notice": ("customer", "partner"),
        "support-ticket": ("partner_tenant",),
        "missed-attack": ("partner_tenant", "customer_tenant", "subscription", "resources", "start", "end"),
        "fraud-report": ("partner_tenant", "start"),
    }[kind]
    return tuple(name for name in wanted if getattr(facts, name) in (None, "", ()))
