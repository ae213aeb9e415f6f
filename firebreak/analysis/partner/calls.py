"""What Partner Center says of the second factor behind calls: of this installation's own, of everybody's, and of people who had none.

https://learn.microsoft.com/partner-center/developer/mfa-resources
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check

STEP = "investigate.partner_calls"
_CONSENT = "Give the consent anew, signed in with a second factor: firebreak credentials consent"

OWN = Claim(
    id="own-second-factor",
    row="S94",
    step=STEP,
    title="A second factor stands behind this installation's own access to Partner Center",
    advice=_CONSENT,
)
CALLS = Claim(
    id="calls-second-factor",
    row="S113",
    step=STEP,
    title="Every call of Partner Center on behalf of a person carries the proof of a second factor",
    advice="Such calls get refused (error 900421). Have the people consent to these programs anew, signed in with a second factor.",
)
APPLICATIONS = Claim(
    id="applications-second-factor",
    row="S94",
    step=STEP,
    title="Every application that calls Partner Center does so with a second factor",
    advice="Move these applications to Microsoft's secure application model, or consent to them anew with a second factor.",
)
PEOPLE = Claim(
    id="people-second-factor",
    row="S65",
    step=STEP,
    title="Nobody who manages customers worked in Partner Center without a second factor in the last seven days",
    advice="Ask each of them how they signed in; give them a second factor, and programs an application of their own.",
)


def own_check(compliant: bool | None) -> Check:
    """The answer to `ValidateMfa`; None: the answer did not say."""
    if compliant is None:
        return OWN.unread(
            "Partner Center did not say: it does so only of sign-ins on behalf of a person.",
            "With the secure application model the question is answered: see the guide on it.",
        )
    wrong = [] if compliant else ["Partner Center answered isMfaCompliant: false"]
    return OWN.judged(
        wrong,
        failed="The consent was given without a second factor: Partner Center may refuse it at any time.",
        passed="Partner Center says so.",
        seen=["Partner Center answered isMfaCompliant: true"],
    )


def calls_check(rows: Sequence[Any]) -> Check:
    """One check on the last requests, at most 10,000."""
    wrong: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], str] = {}
    for row in rows:
        if doc.field(row, "mfaCompliant") is not True:
            key = (doc.text(row, "upn"), doc.text(row, "operationName"), doc.text(row, "applicationId"))
            wrong[key] += 1
            newest[key] = max(newest.get(key, ""), doc.text(row, "requestDateTime"))
    lines = [
        f"{shown(upn, 100)}: {times} times {shown(operation, 60)} by application {shown(application, 40)}, last {newest[upn, operation, application][:16]}"
        for (upn, operation, application), times in wrong.most_common()
    ]
    total = sum(wrong.values())
    return CALLS.judged(
        lines,
        failed=f"Calls without it: {total} of the last {len(rows)}.",
        passed=f"All of the last {len(rows)} calls did." if rows else "There were no calls on behalf of people.",
    )


def applications_check(rows: Sequence[Any]) -> Check:
    """One check on calls by application over the days that were asked for."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        name = f"{shown(doc.text(row, 'applicationName'), 80)} ({shown(doc.text(row, 'applicationId'), 40)})"
        sums = counts.setdefault(name, [0, 0])
        sums[0] += doc.whole(row, "mfaCompliantRequestCount")
        sums[1] += doc.whole(row, "totalRequestCount")
    lines = [f"{name}: {most - good} of {most} calls without" for name, (good, most) in counts.items() if good < most]
    return APPLICATIONS.judged(
        lines,
        failed=f"Applications that called without: {len(lines)} of {len(counts)}.",
        passed=f"Every call had one; applications that called: {len(counts)}." if counts else "No application called.",
    )


def people_check(rows: Sequence[Any]) -> Check:
    """One check on people without a second factor."""
    lines = [
        f"{shown(doc.text(row, 'upn') or doc.text(row, 'objectId'), 100)}, last {doc.text(row, 'lastNonMfaCompliantRequestDateTime')[:16]}"
        for row in rows
    ]
    return PEOPLE.judged(
        lines,
        failed=f"Accounts that Partner Center names: {len(lines)}.",
        passed="Partner Center names nobody.",
    )
