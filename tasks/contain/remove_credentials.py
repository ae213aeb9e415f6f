"""Remove the secrets, certificates and outside issuers that the attacker added to applications. Those from before are not touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import items_at, moment, text_at
from tasks.requests import request_id
from tasks.words import plain

SECRET, CERTIFICATE, ISSUER, TRUST = "secret.remove", "certificate.remove", "issuer.remove", "issuer.restore"
_KINDS = {TraceKind.SECRET: SECRET, TraceKind.CERTIFICATE: CERTIFICATE, TraceKind.ISSUER: ISSUER}
_LISTS = {SECRET: "passwordCredentials", CERTIFICATE: "keyCredentials"}
_ISSUER_PARTS = ("name", "issuer", "subject", "audiences", "description")
_CERTIFICATE_PARTS = (
    "keyId",
    "type",
    "usage",
    "displayName",
    "customKeyIdentifier",
    "startDateTime",
    "endDateTime",
    "key",
)

STEP = Step(
    id="contain.remove_credentials",
    title="Remove the attacker's secrets and certificates from applications",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Removes by their key ids the secrets and certificates, and the outside issuers, that the audit log shows the attacker adding to applications. "
        "What the applications sign in with otherwise goes on."
    ),
    graph_permissions=("Application.ReadWrite.All",),
    guidance=("S37", "S48"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, *_KINDS)
    return [*(_remove(case, one) for one in free), *left]


def _remove(case: Case, trace: Trace) -> Action:
    kind = _KINDS[trace.kind]
    document = trace.document
    fixed = {"issuer": document.get("issuer", ""), "subject": document.get("subject", "")}
    fingerprint = fixed if kind == ISSUER else {"startDateTime": moment(str(document.get("startDateTime", "")))}
    params: dict[str, Any] = {"principal_id": trace.principal_id}
    if kind != ISSUER:
        params["key_id"] = document["keyId"]
    if kind == CERTIFICATE:
        params["kept"] = [{k: one[k] for k in _CERTIFICATE_PARTS if k in one} for one in document.get("kept", ())]
        fingerprint["others"] = _others(document.get("kept", ()))
    return intrusion.action(
        STEP,
        case,
        kind,
        trace.target,
        f"Remove {trace.kind.value} {plain(trace.what, 90)} from the application {plain(trace.holder, 60)}",
        (*intrusion.reasons_of(trace), "Whoever has it can be this application; nobody else was given it."),
        key=f"{trace.target}#{document.get('keyId', '')}",
        effect=Effect.REVERSIBLE if kind == ISSUER else Effect.IRREVERSIBLE,
        irreversible_because=""
        if kind == ISSUER
        else "A removed secret or certificate cannot come back; a new one can be made.",
        fingerprint=fingerprint,
        params=params,
    )


def _others(rows: Sequence[Any]) -> str:
    """The certificates beside it: removing one writes the list of those that stay, so none may have come meanwhile."""
    return " ".join(sorted(text_at(one, "keyId").lower() for one in rows))


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    keys = [one for one in actions if one.kind in _LISTS]
    issuers = [one for one in actions if one.kind not in _LISTS]
    holders = await intrusion.documents(eyes, (one.target for one in keys))
    trusts = await intrusion.lists(eyes, (one.target.rpartition("/")[0] for one in issuers))
    return {one.id: _key(one, holders[one.target]) for one in keys} | {
        one.id: _issuer(one, trusts[one.target.rpartition("/")[0]]) for one in issuers
    }


def _key(action: Action, holder: dict[str, Any] | None) -> Target:
    rows = items_at(holder, _LISTS[action.kind])
    wanted = str(action.params["key_id"])
    row = next((one for one in rows if text_at(one, "keyId").lower() == wanted), None)
    if row is None:
        return intrusion.absent(action, wanted=True)
    fingerprint = {"startDateTime": moment(text_at(row, "startDateTime"))}
    if action.kind == CERTIFICATE:
        known = {wanted, *(text_at(one, "keyId").lower() for one in action.params["kept"])}
        strange = [one for one in rows if text_at(one, "keyId").lower() not in known]
        fingerprint["others"] = _others([*action.params["kept"], *strange])
    return Target(exists=True, already_so=False, state="there", fingerprint=fingerprint, prior={"keyId": wanted})


def _issuer(action: Action, rows: Sequence[dict[str, Any]]) -> Target:
    identity = action.target.rpartition("/")[2].lower()
    wanted = action.params.get("document", {})
    pair = (wanted.get("issuer"), wanted.get("subject"))
    row = next(
        (
            one
            for one in rows
            if text_at(one, "id").lower() == identity or pair == (text_at(one, "issuer"), text_at(one, "subject"))
        ),
        None,
    )
    if row is None and action.kind == ISSUER:
        return intrusion.absent(action, wanted=True)
    if row is None:
        return Target(exists=False, already_so=False, state="absent", fingerprint=FREE, prior={})
    return Target(
        exists=True,
        already_so=action.kind == TRUST,
        state="trusted",
        fingerprint={"issuer": text_at(row, "issuer"), "subject": text_at(row, "subject")},
        prior={"document": row},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    again = request_id(action)
    if action.kind == SECRET:
        body = {"keyId": action.params["key_id"]}
        return await hands.graph.post(f"{action.target}/removePassword", body, request_id=again)
    if action.kind == CERTIFICATE:
        return await hands.graph.patch(action.target, {"keyCredentials": action.params["kept"]}, request_id=again)
    if action.kind == ISSUER:
        return await hands.graph.delete(action.target, request_id=again)
    return await hands.graph.post(action.target.rpartition("/")[0], action.params["document"], request_id=again)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Trust an outside issuer again; secrets and certificates cannot come back."""
    if action.kind == TRUST:
        return NoOp(step=STEP.id, target=action.target, reason="It came back under another id: remove it by hand.")
    document = prior.get("document")
    if action.kind != ISSUER or not document:
        return None
    return intrusion.inverse(
        action,
        TRUST,
        action.title.replace("Remove", "Trust again", 1).replace(" from ", " for ", 1),
        "Whoever signs in there under that subject is this application again.",
        fingerprint=FREE,
        params={"document": {name: document[name] for name in _ISSUER_PARTS if document.get(name)}},
    )


whose = intrusion.whose
