"""Sign-ins to the partner's tenant without a second factor: people, old protocols, programs with a person's password, directory-sync accounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.partner.accounts import is_sync
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check
from firebreak.model.partner import ShutOut

STEP = "investigate.partner_sign_ins"
# Client names of the log that know no second factor: https://learn.microsoft.com/entra/identity/conditional-access/policy-block-legacy-authentication
LEGACY = frozenset(
    {
        "authenticated smtp",
        "autodiscover",
        "exchange activesync",
        "exchange online powershell",
        "exchange web services",
        "imap4",
        "mapi over http",
        "offline address book",
        "other clients",
        "outlook anywhere (rpc over http)",
        "pop3",
        "reporting web services",
    }
)
# The tools that synchronise a directory: Azure AD Connect and its agents.
SYNC_TOOLS = frozenset({"cb1056e2-e479-49de-ae31-7812af012ed8", "6eb59a73-39b2-4c23-a70f-e2e3ce8965b1"})
_OLD_OFFICE = re.compile(r"Microsoft Office/1[45]\.|Outlook/1[45]\.|Outlook 14\.|Outlook 15\.", re.IGNORECASE)
_NO_HINT = "The log names no old version, but many programs do not tell their version."
_ON_DEVICES = "Look on the computers: in Office, File, Account shows the version."
_BURST = 20  # background sign-ins of one account to one application within one hour

PEOPLE = Claim(
    id="sign-ins-challenged",
    row="S112",
    step=STEP,
    title="Nobody signs in without being asked for a second factor",
    advice="Find out how each of them gets in without: no policy, an exception, or a method that is missing. Then close it.",
)
OLD_PROTOCOLS = Claim(
    id="sign-ins-modern",
    row="S108",
    step=STEP,
    title="Nothing signs in by old mail protocols, which know no second factor",
    advice="Move these devices and programs to current ones; an app password is a stop-gap only. Then block old protocols.",
)
PROGRAMS = Claim(
    id="sign-ins-programs",
    row="S111",
    step=STEP,
    title="No program signs in with a person's password",
    advice="Find out what runs under these accounts and all it does; give it an application of its own by Microsoft's secure application model.",
)
SYNC = Claim(
    id="sign-ins-sync",
    row="S105",
    step=STEP,
    title="The account that synchronises the directory is used for nothing else",
    advice="Change its password, look at what was done with it, and have people use accounts of their own: it is never asked for a second factor.",
)
OFFICE = Claim(
    id="sign-ins-office",
    row="S109",
    step=STEP,
    title="No old version of Office signs in",
    advice="Update Office: 2013 needs service pack 1 and two settings on the computer, older ones cannot be asked for a second factor.",
)
CLAIMS = (PEOPLE, OLD_PROTOCOLS, PROGRAMS, SYNC, OFFICE)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of one sign-in. `old_office`: the browser's or program's own words name an old version."""

    upn: str
    at: datetime
    app: str
    app_id: str
    client: str
    protocol: str
    address: str
    country: str
    interactive: bool
    old_office: bool


def rows_of(documents: Iterable[object]) -> list[Row]:
    """The successful sign-ins among Graph's rows; those without time or name are passed over."""
    found = []
    for one in documents:
        at, upn = doc.moment(doc.field(one, "createdDateTime")), doc.text(one, "userPrincipalName")
        if at is None or not upn or doc.whole(one, "status", "errorCode", default=-1) != 0:
            continue
        found.append(
            Row(
                upn=upn,
                at=at,
                app=doc.text(one, "appDisplayName"),
                app_id=doc.text(one, "appId").lower(),
                client=doc.text(one, "clientAppUsed"),
                protocol=doc.text(one, "authenticationProtocol").lower(),
                address=doc.text(one, "ipAddress"),
                country=doc.text(one, "location", "countryOrRegion"),
                interactive=doc.field(one, "isInteractive") is True,
                old_office=bool(_OLD_OFFICE.search(doc.text(one, "userAgent"))),
            )
        )
    return found


