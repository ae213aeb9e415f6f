"""Defender for Cloud: which of its plans watch what is there, what they would cost, and what its secure score finds wanting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.hardening.checks import check, why
from firebreak.model.check import Check
from firebreak.model.finding import NotLookedAt
from firebreak.model.hardening import DefenderPlan, ScoreControl

STEP: Final = "investigate.defender"
PRICES: Final = "https://azure.microsoft.com/pricing/details/defender-for-cloud/"
_UNKNOWN: Final = f"Its price is not known: look at {PRICES} before you approve."


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A plan worth having: what it watches, in words; the types of resources it is billed for (none: the subscription once).

    `meters` are the products and meters of Microsoft's price list that bill it; of several the dearest counts. `unit` is what is counted; where
    it is smaller than a resource, `exact` is False.
    """

    title: str
    types: tuple[str, ...]
    meters: tuple[tuple[str, str], ...]
    unit: str
    sub_plan: str = ""
    exact: bool = True


OFFERS: Final[Mapping[str, Offer]] = MappingProxyType(
    {
        "VirtualMachines": Offer(
            title="servers",
            types=("microsoft.compute/virtualmachines",),
            meters=(("Microsoft Defender for Servers", "Standard P2 Node"),),
            unit="running server",
            sub_plan="P2",
        ),
        "StorageAccounts": Offer(
            title="storage accounts",
            types=("microsoft.storage/storageaccounts",),
            meters=(("Microsoft Defender for Storage", "Standard Node"),),
            unit="storage account, without scanning for malware",
            sub_plan="DefenderForStorageV2",
        ),
        "KeyVaults": Offer(
            title="key vaults",
            types=("microsoft.keyvault/vaults",),
            meters=(("Microsoft Defender for Key Vault", "Per node Std Node"),),
            unit="vault",
            sub_plan="PerKeyVault",
        ),
        "Arm": Offer(
            title="what is done in the subscription (Resource Manager)",
            types=(),
            meters=(("Microsoft Defender for Resource Manager", "Per node Std Node"),),
            unit="subscription",
            sub_plan="PerSubscription",
        ),
        "Containers": Offer(
            title="Kubernetes clusters",
            types=("microsoft.containerservice/managedclusters",),
            meters=(("Microsoft Defender for Containers", "Standard vCore vCore Pack"),),
            unit="vCPU of the nodes",
            exact=False,
        ),
        "AppServices": Offer(
            title="App Service",
            types=("microsoft.web/serverfarms",),
            meters=(("Microsoft Defender for App Service", "Standard Node"),),
            unit="instance of an App Service plan",
            exact=False,
        ),
        "SqlServers": Offer(
            title="Azure SQL",
            types=("microsoft.sql/servers",),
            meters=(("Microsoft Defender for SQL", "Standard Node"),),
            unit="SQL instance",
        ),
        "OpenSourceRelationalDatabases": Offer(
            title="PostgreSQL and MySQL",
            types=("microsoft.dbforpostgresql/flexibleservers", "microsoft.dbformysql/flexibleservers"),
            meters=(
                ("Microsoft Defender for PostgreSQL", "Standard Node"),
                ("Microsoft Defender for MySQL", "Standard Node"),
            ),
            unit="instance",
        ),
    }
)


def plan_of(document: Any) -> DefenderPlan:
    """One plan, from a document of `Microsoft.Security/pricings`."""
    properties = doc.mapping(document, "properties")
    left = doc.text(properties, "freeTrialRemainingTime")
    return DefenderPlan(
        name=doc.text(document, "name"),
        tier=doc.text(properties, "pricingTier"),
        sub_plan=doc.text(properties, "subPlan"),
        trial="" if left in ("PT0S", "P0D") else _days(left),
        deprecated=doc.field(properties, "deprecated") is True,
    )


def _days(left: str) -> str:
    """A time as Azure writes it (P30D) in words; what is no number of days stays as it is."""
    number = left.removeprefix("P").removesuffix("D")
    return f"{number} days" if left == f"P{number}D" and number.isdigit() else left


def control_of(document: Any) -> ScoreControl:
    """One control of the secure score."""
    properties = doc.mapping(document, "properties")
    points = doc.mapping(properties, "score")
    return ScoreControl(
        name=doc.text(properties, "displayName"),
        current=_number(doc.field(points, "current")),
        most=_number(doc.field(points, "max")),
        unhealthy=int(_number(doc.field(properties, "unhealthyResourceCount"))),
    )


