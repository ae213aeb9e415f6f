"""All findings about identities together, from whatever was collected: for the verdict, which weighs them as a whole."""

from __future__ import annotations

from collections.abc import Collection

from firebreak.analysis.identity import administrators as admins
from firebreak.analysis.identity import applications as apps
from firebreak.analysis.identity import change_findings, sign_in_findings
from firebreak.analysis.identity import protection as tenant
from firebreak.analysis.identity import risk as risks
from firebreak.analysis.ruleset import RuleSet
from firebreak.model.facts import AccessFacts
from firebreak.model.finding import Finding
from firebreak.model.identity import (
    Administrators,
    Applications,
    DirectoryChanges,
    IdentityRisk,
    SignIns,
    TenantProtection,
)


def all_findings(
    rules: RuleSet,
    *,
    own: Collection[str] = (),
    sign_ins: SignIns | None = None,
    changes: DirectoryChanges | None = None,
    administrators: Administrators | None = None,
    applications: Applications | None = None,
    risk: IdentityRisk | None = None,
    protection: TenantProtection | None = None,
    access: AccessFacts | None = None,
) -> list[Finding]:
    """Return the findings of the steps whose facts are given; None stands for a step that did not run."""
    found: list[Finding] = []
    if changes is not None:
        found += change_findings.find(changes, rules, own=own, administrators=administrators)
    if administrators is not None:
        found += admins.find(administrators, changes=changes, protection=protection, own=own)
    if applications is not None:
        found += apps.find(applications, access=access, changes=changes, own=own)
    if sign_ins is not None:
        around = sign_in_findings.Surroundings(administrators, applications)
        found += sign_in_findings.find(sign_ins, rules, own=own, around=around)
    if risk is not None:
        found += risks.find(risk, own=own)
    if protection is not None:
        found += tenant.find(protection)
    return found
