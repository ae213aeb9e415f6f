"""Whether the admin agents have what protects them: the premium licence, roles that are taken up for a while, policies by risk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.protection import ON
from firebreak.analysis.partner.accounts import told
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check
from firebreak.model.identity import TenantProtection
from firebreak.model.partner import PartnerAccount

STEP = "investigate.partner_licences"
PREMIUM = "AAD_PREMIUM_P2"
_EMERGENCY = 2  # how many accounts may hold the highest role for good: those for emergencies

LICENSED = Claim(
    id="agents-licensed",
    row="S102",
    step=STEP,
    title="Every admin agent has the premium identity licence (Entra ID P2)",
    advice="Assign Entra ID P2 to each of them: without it their sign-ins are not judged by risk, and roles cannot be taken up for a while.",
)
TEMPORARY = Claim(
    id="roles-temporary",
    row="S102",
    step=STEP,
    title="Administrators take up their roles for a while, instead of holding them for good",
    advice="Make them eligible in Privileged Identity Management instead; at most two emergency accounts keep the highest role for good.",
)
BY_RISK = Claim(
    id="policies-by-risk",
    row="S102",
    step=STEP,
    title="Sign-ins that look dangerous are stopped or asked for more",
    advice="Add access policies by sign-in risk and user risk for all people, first in report mode, then switched on.",
)


def premium_skus(skus: Iterable[Any]) -> frozenset[str]:
    """Ids of the tenant's licences that hold the premium plan, lower-case."""
    return frozenset(
        doc.text(sku, "skuId").lower()
        for sku in skus
        if any(doc.text(plan, "servicePlanName").upper() == PREMIUM for plan in doc.items(sku, "servicePlans"))
    ) - {""}


def licence_check(agents: Sequence[PartnerAccount], premium: frozenset[str]) -> Check:
    unknown = [one for one in agents if one.licences is None]
    if unknown:
        return LICENSED.unread(f"The licences of {told(unknown[0])} were not told.")
    if not agents:
        return LICENSED.unread("The group of admin agents has no member with an account in this tenant.")
    wrong = [told(one) for one in agents if not premium & set(one.licences or ())]
    return LICENSED.judged(
        wrong,
        failed=f"Admin agents without it: {len(wrong)} of {len(agents)}.",
        passed=f"All have it; admin agents: {len(agents)}.",
    )


def role_check(holders: Mapping[str, tuple[str, ...]], accounts: Sequence[PartnerAccount]) -> Check:
    """`holders` are template ids of roles held for good, by principal."""
    names = {one.id: one for one in accounts}
    wrong: list[str] = []
    highest: list[str] = []
    for principal, roles in sorted(holders.items()):
        strong = [rights.role_name(role) for role in roles if rights.is_privileged(role)]
        if not strong or principal not in names:
            continue
        line = f"{shown(names[principal].upn, 100)}: {', '.join(dict.fromkeys(strong))}"
        (highest if strong == ["Global Administrator"] else wrong).append(line)
    if len(highest) > _EMERGENCY:
        wrong = [*highest, *wrong]
    return TEMPORARY.judged(
        wrong,
        failed=f"Accounts that hold strong roles for good: {len(wrong)}.",
        passed="Nobody does, apart from emergency accounts.",
        seen=highest,
    )


def risk_check(facts: TenantProtection) -> Check:
    """From the access policies, which were read."""
    policies = facts.policies or ()
    on = [p for p in policies if p.state == ON and (p.user_risk or p.sign_in_risk)]
    seen = [shown(policy.name, 80) for policy in on]
    both = any(p.user_risk for p in on) and any(p.sign_in_risk for p in on)
    if both:
        return BY_RISK.judged([], failed="", passed="Policies by sign-in risk and by user risk are on.", seen=seen)
    lines = seen or [f"none of {len(policies)} policies looks at risk"]
    return BY_RISK.judged(lines, failed="Policies by sign-in risk and by user risk are not both on.", passed="")
