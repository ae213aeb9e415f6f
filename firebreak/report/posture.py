"""The report of a run that checks: on the partner's own tenant, or on what protects a subscription. What is wrong first, then what could not be looked at, then what is right; and what changed since.

Pure over the dossier and the checks. Three renderings of the same: HTML, Markdown, JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from firebreak.model.check import Check, CheckStatus, counts_of
from firebreak.model.partner import PartnerScore
from firebreak.report.dossier import Dossier, EvidenceRow, check_json, run_json
from firebreak.report.hostile import markdown, plain
from firebreak.report.kinds import kind_in_words

_REQUESTS = 12  # kept answers that are named for one check; the exported bundle has all

TERMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "action group": "a list of people and programs whom Azure tells when an alert rule finds something",
        "activity log": "Azure's record of who changed what in the subscription",
        "alert rule": "what Azure is to watch for, and whom it tells then",
        "anomaly alert": "Cost Management's daily look for unusual cost, which mails people",
        "access policy": "a rule of conditional access: who is asked for what when signing in, or is not let in",
        "admin agent": "a member of the partner's group AdminAgents, who may administer customers",
        "application": "a program's own identity in the directory, so that it needs no person's password",
        "conditional access": "the tenant's rules for sign-ins: who is asked for what, and who is not let in",
        "defender": "Microsoft Defender for Cloud: Azure's own watch over resources; each of its plans is billed",
        "delegated access": "what the partner may do in a customer's tenant",
        "eligible": "may take a role up when it is needed, for some hours",
        "entra": "Microsoft Entra ID, the directory of a tenant's users and applications; P1 and P2 are its paid licences",
        "old mail protocols": "IMAP, POP3, SMTP and the like: they send the password and cannot ask for anything else",
        "only reports": "a policy in this mode notes whom it would have stopped, and stops nobody",
        "quota": "how much of something a subscription may start; an intruder can go as far as it reaches",
        "requirement": "what Microsoft demands of partners; who does not meet it can be refused buying and administering",
        "second factor": "another proof beside the password: an app, a key, a code (also called MFA)",
        "secure application model": "Microsoft's way for programs of partners: a person consents once with a second factor, no password is kept",
        "secure score": "Defender's count of what is in order, in points",
        "security contact": "whom Microsoft and Defender write to about the subscription's security",
        "security defaults": "one switch of a tenant that asks everybody for a second factor and blocks old mail protocols",
        "tenant": "a company's directory in Microsoft's cloud, with its accounts",
        "vcpu": "virtual processor: sizes of machines and quota are counted in them",
        "zero trust": "to prove each access instead of trusting a place, to give few rights, to expect an intruder",
    }
)
_WORDS = MappingProxyType(
    {CheckStatus.FAILED: "Not so", CheckStatus.NOT_LOOKED_AT: "Not looked at", CheckStatus.PASSED: "In order"}
)
_HEADS = MappingProxyType(
    {
        CheckStatus.FAILED: "What is wrong",
        CheckStatus.NOT_LOOKED_AT: "What could not be looked at",
        CheckStatus.PASSED: "What is in order",
    }
)


class PastChecks(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run: its statuses by check, and Microsoft's score then ("" when it was not read)."""

    incident: str
    at: datetime
    statuses: dict[str, CheckStatus]
    score: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A check with another status than in the run before."""

    title: str
    before: CheckStatus
    now: CheckStatus


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the report tells. `checks` are those of the last look, `first` those before this run changed anything; `past` oldest first."""

    dossier: Dossier
    checks: tuple[Check, ...]
    first: tuple[Check, ...] = ()
    past: tuple[PastChecks, ...] = ()
    score: PartnerScore | None = None
    secure_score: tuple[Decimal, Decimal] | None = None  # of Defender for Cloud: points now and at most

    @property
    def title(self) -> str:
        if self.dossier.incident.alert.is_about_partner:
            return "Check of the partner's own tenant"
        found = self.dossier.subscription
        return (
            f"What protects the subscription {found.display_name}"
            if found and found.display_name
            else "What protects the subscription"
        )

    @property
    def place(self) -> str:
        return "tenant" if self.dossier.incident.alert.is_about_partner else "subscription"

    @property
    def alarm(self) -> str:
        """What a check must not bury: that the same look took somebody for an attacker. "" when it did not."""
        if self.dossier.verdict != "fraud":
            return ""
        return "The same look proposes the verdict FRAUD: somebody seems to attack this subscription now. Start compromised-subscription first."

    def of(self, status: CheckStatus) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status is status)

    @property
    def counts(self) -> dict[CheckStatus, int]:
        return counts_of(self.checks)

    @property
    def since_last(self) -> tuple[Change, ...]:
        """What stands otherwise than at the end of the run before."""
        return self._changes(self.past[-1].statuses) if self.past else ()

    @property
    def by_this_run(self) -> tuple[Change, ...]:
        """What stands otherwise than when this run began."""
        return self._changes({check.id: check.status for check in self.first})

    def _changes(self, before: Mapping[str, CheckStatus]) -> tuple[Change, ...]:
        return tuple(
            Change(title=check.title, before=before[check.id], now=check.status)
            for check in self.checks
            if check.id in before and before[check.id] is not check.status
        )

    @property
    def points(self) -> str:
        """Microsoft's score in words."""
        if self.secure_score is not None:
            return f"{self.secure_score[0]:f} of {self.secure_score[1]:f}"
        if self.score is None or self.score.score is None or self.score.highest is None:
            return "not read"
        return f"{self.score.score.normalize():f} of {self.score.highest.normalize():f}"

    @property
    def row(self) -> PastChecks:
        """This run as the next one will see it."""
        score = self.score.score if self.score else self.secure_score[0] if self.secure_score else None
        return PastChecks(
            incident=self.dossier.incident.id,
            at=self.dossier.incident.opened_at,
            statuses={check.id: check.status for check in self.checks},
            score="" if score is None else f"{score.normalize():f}",
        )

    def seen_at(self, check: Check) -> tuple[EvidenceRow, ...]:
        """The kept answers that the check's step read."""
        return tuple(row for row in self.dossier.evidence if row.step == check.step)[:_REQUESTS]


