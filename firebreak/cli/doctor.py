"""`firebreak doctor`: what works and what does not, before it is needed at 3 a.m."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from firebreak.analysis import documents as doc
from firebreak.analysis import rights
from firebreak.cli.credentials import consent_check
from firebreak.cli.doctor_channels import channel_checks
from firebreak.cli.doctor_policies import policy_check
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import connected_settings
from firebreak.cli.services import find_services
from firebreak.clients import Check, connect
from firebreak.clients import doctor as examine
from firebreak.errors import ResponseError
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, SubscriptionFacts
from firebreak.model.mode import Mode
from firebreak.model.playbook import Playbook
from firebreak.model.step import Step
from firebreak.playbook import find_playbooks
from firebreak.settings import CustomerSettings, Settings
from tasks import directory
from tasks.investigate.subscription import read_rights
from tasks.policies import read_policies
from tasks.reading import Notes
from tasks.registry import load_steps

_NONE = "00000000-0000-0000-0000-000000000000"
_MOST, _SHOWN = 20, 8
_API = "2022-04-01"
_SERVER = "Prefect server"


def doctor(as_json: bool = Json) -> None:
    """Check settings, endpoints, credentials, permissions and services."""
    settings = connected_settings()
    checks = [*asyncio.run(_examine(settings)), *consent_check(settings)]
    services = find_services(settings.home)
    checks += channel_checks(settings, services)
    checks.append(
        Check(
            name=_SERVER,
            ok=services is not None,
            detail=services.ui_url if services else "none is running for this home",
            hint="" if services else "Start the services with: firebreak up",
        )
    )
    if as_json:
        print_json([{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks])
    else:
        for c in checks:
            mark = "[green]ok  [/]" if c.ok else "[yellow]off [/]" if c.name == _SERVER else "[red]FAIL[/]"
            stdout.print(f"{mark} {safe(c.name)}: {safe(c.detail, 1200)}")
            if c.hint and not c.ok:
                stdout.print(f"     {safe(c.hint, 300)}")
    if not all(c.ok for c in checks if c.name != _SERVER):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[Check]:
    """What the clients can say, and for each visible subscription and playbook which permissions are missing or denied."""
    checks = await examine(settings)
    if not all(c.ok for c in checks if c.name in ("resource manager", "login", "sign-in", "subscriptions")):
        return checks
    loaded = {name: one.step for name, one in load_steps().items()}
    try:
        playbooks = find_playbooks(settings.home / "playbooks", steps=loaded)
    except ResponseError as error:
        return [*checks, Check(name="playbooks", ok=False, detail=error.message, hint=error.hint)]
    async with connect(settings, subscription_id=_NONE, mode=Mode.DRY_RUN, correlation_id=_NONE) as connection:
        visible = [
            str(row.get("subscriptionId")) for row in await connection.eyes.arm.list("/subscriptions", "2022-12-01")
        ]
        if all(c.ok for c in checks if c.name == "graph"):
            checks += await identity_reads(connection.eyes, settings.operations.sign_ins_api)
    for subscription in visible[:_MOST]:
        checks += await _permissions(settings, subscription, list(playbooks.values()), loaded)
    checks += [await _customer(settings, one) for one in settings.customers]
    if len(visible) > _MOST:
        detail = f"{len(visible) - _MOST} more subscriptions were not looked at."
        checks.append(Check(name="permissions", ok=True, detail=detail))
    return checks


async def _customer(settings: Settings, customer: CustomerSettings) -> Check:
    """Whether a further customer's tenant lets us in, and what is seen there."""
    name = f"customer {customer.name or customer.tenant_id}"
    try:
        theirs = settings.for_customer(customer.tenant_id)
        async with connect(theirs, subscription_id=_NONE, mode=Mode.DRY_RUN, correlation_id=_NONE) as connection:
            seen = await connection.eyes.arm.list("/subscriptions", "2022-12-01")
    except ResponseError as error:
        return Check(name=name, ok=False, detail=error.message, hint=error.hint)
    if not seen:
        hint = (
            "Give the identity a role there: for a partner, an active delegated relationship and the group AdminAgents."
        )
        return Check(name=name, ok=False, detail="Signed in; no subscription is seen there.", hint=hint)
    return Check(
        name=name, ok=True, detail=f"Signed in to tenant {customer.tenant_id}; {len(seen)} subscriptions seen."
    )