def score_of(document: Any) -> tuple[Decimal, Decimal] | None:
    """Points now and at most, None when there is no score yet."""
    points = doc.mapping(doc.mapping(document, "properties"), "score")
    most = _number(doc.field(points, "max"))
    return (_number(doc.field(points, "current")), most) if most else None


def in_use(types: Iterable[str]) -> dict[str, int]:
    """How many resources each plan would watch; a plan with nothing to watch is left out, one for the subscription counts one."""
    present = [one.lower() for one in types]
    counted = {
        name: 1 if not offer.types else sum(present.count(kind) for kind in offer.types)
        for name, offer in OFFERS.items()
    }
    return {name: count for name, count in counted.items() if count}


def price_of(name: str, count: int, prices: Mapping[str, Decimal], currency: str) -> str:
    """What a plan costs by Microsoft's price list as it was read, in a sentence; that it is not known, where the list has no such row or was not read."""
    offer, price = OFFERS[name], prices.get(name)
    if price is None:
        return (
            f"Billed for each {offer.unit}; {count} are watched. {_UNKNOWN}"
            if offer.exact
            else f"Billed for each {offer.unit}. {_UNKNOWN}"
        )
    each = f"List price today {price} {currency} a month for each {offer.unit}"
    return (
        f"{each}: {price * count} {currency} a month for {count} ({PRICES})."
        if offer.exact
        else f"{each}; {count} resources are watched ({PRICES})."
    )


def checks_of(
    plans: Sequence[DefenderPlan] | None,
    used: Mapping[str, int] | None,
    score: tuple[Decimal, Decimal] | None,
    controls: Sequence[ScoreControl] | None,
    notes: Sequence[NotLookedAt],
    *,
    prices: Mapping[str, Decimal],
    currency: str,
) -> tuple[Check, ...]:
    """The checks of rows S76 (a plan for each kind of thing that is there) and S85 (what the secure score finds wanting)."""
    found = [_plan(name, plans, used, notes, prices, currency) for name in (OFFERS if used is None else used)]
    if controls is None or score is None:
        reason = (
            why(notes, "the secure score")
            if controls is None or any(n.what.startswith("the secure score") for n in notes)
            else ""
        )
        found.append(
            check(
                STEP,
                "S85",
                "secure-score",
                "Defender for Cloud finds nothing wanting",
                holds=None,
                reason=reason
                or "Not looked at: Defender for Cloud has no secure score for the subscription yet; it takes up to a day.",
                advice="Open Defender for Cloud once in the portal; its free part gives the score. Then run this again.",
            )
        )
        return tuple(found)
    points = f"Secure score {score[0]} of {score[1]} points."
    for one in sorted((c for c in controls if c.most > 0), key=lambda c: (c.current - c.most, c.name)):
        short = one.most - one.current
        found.append(
            check(
                STEP,
                "S85",
                f"secure-score:{one.name}",
                f"Defender for Cloud finds nothing wanting in: {one.name}",
                holds=not one.unhealthy,
                reason=f"Resources found wanting: {one.unhealthy}; {short} of {one.most} points are missing."
                if one.unhealthy
                else f"Nothing is found wanting; {one.current} of {one.most} points.",
                evidence=[points],
                advice="Defender for Cloud, Recommendations: open this group and follow its steps with the owner of each resource.",
            )
        )
    return tuple(found)


def _plan(
    name: str,
    plans: Sequence[DefenderPlan] | None,
    used: Mapping[str, int] | None,
    notes: Sequence[NotLookedAt],
    prices: Mapping[str, Decimal],
    currency: str,
) -> Check:
    offer = OFFERS[name]
    plan = next((one for one in plans or () if one.name.lower() == name.lower()), None)
    if plans is None:
        holds, reason = None, why(notes, "plans of Defender")
    elif used is None:
        holds, reason = None, "Not looked at: the inventory was not read, so what there is to watch is not known."
    elif plan is None:
        holds, reason = None, "Not looked at: Azure's list of plans does not have this one."
    elif plan.tier.lower() == "standard":
        holds, reason = True, "The plan is on."
    else:
        trial = f" A free trial is left ({plan.trial})." if plan.trial else ""
        holds, reason = (
            False,
            f"The plan is off; {used[name]} would be watched. {price_of(name, used[name], prices, currency)}{trial}",
        )
    return check(
        STEP,
        "S76",
        f"defender-plan:{name}",
        f"Defender for Cloud watches {offer.title}",
        holds=holds,
        reason=reason,
        advice="Turn the plan on: this run proposes it for approval, with its price. It is billed until it is turned off.",
    )


def _number(value: Any) -> Decimal:
    """A number of Azure's without the zeros behind it; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return Decimal(0)
    exact = Decimal(str(value)).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact
