"""Give applications of the customer's whose secret leaked a new one that nobody sees, and remove the old ones after it was handed over.

The new secret goes from Microsoft Graph into a Key Vault that the settings name, within one call of the port `SecretMaker`. It is named there by
a marker of this action, and the vault's version carries its key id: so a look tells a secret that was handed over from one that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands, Renewal
from firebreak.model.facts import Class
from firebreak.model.identity import Application, Applications, Credential
from firebreak.model.intrusion import Intruder, Intrusion, TraceKind
from firebreak.model.keys import Vaults
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import items_at, moment, text_at, value_at
from tasks.judged import newest_outcome
from tasks.reading import each
from tasks.requests import request_id
from tasks.words import plain

RENEW, RETIRE = "app_secret.renew", "app_secret.retire"
_LASTS = timedelta(days=180)
_HANDED_OVER = "It has a new secret already, handed over in this incident, and none from before."
_FIELDS = {"$select": "id,appId,passwordCredentials"}

STEP = Step(
    id="contain.renew_secrets",
    title="Hand new secrets over to applications whose secret leaked",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Makes one new secret of each of the customer's applications that the attacker acts as, puts it straight into the Key Vault of the settings, "
        "where whoever runs the application fetches it, and then removes the old secrets. Nobody sees it; without a vault people are asked."
    ),
    graph_permissions=("Application.ReadWrite.All",),
    guidance=("S37", "S48"),
    needs=(Intrusion, Applications),
    parameters={"vault": "Address of the Key Vault that new secrets are handed over into."},
    comes_after=("contain.disable_applications", "contain.remove_credentials"),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[Intrusion]
    services = {one.id: one for one in facts.services}
    known = {one.principal_id.lower(): one for one in case[Applications].applications if one.principal_id}
    vault = str(case.parameter(STEP.id, "vault", ""))
    added = {str(one.document.get("keyId", "")).lower() for one in facts.of_kind(TraceKind.SECRET)}
    planned: list[Action | NoOp] = []
    for intruder in facts.intruders:
        service = services.get(intruder.id)
        if intruder.kind == "user" or intruder.own or service is None or service.kind.lower() == "managedidentity":
            continue
        application = known.get(intruder.id)
        old = _old(case, application, added)
        keep = _keep(case, intruder, application, vault, old)
        path = (
            f"/v1.0/applications/{application.object_id}" if application else f"/v1.0/servicePrincipals/{intruder.id}"
        )
        if keep or application is None:
            planned.append(NoOp(step=STEP.id, target=path, reason=f"{plain(intruder.name, 80)}: {keep}"))
            continue
        if _is_handed_over(case, application):
            planned += _retired(case, application, old) or [NoOp(step=STEP.id, target=path, reason=_HANDED_OVER)]
        else:
            planned += _renewed(case, intruder, application, vault, old)
        planned += [
            NoOp(step=STEP.id, target=path, reason=_certificate(one))
            for one in application.credentials
            if one.kind == "certificate"
        ]
    return planned


def _old(case: Case, application: Application | None, added: set[str]) -> list[Credential]:
    """The secrets from before; those that the attacker added are removed by their own step."""
    held = application.credentials if application else ()
    secrets = [one for one in held if one.kind == "secret" and one.id.lower() not in added]
    return [one for one in secrets if one.name != _marker(case)]


def _marker(case: Case) -> str:
    """The name of the secret that this incident makes."""
    return f"firebreak {case.incident.case}"


def _is_handed_over(case: Case, application: Application) -> bool:
    done = newest_outcome(case, STEP.id, RENEW, f"/v1.0/applications/{application.object_id}")
    return done is not None and done.state.is_good


def _certificate(one: Credential) -> str:
    return (
        f"Certificate {plain(one.name or one.id, 80)}: its key cannot be made anew from here. To do by people: make a new one where the application "
        "runs, add it, then remove this one."
    )


def _keep(
    case: Case,
    intruder: Intruder,
    application: Application | None,
    vault: str,
    old: Sequence[Credential],
) -> str:
    """Why no secret of it is made anew; "" when one is."""
    if why := intrusion.why_left_alone(case, intruder.id):
        return why
    if application is None or application.foreign or not application.object_id:
        return "It is registered in another tenant, or its registration could not be read: its publisher has to make a new secret."
    names = ", ".join(plain(one.name or one.id, 60) for one in old) or "none that the directory tells"
    by_hand = (
        "To do by people: make a new secret, put it where it is used, remove the old ones "
        f"({names}), then undo that it was disabled."
    )
    if not vault:
        return f"No Key Vault is named to hand a new secret over into (FIREBREAK_HAND_OVER__VAULT). {by_hand}"
    if _is_open(case, vault):
        return f"The attacker may read the Key Vault that new secrets are handed over into: name another one. {by_hand}"
    return ""


def _is_open(case: Case, vault: str) -> bool:
    """Whether the vault is one that an identity of the attacker's was allowed to read."""
    facts = case.get(Vaults)
    name = vault.split("/vault/")[-1] if "/vault/" in vault else vault.removeprefix("https://").partition(".")[0]
    return facts is not None and any(one.lower().rsplit("/", 1)[-1] == name.lower() for one in facts.reachable)


def _renewed(
    case: Case, intruder: Intruder, application: Application, vault: str, old: Sequence[Credential]
) -> list[Action | NoOp]:
    path, name = f"/v1.0/applications/{application.object_id}", plain(application.name or intruder.name, 60)
    secret = f"firebreak-{application.app_id.lower()}"
    renew = intrusion.action(
        STEP,
        case,
        RENEW,
        path,
        f"Make a new secret of the application {name} and hand it over into {plain(vault, 120)}",
        (
            *intruder.reasons,
            f"Nobody sees it: it goes straight into the vault, as the secret {secret}.",
            "To do then: put it where the application runs, try it, and undo that the application was disabled.",
        ),
        effect=Effect.IRREVERSIBLE,
        irreversible_because="A secret that was handed over can be removed, not un-told.",
        fingerprint={"appId": application.app_id.lower()},
        params={
            "principal_id": intruder.id,
            "vault": vault,
            "name": secret,
            "ends_at": f"{case.now + _LASTS:%Y-%m-%d}T00:00:00Z",
            "marker": _marker(case),
            "app_id": application.app_id,
        },
    )
    return [renew, *_retired(case, application, old, after=(renew.id,))]


def _retired(
    case: Case, application: Application, old: Sequence[Credential], after: tuple[str, ...] = ()
) -> list[Action | NoOp]:
    path, name = f"/v1.0/applications/{application.object_id}", plain(application.name, 60)
    return [
        intrusion.action(
            STEP,
            case,
            RETIRE,
            path,
            f"Remove the old secret {plain(one.name or one.id, 60)} of the application {name}",
            (
                "Which of its secrets leaked, nobody can tell for sure: every one from before goes, after the new one was handed over.",
                "Whatever still uses it stops until it has the new one.",
            ),
            key=f"{path}#{one.id.lower()}",
            effect=Effect.IRREVERSIBLE,
            irreversible_because="A removed secret cannot come back.",
            fingerprint={"appId": application.app_id.lower()},
            params={"principal_id": application.principal_id, "key_id": one.id, "app_id": application.app_id},
            after=after,
        )
        for one in sorted(old, key=lambda one: one.id)
    ]


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    holders = {one.target for one in actions} | {_principal(one) for one in actions}
    found = await intrusion.documents(eyes, holders, _FIELDS)
    renewing = [one for one in actions if one.kind == RENEW]
    versions = await each(lambda one: eyes.vaults.versions(str(one.params["vault"]), str(one.params["name"])), renewing)
    kept = {one.id: rows for one, rows in zip(renewing, versions, strict=True)}
    return {
        one.id: _renewal(one, found[one.target], kept[one.id])
        if one.kind == RENEW
        else _retirement(one, [found[one.target], found[_principal(one)]])
        for one in actions
    }


def _principal(action: Action) -> str:
    return f"/v1.0/servicePrincipals/{action.params['principal_id']}"


def _renewal(action: Action, document: dict[str, Any] | None, versions: Sequence[dict[str, Any]]) -> Target:
    if document is None:
        return Target(exists=False, already_so=False, state="absent", fingerprint={})
    mine = {
        text_at(row, "keyId").lower()
        for row in items_at(document, "passwordCredentials")
        if text_at(row, "displayName") == action.params["marker"]
    }
    handed = {
        text_at(row, "tags", "keyId").lower() for row in versions if value_at(row, "attributes", "enabled") is not False
    }
    over = mine & handed
    left = mine - handed
    state = "handed over" if over else "not handed over"
    if left:
        state += f"; a secret that was given to nobody stands there: {', '.join(sorted(left))}"
    return Target(
        exists=True,
        already_so=bool(over) and not left,
        state=state,
        fingerprint={"appId": text_at(document, "appId").lower()},
        prior={"handed_over": sorted(handed & mine)},
    )


def _retirement(action: Action, holders: Sequence[dict[str, Any] | None]) -> Target:
    rows = [row for one in holders for row in items_at(one, "passwordCredentials")]
    row = next((one for one in rows if text_at(one, "keyId").lower() == str(action.params["key_id"]).lower()), None)
    if holders[0] is None or row is None:
        return intrusion.absent(action, wanted=True)
    return Target(
        exists=True,
        already_so=False,
        state=f"there since {moment(text_at(row, 'startDateTime')) or 'an unknown time'}",
        fingerprint={"appId": text_at(holders[0], "appId").lower()},
        prior={"keyId": text_at(row, "keyId")},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    again = request_id(action)
    if action.kind == RETIRE:
        holders = (action.target, _principal(action))
        return await hands.secrets.retire(holders, str(action.params["key_id"]), request_id=again)
    told = action.params
    wanted = Renewal(
        application=action.target,
        marker=str(told["marker"]),
        ends_at=str(told["ends_at"]),
        vault=str(told["vault"]),
        name=str(told["name"]),
        tags={"application": str(told["app_id"]), "incident": str(told.get("case", ""))},
    )
    return await hands.secrets.renew(wanted, request_id=again)


def whose(action: Action, case: Case) -> Class:  # noqa: ARG001 - the contract
    """Only the customer's own applications get a new secret."""
    return Class.LEGITIMATE