async def identity_reads(eyes: Eyes, sign_ins_api: str) -> list[Check]:
    """Try each read of the identity review. A licence that the tenant does not have is no failure: the review says what it costs."""
    checks = []
    for read in directory.PROBED:
        path = sign_ins_api + read.path if read is directory.SIGN_INS else read.path
        name = f"identities: {read.what}"
        try:
            found = await eyes.graph.get(path, {"$top": "1"} if read in directory.LIMITED else None)
        except ResponseError as error:
            if directory.lacks_licence(error):
                detail = f"Not licensed: needs {read.licence or 'an Entra ID licence'}. The review says what it could not see."
                checks.append(Check(name=name, ok=True, detail=detail))
                continue
            hint = f"Grant {' and '.join(read.permissions)}; a person also needs the role {read.role}."
            checks.append(Check(name=name, ok=False, detail=error.message, hint=hint))
        else:
            there = "Readable." if found is not None else f"Graph says that {path} is not there."
            hint = "" if found is not None else "Check FIREBREAK_CLOUD__GRAPH and FIREBREAK_OPERATIONS__SIGN_INS_API."
            checks.append(Check(name=name, ok=found is not None, detail=there, hint=hint))
    return checks


async def _permissions(
    settings: Settings, subscription: str, playbooks: Sequence[Playbook], steps: Mapping[str, Step]
) -> list[Check]:
    name, notes = f"permissions in {subscription}", Notes()
    base = f"/subscriptions/{subscription}/providers/Microsoft.Authorization"
    try:
        async with connect(
            settings, subscription_id=subscription, mode=Mode.DRY_RUN, correlation_id=_NONE
        ) as connection:
            eyes = connection.eyes
            own = await eyes.own_principal_ids()
            granted = await eyes.arm.list(f"{base}/permissions", _API)
            held, groups = await read_rights(eyes, own, granted, notes)
            denied = await notes.attempt("deny assignments", eyes.arm.list(f"{base}/denyAssignments", _API), [])
            read = await read_policies(eyes, notes)
    except ResponseError as error:
        return [Check(name=name, ok=False, detail=error.message, hint=error.hint)]
    facts = SubscriptionFacts(
        subscription_id=subscription,
        tenant_id="",
        display_name="",
        state="",
        own_principal_ids=own,
        member_of=groups,
        permissions=held,
    )
    unread = f" Not looked at: {', '.join(note.what for note in notes.all)}." if notes.all else ""
    access = AccessFacts(
        policy_assignments=read.assignments,
        policies_were_read=read.were_read,
        policy_definitions=read.definitions,
        policies_not_read=read.not_read,
        policy_exemptions=read.exemptions,
    )
    checks: list[Check] = []
    for playbook in playbooks:
        named = [steps[s] for stage in playbook.stages for s in stage.steps]
        checks.append(_judged(f"{name} for {playbook.id}", facts, denied, named, unread))
        checks.append(policy_check(f"policies in {subscription} for {playbook.id}", subscription, access, named))
    return checks


def _judged(
    name: str, facts: SubscriptionFacts, denied: Sequence[dict[str, Any]], steps: Sequence[Step], unread: str
) -> Check:
    """Whether the identity may do in the whole subscription what the steps need, and if not, which steps suffer."""
    whole = f"/subscriptions/{facts.subscription_id}"
    needed = sorted({permission for step in steps for permission in step.permissions})
    missing = [p for p in needed if not rights.allowed_at(facts, p, whole)]
    narrower = [p for p in missing if any(rights.allows(entries, p) for entries in facts.permissions.values())]
    forbidden = {p: found for p in needed if (found := _denials(denied, facts, p))}
    if not missing and not forbidden:
        return Check(name=name, ok=True, detail=f"All {len(needed)} that its steps need.{unread}")
    said = []
    if missing:
        said.append(f"{len(missing)} of {len(needed)} are missing in the whole subscription: {_some(missing)}.")
        said.append(f"Steps without: {_some([s.title for s in steps if set(missing) & set(s.permissions)])}.")
    if narrower:
        said.append(f"{len(narrower)} of them are held in some groups or resources only.")
    if forbidden:
        names = sorted({one for found in forbidden.values() for one in found})
        said.append(f"{len(forbidden)} are denied by deny assignments: {_some(names)}.")
    hint = "Give the identity a role that holds them, such as Owner, for the time of the response." if missing else ""
    if forbidden:
        hint = f"{hint} Deny assignments are lifted by whoever owns the managed application or stack that made them.".strip()
    return Check(name=name, ok=False, detail=" ".join(said) + unread, hint=hint)


def _denials(documents: Sequence[dict[str, Any]], facts: SubscriptionFacts, permission: str) -> list[str]:
    """Names of deny assignments that forbid a permission anywhere in the subscription, or perhaps do."""
    found = []
    for document in documents:
        place = doc.path(document, "properties", "scope")
        subject = place if place.lower().startswith("/subscriptions/") else f"/subscriptions/{facts.subscription_id}"
        for denial in rights.denials([document], facts, permission, subject):
            found.append(denial.name if denial.sure else f"perhaps {denial.name}")
    return found


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