def checks_of(rows: Sequence[Row], *, since: datetime, why: str) -> list[Check]:
    """The checks over single-factor sign-ins. `why` says what of them could not be read, "" for nothing."""
    people = [r for r in rows if r.interactive and not is_sync(r.upn)]
    lines = {
        PEOPLE: _lines(people),
        OLD_PROTOCOLS: _lines([r for r in rows if r.client.lower() in LEGACY], client=True),
        PROGRAMS: _programs(rows),
        SYNC: _lines([r for r in rows if is_sync(r.upn) and r.app_id not in SYNC_TOOLS]),
        OFFICE: _lines([r for r in rows if r.old_office], client=True),
    }
    failed = {
        PEOPLE: "accounts and applications with a password alone",
        OLD_PROTOCOLS: "accounts with old protocols",
        PROGRAMS: "signs of programs that sign in as a person",
        SYNC: "uses of a directory-sync account for something else",
        OFFICE: "accounts with an old version of Office",
    }
    day = f"{since:%Y-%m-%d}"
    found = []
    for claim in CLAIMS:
        said = f"{failed[claim][:1].upper()}{failed[claim][1:]} since {day}: {len(lines[claim])}."
        if claim is OFFICE and not why and not lines[claim]:
            found.append(claim.unread(_NO_HINT, _ON_DEVICES))
        elif why:
            found.append(claim.partly(lines[claim], why, failed=f"{said} Not all of the log could be read."))
        else:
            found.append(claim.judged(lines[claim], failed=said, passed=f"None in the log since {day}."))
    return found


def shut_out(rows: Sequence[Row]) -> tuple[ShutOut, ...]:
    """The accounts whose way to sign in stops when security defaults are switched on."""
    found: dict[str, str] = {}
    for row in rows:
        if is_sync(row.upn):
            continue  # excluded from security defaults
        if row.client.lower() in LEGACY:
            found[row.upn] = f"signs in by {row.client}, which security defaults block"
        elif row.protocol == "ropc":
            found.setdefault(row.upn, "lets a program sign in with the password alone, which security defaults stop")
    return tuple(ShutOut(upn=upn, why=why) for upn, why in sorted(found.items()))


def _programs(rows: Sequence[Row]) -> list[str]:
    """Accounts with a password in the request, or with bursts in the background."""
    hours: dict[tuple[str, str, str], int] = {}
    direct: dict[tuple[str, str], int] = {}
    for row in rows:
        if is_sync(row.upn):
            continue
        if row.protocol == "ropc":
            direct[row.upn, row.app] = direct.get((row.upn, row.app), 0) + 1
        elif not row.interactive:
            hour = (row.upn, row.app, f"{row.at:%Y-%m-%d %H}")
            hours[hour] = hours.get(hour, 0) + 1
    lines = [
        f"{shown(upn, 100)}: {times} times the password was in the request, to {shown(app, 60) or 'an unknown application'}"
        for (upn, app), times in sorted(direct.items())
    ]
    bursts: dict[tuple[str, str], int] = {}
    for (upn, app, _), times in hours.items():
        if times >= _BURST:
            bursts[upn, app] = max(bursts.get((upn, app), 0), times)
    lines += [
        f"{shown(upn, 100)}: up to {times} sign-ins an hour in the background, to {shown(app, 60) or 'an unknown application'}"
        for (upn, app), times in sorted(bursts.items())
    ]
    return lines


def _lines(rows: Sequence[Row], *, client: bool = False) -> list[str]:
    """One line for each account and application, the busiest first."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.upn, row.app, row.client if client else ""), []).append(row)
    told = []
    for (upn, app, kind), found in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        last = max(found, key=lambda row: row.at)
        where = shown(last.address, 60) + (f" ({shown(last.country, 20)})" if last.country else "")
        to = shown(app, 60) or "an unknown application"
        by = f" by {shown(kind, 40)}" if kind else ""
        told.append(
            f"{shown(upn, 100)}: {len(found)} times to {to}{by}, last {last.at:%Y-%m-%d %H:%M} UTC from {where}"
        )
    return told
