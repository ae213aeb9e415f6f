"""Delete page blobs that the attacker left as unattached unmanaged disks.

A snapshot of a page blob lives inside the blob and must be deleted with it, so it would keep nothing: what brings a blob back is the
account's soft delete, and where that is off the gate says plainly that the content is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Blob, DiskFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import absent, known, moment
from tasks.judged import Judged
from tasks.words import name_of, plain

DELETE = "blob.delete"

STEP = Step(
    id="eradicate.delete_unmanaged_disks",
    title="Delete the attacker's unattached page blobs",
    effect=Effect.IRREVERSIBLE,
    description="Deletes `.vhd` page blobs without lease that were judged the attacker's; recoverable only where the account keeps deleted blobs.",
    permissions=("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/listKeys/action"),
    guidance=("S49", "S55", "S58", "S63"),
    needs=(DiskFacts, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for blob in sorted(case[DiskFacts].blobs, key=lambda b: b.id.lower()):
        keep = "Leased: a machine uses it." if blob.leased else judged.keep_out(blob.id, deleting=True)
        planned.append(NoOp(step=STEP.id, target=blob.id, reason=keep) if keep else _delete(blob, judged))
    return planned


def _delete(blob: Blob, judged: Judged) -> Action:
    account = name_of(blob.account_id)
    recoverable = (
        f"A deleted blob comes back only by hand, while account {account} keeps deleted blobs."
        if blob.soft_delete
        else f"Account {account} has no soft delete: the content is gone for good, only these properties are kept."
    )
    return Action(
        id=action_id(STEP.id, DELETE, blob.id),
        step=STEP.id,
        kind=DELETE,
        target=blob.id,
        title=f"Delete unmanaged disk {plain(blob.name)} ({blob.size_gb.normalize():f} GB) in account {account}",
        effect=Effect.IRREVERSIBLE,
        reasons=("No lease: no machine uses it.", *judged.reasons(blob.id)),
        fingerprint=known({"etag": _bare(blob.etag), "lease": "free"}),
        params={
            "url": blob.url,
            "etag": f'"{_bare(blob.etag)}"',
            "size_gb": str(blob.size_gb),
            "created_at": moment(blob.created_at),
        },
        per_hour=judged.per_hour(blob.id),
        irreversible_because=recoverable,
    )


def _bare(etag: str) -> str:
    """An entity tag without quotes: lists of blobs tell it bare, single answers quoted."""
    return etag.removeprefix("W/").strip('"')


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    targets = {}
    for action in actions:
        blob = await eyes.blobs.blob(str(action.params["url"]))
        if blob is None:
            targets[action.id] = absent(action)
            continue
        lease = "leased" if blob.get("leased") else "free"
        fingerprint = known({"etag": _bare(str(blob.get("etag", ""))), "lease": lease})
        targets[action.id] = Target(
            exists=True,
            already_so=False,
            state=lease,
            fingerprint=fingerprint,
            prior={"size": str(blob.get("size", ""))},
        )
    return targets


async def apply(action: Action, hands: Hands) -> Sent:
    return await hands.blobs.delete(str(action.params["url"]), str(action.params["etag"]))
