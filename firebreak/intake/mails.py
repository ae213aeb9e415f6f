"""Whether a notification mail may be Microsoft's: sender, DMARC as the own mail server found it, and the ids in it. Pure; no link is followed.

    mail = read_mail(raw, senders=("no-reply@microsoft.com",), receivers=("mx.contoso.example",))
    mail.problems       # empty: it is from whom it says. What it says is still to be found among Microsoft's alerts.

Anybody can write an `Authentication-Results` header. Only one of the receiving server counts: the name that it begins with is in `receivers`,
and servers take away headers that others wrote in their name. https://www.rfc-editor.org/rfc/rfc8601
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Final

import msgspec

from firebreak.errors import ContentError

LARGEST: Final = 5 * 1024 * 1024
DOMAIN: Final = "microsoft.com"
_MOST_IDS: Final = 20
_ADDRESS = r"[^<>@\s\",;()]+@[^<>@\s\",;()]+"
_FROM = re.compile(rf"\s*(?:\"[^\"<>]*\"|[^<>@\"]*?)\s*<({_ADDRESS})>\s*|\s*({_ADDRESS})\s*")
_GUID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])", re.IGNORECASE)
_QUOTED, _WORD = re.compile(r'"([^"]*)"'), re.compile(r"[\w.-]*")
_COMMENT = re.compile(r"\([^()]*\)")


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What is proven of a mail. `ids` are GUIDs in its text, lower-case, in their order: candidates for subscriptions and tenants, no more."""

    sender: str
    dmarc: str
    checked_by: str
    ids: tuple[str, ...]
    problems: tuple[str, ...]


def read_mail(raw: bytes, *, senders: Sequence[str], receivers: Sequence[str]) -> Mail:
    """Read one mail as it was saved, headers and all (`.eml`).

    Args:
        raw: at most 5 MiB.
        senders: addresses that Microsoft writes from.
        receivers: names of the own mail servers, as their `Authentication-Results` headers begin.

    Raises:
        ContentError: it is too large, or no mail.
    """
    if len(raw) > LARGEST:
        raise ContentError(f"The mail has {len(raw):,} bytes; at most {LARGEST:,} are read.", hint="Is this the file?")
    message = BytesParser(policy=compat32).parsebytes(raw)
    if not message.keys():
        raise ContentError("There are no headers: this is no mail.", hint="Save the mail with its headers, as .eml.")
    problems: list[str] = []
    sender = _sender(message, senders, problems)
    dmarc, checked_by = _dmarc(message, receivers, problems)
    return Mail(sender=sender, dmarc=dmarc, checked_by=checked_by, ids=_ids(message), problems=tuple(problems))


def _sender(message: Message, senders: Sequence[str], problems: list[str]) -> str:
    lines = [str(one) for one in message.get_all("From", [])]
    found = _FROM.fullmatch(lines[0].replace("\r", "").replace("\n", " ")) if len(lines) == 1 else None
    if found is None:
        problems.append(f"It has {len(lines)} From headers, or one with more or less than one address.")
        return ""
    address = str(found[1] or found[2]).lower()
    if address.rpartition("@")[2] != DOMAIN:
        problems.append(f"It is from {address}, not from {DOMAIN}.")
    elif address not in {one.lower() for one in senders}:
        problems.append(f"{address} is not among the addresses that Microsoft's notices come from.")
    return address


def _dmarc(message: Message, receivers: Sequence[str], problems: list[str]) -> tuple[str, str]:
    """The result of the own server, and its name; "" when there is none."""
    known = {one.lower() for one in receivers}
    results = [_results(str(one)) for one in message.get_all("Authentication-Results", [])]
    own = [(server, dmarc) for server, dmarc in results if server in known and dmarc]
    if not known:
        problems.append("It is not known which mail server is yours, so no DMARC result can be believed.")
    elif not own:
        problems.append("None of your mail servers noted a DMARC result.")
    elif {dmarc for _, dmarc in own} != {("pass", DOMAIN)}:
        said = ", ".join(sorted({f"{result or 'none'} for {domain or 'no domain'}" for _, (result, domain) in own}))
        problems.append(f"DMARC did not pass for {DOMAIN}: {said[:200]}.")
    return (own[0][1][0], own[0][0]) if own else ("", "")


def _results(header: str) -> tuple[str, tuple[str, str] | None]:
    """Name of the server and its DMARC result with the domain it is for; None when it notes none."""
    text, before = " ".join(header.split()), ""
    while text != before:  # comments may be nested
        before, text = text, _COMMENT.sub(" ", text)
    # What is quoted may hold anything, separators too.
    text = _QUOTED.sub(lambda found: found[1] if _WORD.fullmatch(found[1]) else "", text)
    server, *entries = (part.strip() for part in text.split(";"))
    found: list[tuple[str, str]] = []
    for entry in entries:
        words = dict(word.split("=", 1) for word in entry.lower().split() if "=" in word)
        if "dmarc" in words:
            found.append((words["dmarc"], words.get("header.from", "")))
    name = server.split()[0].lower() if server else ""
    # Two results of one server: the worse one counts.
    worst = next((one for one in found if one[0] != "pass"), found[0] if found else None)
    return name, worst


def _ids(message: Message) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for part in message.walk():
        if part.get_content_type() not in ("text/plain", "text/html"):
            continue
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
        found.update(dict.fromkeys(one.lower() for one in _GUID.findall(text)))
    return tuple(found)[:_MOST_IDS]
