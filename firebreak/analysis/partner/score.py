"""Microsoft's security score of a partner, requirement by requirement.

https://learn.microsoft.com/graph/api/resources/partner-security-score-api-overview: the service spells `noncomplaint` so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check
from firebreak.model.partner import ScorePoint

STEP = "investigate.partner_score"
_PAGE = "https://partner.microsoft.com/dashboard/security"
# requirement -> (the claim, the row of the guidance, counts worth telling)
_KNOWN = {
    "mfaEnforcedForAdmins": (
        "Microsoft counts a second factor for every administrator of the partner",
        "S91",
        (("adminsRequiredNotUsingMfaCount", "administrators without"), ("totalAdminsCount", "administrators in all")),
    ),
    "mfaEnforcedForAdminsOfCustomers": (
        "Microsoft counts a second factor for the administrators of every customer",
        "S91",
        (("compliantTenantCount", "customers with"), ("totalTenantCount", "customers in all")),
    ),
    "securityAlertsPromptlyResolved": (
        "Security alerts are answered in time",
        "S91",
        (("averageResponseTimeInHours", "hours until answered, on average"),),
    ),
    "securityContactProvided": ("A security contact is named in Partner Center", "S91", ()),
    "spendingBudgetSetForCustomerAzureSubscriptions": (
        "Every customer's Azure use has a spending budget",
        "S91",
        (("customersWithSpendBudgetCount", "customers with"), ("totalCustomersCount", "customers in all")),
    ),
}
_MEANS_MET, _MEANS_OPEN = ("compliant",), ("noncomplaint", "noncompliant")

SCORE = Claim(
    id="score",
    row="S103",
    step=STEP,
    title="The partner has all points of Microsoft's security score",
    advice=f"Work through the requirements that are not met, the ones with most points first: {_PAGE}",
)
REQUIREMENTS = Claim(
    id="requirements",
    row="S91",
    step=STEP,
    title="Microsoft's security requirements for partners are met",
    advice=f"Read them in Partner Center: {_PAGE}",
)


def score_check(document: Any) -> Check:
    """One check on the sum."""
    now, most = doc.amount(doc.field(document, "currentScore")), doc.amount(doc.field(document, "maxScore"))
    if now is None or most is None:
        return SCORE.unread("The score came without points.")
    line = f"{_points(now)} of {_points(most)} points"
    wrong = [line] if now < most else []
    return SCORE.judged(wrong, failed=f"The score is {line}.", passed=f"The score is {line}.", seen=[line])


def requirement_checks(rows: Sequence[Any]) -> list[Check]:
    """A check for each requirement; one of a name that nobody knows yet is told as well."""
    found = [_requirement(row) for row in rows if doc.text(row, "state").lower() != "preview"]
    return found or [REQUIREMENTS.unread("The list of requirements is empty.")]


def history_of(rows: Iterable[Any]) -> tuple[ScorePoint, ...]:
    """The score over time, the oldest first; points without time or number are passed over."""
    points = [
        ScorePoint(
            at=at,
            score=score,
            met=doc.whole(row, "compliantRequirementsCount"),
            asked=doc.whole(row, "totalRequirementsCount"),
        )
        for row in rows
        if (at := doc.moment(doc.field(row, "createdDateTime"))) is not None
        and (score := doc.amount(doc.field(row, "score"))) is not None
    ]
    return tuple(sorted(points, key=lambda one: one.at))


def _requirement(row: Any) -> Check:
    kind, status = doc.text(row, "requirementType"), doc.text(row, "complianceStatus").lower()
    title, guidance, counts = _KNOWN.get(
        kind, (f"Microsoft's requirement {shown(kind, 80) or 'without a name'} is met", "S91", ())
    )
    page = doc.text(row, "actionUrl")
    claim = Claim(
        id=f"requirement:{shown(kind, 80)}",
        row=guidance,
        step=STEP,
        title=title,
        advice=f"Do what Partner Center says about it: {page if page.startswith('https://') else _PAGE}",
    )
    lines = [f"{words}: {doc.text(row, name)}" for name, words in counts if doc.text(row, name)]
    points, most = doc.amount(doc.field(row, "score")), doc.amount(doc.field(row, "maxScore"))
    if points is not None and most is not None:
        lines.append(f"{_points(points)} of {_points(most)} points")
    if status in _MEANS_MET:
        return claim.judged([], failed="", passed="Microsoft says that it is met.", seen=lines)
    if status in _MEANS_OPEN:
        return claim.judged(
            lines or ["Microsoft tells no numbers"], failed="Microsoft says that it is not met.", passed=""
        )
    return claim.unread(f"Microsoft's status is {shown(status, 40) or 'empty'}, which this version does not know.")


def _points(value: Decimal) -> str:
    return f"{value.normalize():f}"
