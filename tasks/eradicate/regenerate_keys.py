"""Make storage keys anew that the attacker was told, so that the keys and every link signed with them open nothing any more.

Asking twice would make a key twice, so it is never asked blindly: an account tells when each key was made, and a key that is younger than the
attacker's last reading is done. https://learn.microsoft.com/rest/api/storagerp/storage-accounts/regenerate-key
"""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Class
from firebreak.model.keys import KeyHolder, ListedKeys
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import Document, absent, known, moment, read_all, text_at
from tasks.judged import Judged, id_of_this_time
from tasks.keys import KEY_NAMES, STORAGE, STORAGE_VERSION, told_of
from tasks.words import name_of, plain

REGENERATE = "storage_key.regenerate"
_LOST = "The old key cannot come back: whatever uses it, and every link signed with it, stops working until it is given the new one."

STEP = Step(
    id="eradicate.regenerate_keys",
    title="Make keys anew that the attacker was told",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Regenerates both keys of storage accounts whose keys or links the attacker was told, one after the other. The new keys are shown to nobody: "
        "who needs one reads it in Azure. Keys, passwords and links of other services are a list for people."
    ),
    permissions=("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/regenerateKey/action"),
    guidance=("S37", "S48"),
    needs=(ListedKeys, Attribution),
    comes_after=("contain.remove_access",),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for one in case[ListedKeys].items:
        keep = _keep(one, case, judged)
        if keep:
            planned.append(NoOp(step=STEP.id, target=one.id, reason=keep))
            continue
        first: Action | None = None
        for name in KEY_NAMES:
            if _is_new(one.made.get(name, ""), moment(one.at)):
                planned.append(
                    NoOp(step=STEP.id, target=one.id, reason=f"{name} is younger than the attacker's reading.")
                )
                continue
            first = _regenerate(case, one, name, first)
            planned.append(first)
    return planned


def _keep(one: KeyHolder, case: Case, judged: Judged) -> str:
    if case.incident.alert.is_test:
        return "Test alert: no key is changed."
    told = told_of(one.kind)
    if one.is_attackers:
        return f"{told.called.capitalize()}: the attacker's own, and goes with what they made."
    if one.kind != STORAGE:
        by = f" Others who asked for them lately: {_names(one)}." if one.users else ""
        return f"{told.called.capitalize()}: the attacker was told them{_when(one)}. To do by people: {told.todo}{by}"
    if not one.made:
        return f"Storage keys: the account could not be read. To do by people: {told.todo}"
    return judged.protection(one.id) or judged.locked(one.id, deleting=False)


def _when(one: KeyHolder) -> str:
    return f" at {one.at:%Y-%m-%d %H:%M}Z as {plain(one.caller, 80) or 'an unknown caller'}"


def _names(one: KeyHolder) -> str:
    return ", ".join(plain(name, 60) for name in one.users)


def _is_new(made: str, told_at: str) -> bool:
    return bool(made) and made > told_at


def _regenerate(case: Case, one: KeyHolder, name: str, before: Action | None) -> Action:
    proof = f" (activity log {', '.join(plain(event, 40) for event in one.event_ids[:2])})" if one.event_ids else ""
    users = (
        f"Asked for keys of it lately, and will need the new ones: {_names(one)}."
        if one.users
        else "Nobody else asked Azure for its keys lately; who has one in a setting of theirs cannot be seen from here."
    )
    if one.switched_off:
        users = "Keys are switched off on this account, so nothing of the customer's works with them."
    return Action(
        id=id_of_this_time(case, STEP.id, REGENERATE, f"{one.id}#{name}"),
        step=STEP.id,
        kind=REGENERATE,
        target=one.id,
        title=f"Regenerate {name} of the storage account {name_of(one.id)}",
        effect=Effect.IRREVERSIBLE,
        reasons=(f"The attacker was told its keys{_when(one)}{proof}.", users),
        fingerprint=known({"created": one.created}),
        params={"key": name, "told_at": moment(one.at)},
        after=(before.id,) if before is not None else (),
        region=one.region,
        irreversible_because=_LOST,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    documents = await read_all(eyes, (action.target for action in actions), STORAGE_VERSION)
    return {action.id: _target(action, documents[action.target.lower()]) for action in actions}


def _target(action: Action, document: Document | None) -> Target:
    if document is None:
        return absent(action)
    name = str(action.params["key"])
    made = moment(text_at(document, "properties", "keyCreationTime", name))
    return Target(
        exists=True,
        already_so=_is_new(made, str(action.params["told_at"])),
        state=f"{name} of {made or 'an unknown time'}",
        fingerprint=known({"created": moment(text_at(document, "properties", "creationTime"))}),
        prior={"made": made},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    """Ask once. The answer holds the new keys and is not kept."""
    return await hands.arm.post(f"{action.target}/regenerateKey", STORAGE_VERSION, {"keyName": action.params["key"]})


def whose(action: Action, case: Case) -> Class:
    """The account is the customer's, or it would not be planned."""
    judged = case[Attribution].of(action.target)
    return judged.cls if judged is not None else Class.LEGITIMATE