def headline(posture: Posture) -> str:
    """One sentence: how many checks came out how."""
    counts = posture.counts
    return (
        f"{counts[CheckStatus.FAILED]} of {len(posture.checks)} checks found something wrong, {counts[CheckStatus.NOT_LOOKED_AT]} could not be done, "
        f"{counts[CheckStatus.PASSED]} are in order."
    )


def in_words(change: Change) -> str:
    """A change as a sentence: better, worse, or no longer known."""
    if change.now is CheckStatus.PASSED:
        how = "better" if change.before is CheckStatus.FAILED else "now known to be in order"
    elif change.now is CheckStatus.FAILED:
        how = "worse" if change.before is CheckStatus.PASSED else "now known to be wrong"
    else:
        how = f"no longer known; it was {_WORDS[change.before].lower()}"
    return f"{how}: {change.title}"


def terms_of(text: str) -> list[tuple[str, str]]:
    """The words of the page that not everybody knows, with what they mean."""
    lowered = text.lower()
    return [(term, meaning) for term, meaning in TERMS.items() if term in lowered]


def posture_markdown(posture: Posture) -> str:
    """The report as Markdown: for the Prefect UI, and for a mail."""
    dossier = posture.dossier
    lines = [f"# {markdown(posture.title, 200)}", "", f"**{headline(posture)}**", ""]
    if posture.alarm:
        lines += [f"> **{posture.alarm}**", ""]
    if not dossier.incident.mode.may_write:
        lines += [f"> **{str(dossier.incident.mode).upper()}**: nothing was changed.", ""]
    lines += [
        f"{posture.place.capitalize()} {dossier.incident.subscription_id}, {dossier.incident.id}, {dossier.made_at:%Y-%m-%d %H:%M} UTC. Microsoft's score: {posture.points}.",
        "",
    ]
    for status in CheckStatus:
        found = posture.of(status)
        if found:
            lines += [f"## {_HEADS[status]} ({len(found)})", ""]
            lines += [line for check in found for line in _check_lines(check)]
            lines.append("")
    lines += _trend_lines(posture)
    lines += _done_lines(posture)
    lines += _people_lines(dossier)
    unread = [f"- {markdown(one.what)}: {markdown(one.why, 300)}" for one in dossier.not_looked_at]
    if unread:
        lines += ["## Reads that were refused", "", *unread, ""]
    lines += ["## Words", "", *(f"- **{term}**: {meaning}" for term, meaning in terms_of("\n".join(lines)))]
    return "\n".join(lines)


