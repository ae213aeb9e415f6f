"""Remove the methods to sign in, or to recover an account, that the attacker registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.identity.administrators import method_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import known, moment, text_at
from tasks.requests import request_id
from tasks.words import plain

REMOVE, RESTORE = "method.remove", "method.restore"
# What can be put back by an administrator; everything else its owner has to register anew.
_CAN_BE_WRITTEN = {"phoneMethods": ("phoneNumber", "phoneType"), "emailMethods": ("emailAddress",)}

STEP = Step(
    id="contain.remove_sign_in_methods",
    title="Remove the attacker's sign-in methods",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Deletes telephones, mail addresses, authenticators and keys that the audit log shows the attacker registering. Methods from before stay; "
        "where the attacker's cannot be told from the owner's, a person has to ask."
    ),
    graph_permissions=("UserAuthenticationMethod.ReadWrite.All",),
    guidance=("S35", "S40", "S41"),
    needs=(Intrusion,),
    comes_after=("contain.block_sign_in",),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, TraceKind.METHOD)
    return [*(_remove(case, one) for one in free), *left]


def _remove(case: Case, trace: Trace) -> Action:
    written = _collection(trace.target) in _CAN_BE_WRITTEN
    because = "" if written else "Such a method cannot be put back by anybody but its owner, who registers it anew."
    return intrusion.action(
        STEP,
        case,
        REMOVE,
        trace.target,
        f"Remove {plain(trace.what, 80)} from {plain(trace.holder, 80)}",
        intrusion.reasons_of(trace),
        effect=Effect.REVERSIBLE if written else Effect.IRREVERSIBLE,
        irreversible_because=because,
        fingerprint=_mark(trace.document),
        params={"principal_id": trace.principal_id},
    )


def _mark(document: Any) -> dict[str, str]:
    """What tells a method from another one under its id: telephones have the same ids for everybody."""
    method = method_of(document)
    return known({"kind": method.kind, "detail": plain(method.detail, 80), "addedAt": moment(method.added_at)})


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    held = await intrusion.lists(eyes, (_methods_of(one.target) for one in actions))
    return {one.id: _target(one, _found(one, held[_methods_of(one.target)])) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        if action.kind == REMOVE:
            return intrusion.absent(action, wanted=True)
        return Target(exists=False, already_so=False, state="absent", fingerprint=FREE, prior={"document": {}})
    mark = _mark(document)
    same = action.kind == RESTORE and mark == _mark(
        {"@odata.type": text_at(document, "@odata.type")} | action.params["document"]
    )
    taken = {"place": "taken by another method of this type"}
    return Target(
        exists=True, already_so=same, state="registered", fingerprint=mark | taken, prior={"document": document}
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == REMOVE:
        return await hands.graph.delete(action.target, request_id=request_id(action))
    collection = action.target.rpartition("/")[0]
    return await hands.graph.post(collection, action.params["document"], request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Put a telephone or mail address back, or remove it again."""
    if action.kind == RESTORE:
        title, reason = action.title.replace("Put back", "Remove", 1), "It was not there before it was put back."
        mark = _mark({"@odata.type": action.params["type"]} | action.params["document"])
        return intrusion.inverse(action, REMOVE, title, reason, fingerprint=mark)
    document, names = prior.get("document") or {}, _CAN_BE_WRITTEN.get(_collection(action.target))
    if not names or not all(document.get(name) for name in names):
        return None
    return intrusion.inverse(
        action,
        RESTORE,
        action.title.replace("Remove", "Put back", 1),
        "Whoever has it can recover the account again.",
        fingerprint=FREE,
        params={"document": {name: document[name] for name in names}, "type": text_at(document, "@odata.type")},
    )


def _collection(target: str) -> str:
    return target.split("/")[-2]


def _methods_of(target: str) -> str:
    return "/".join([*target.split("/")[:-2], "methods"])


def _found(action: Action, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    wanted = action.target.rpartition("/")[2].lower()
    return next((row for row in rows if text_at(row, "id").lower() == wanted), None)


whose = intrusion.whose