def posture_json(posture: Posture) -> dict[str, Any]:
    """The JSON of a run with its checks, findings first. Keys may be added, never renamed."""
    return {
        **run_json(posture.dossier),
        "counts": {str(status): number for status, number in posture.counts.items()},
        "checks": [check_json(check) for check in posture.checks],
        "score": {
            "now": posture.row.score or None,
            "highest": f"{posture.score.highest}" if posture.score and posture.score.highest is not None else None,
            "history": [
                {"at": point.at.isoformat(), "score": f"{point.score}", "met": point.met, "asked": point.asked}
                for point in (posture.score.history if posture.score else ())
            ],
        },
        "trend": [
            {
                "incident": run.incident,
                "at": run.at.isoformat(),
                "score": run.score or None,
                **{str(status): list(run.statuses.values()).count(status) for status in CheckStatus},
            }
            for run in (*posture.past, posture.row)
        ],
        "changed": [
            {"title": change.title, "before": str(change.before), "now": str(change.now)}
            for change in posture.since_last
        ],
    }


def posture_html(posture: Posture) -> str:
    """The report as one page, without scripts or outside resources; what comes from Microsoft is escaped by Jinja."""
    from firebreak.report.html import environment

    template = environment().get_template("posture.html.j2")
    seen: dict[str, Any] = {
        "p": posture,
        "d": posture.dossier,
        "headline": headline(posture),
        "runs": (*posture.past, posture.row),
        "statuses": list(CheckStatus),
        "heads": _HEADS,
        "words": _WORDS,
        "in_words": in_words,
        "open": [item for item in posture.dossier.todo if not item.is_settled],
        "settled": [item for item in posture.dossier.todo if item.is_settled],
    }
    page = template.render(**seen, terms=[])
    return template.render(**seen, terms=terms_of(page))


def _check_lines(check: Check) -> list[str]:
    lines = [f"- **{_WORDS[check.status]}: {markdown(check.title, 300)}** ({check.row}) {markdown(check.reason, 600)}"]
    lines += [f"  - {markdown(line, 300)}" for line in check.evidence[:10]]
    if len(check.evidence) > 10:
        lines.append(f"  - … and {len(check.evidence) - 10} more lines in the HTML report")
    if check.advice:
        lines.append(f"  - What to do: {markdown(check.advice, 400)}")
    return lines


def _trend_lines(posture: Posture) -> list[str]:
    if not posture.past:
        return [
            "## Over time",
            "",
            f"This is the first check of this {posture.place} here; the next one tells what became better or worse.",
            "",
        ]
    rows = [
        f"| {run.at:%Y-%m-%d %H:%M} | {' | '.join(str(list(run.statuses.values()).count(status)) for status in CheckStatus)} | {run.score or 'not read'} |"
        for run in (*posture.past, posture.row)
    ]
    changes = [f"- {markdown(in_words(change), 300)}" for change in posture.since_last] or [
        "- Nothing changed since the run before."
    ]
    head = [
        "## Over time",
        "",
        "| run (UTC) | wrong | not looked at | in order | Microsoft's score |",
        "|---|---|---|---|---|",
    ]
    return [*head, *rows, "", *changes, ""]


def _done_lines(posture: Posture) -> list[str]:
    rows = [
        f"- {markdown(kind_in_words(row.action.kind))}: {markdown(row.action.title, 200)}: **{row.state}**{f' ({markdown(row.reason, 300)})' if row.reason else ''}"
        for row in posture.dossier.actions
    ]
    left = [f"- left alone: {markdown(one.reason, 300)}" for plan in posture.dossier.plans for one in plan.no_ops]
    changes = [f"- {markdown(in_words(change), 300)}" for change in posture.by_this_run]
    return ["## What this run changed", "", *(rows or ["Nothing."]), *left, *changes, ""]


def _people_lines(dossier: Dossier) -> list[str]:
    left = [item for item in dossier.todo if not item.is_settled]
    if not left:
        return []
    lines = [f"- [ ] **{item.id}** {markdown(item.text, 400)} {markdown(item.how, 500)}".rstrip() for item in left]
    how = f"Say what you did: `firebreak incidents confirm {dossier.incident.id} ITEM --by NAME --code CODE`."
    return ["## Left to do by people", "", *lines, "", how, ""]


def summary_lines(posture: Posture) -> list[str]:
    """What the command line prints: the headline, then what is wrong and what was not looked at, one line each."""
    lines = [headline(posture)]
    for status in (CheckStatus.FAILED, CheckStatus.NOT_LOOKED_AT):
        lines += [f"{_WORDS[status]}: {check.title}. {plain(check.reason, 200)}" for check in posture.of(status)]
    return lines
