"""What is left for people after a run: derived from the dossier, so that nothing half-done is left unsaid.

First what the run itself left behind, then what the guidance asks of people in such an incident. `firebreak incidents confirm` settles
an item; what only Azure can show stays on the list until a further look shows it.
"""

from __future__ import annotations

import hashlib

import msgspec

from firebreak.model.facts import Class
from firebreak.model.outcome import ActionState
from firebreak.model.todo import Item
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import plain
from firebreak.report.identity_work import identity_work
from firebreak.report.kinds import kind_in_words
from firebreak.report.prepared import DATA, OCCASIONS

_MANY = 3
_DECIDED = ("kept", "removed", "undecided")


def all_items(dossier: Dossier) -> list[Item]:
    """Everything left to people, most urgent first, those that somebody confirmed among them. Plain text: escape for where it is shown."""
    items: dict[str, Item] = {}
    for item in (*_left_by_the_run(dossier), *_asked(dossier)):
        items.setdefault(item.id, item)
    last = {one.item: one for one in dossier.confirmations}
    return [msgspec.structs.replace(item, confirmation=last.get(item.id)) for item in items.values()]


def item_id(kind: str, about: str) -> str:
    """A short name that stays the same as long as the thing does: `identity-1a2b3c4d`."""
    return f"{kind}-{hashlib.sha256(about.lower().encode('utf-8', 'replace')).hexdigest()[:8]}"


def _item(kind: str, about: str, text: str, **more: object) -> Item:
    return Item(id=item_id(kind, about) if about else kind, text=text, **more)  # type: ignore[arg-type]


def _asked(dossier: Dossier) -> list[Item]:
    """What the guidance asks of people in this incident; nothing in a test alert."""
    if dossier.incident.alert.is_test:
        return []
    return [
        Item(
            id=one.row,
            text=one.text,
            how=one.how,
            data=tuple(row for name in one.shows for row in DATA[name][1](dossier)),
            answers=one.answers,
            row=one.row,
            before=one.before,
        )
        for one in dossier.instructions
        if OCCASIONS[one.when][1](dossier)
    ]


def _left_by_the_run(dossier: Dossier) -> list[Item]:
    todo = [
        _item("running", i, f"STILL RUNNING and billed: {plain(i, 200)}{_why_left(dossier, i)}", measured=True)
        for i in dossier.still_running
    ]
    todo += _identities(dossier)
    if not dossier.incident.alert.is_test:
        todo += [_item("identity", about, text) for about, text in identity_work(dossier.findings)]
    todo += _ended_badly(dossier)
    todo += [
        _item("left-out", row.action.id, f"Left out in the gate, so still there: {row.action.title}.")
        for row in dossier.actions
        if row.state == ActionState.LEFT_OUT
    ]
    for gate in dossier.gates:
        if gate.state == "rejected":
            because = next((a.reason for a in gate.approvals if a.decision == "reject"), "").rstrip(". ")
            said = f"Gate {gate.id} was rejected{f': {plain(because, 240)}' if because else ''}. Nothing of that stage was done."
            todo.append(_item("rejected", gate.id, said))
    todo += [
        _item("problem", f"{plan.stage} {problem}", f"{plan.stage}: {plain(problem, 240)}")
        for plan in dossier.plans
        for problem in plan.problems
    ]
    todo += _stays(dossier)
    found = dossier.attribution
    unsure = [j for j in found.resources if j.cls is Class.UNKNOWN] if found else []
    if unsure:
        names = ", ".join(plain(j.id.rsplit("/", 1)[-1], 40) for j in unsure[:10])
        said = (
            f"Decide on {len(unsure)} resources nobody could be named for: {names}{' …' if len(unsure) > 10 else ''}."
        )
        todo.append(_item("unknown-resources", "", said, answers=_DECIDED))
    if dossier.not_looked_at:
        said = f"Look at what was not looked at: {len(dossier.not_looked_at)} things, listed below with the reasons."
        todo.append(_item("not-looked-at", "", said))
    return todo


def _why_left(dossier: Dossier, running: str) -> str:
    """Why nobody was asked to stop it: the newest plan's reason. "" when it was tried; then that is an item of its own."""
    key = running.lower()
    if any(row.action.target.lower() == key for row in dossier.actions):
        return ""
    left = (n for plan in reversed(dossier.plans) for n in plan.no_ops if n.target.lower() == key)
    reason = next((n.reason for n in left if n.step.startswith(("contain.deallocate_", "contain.stop_"))), "")
    return f". It was left alone: {plain(reason, 400)} Stop it by hand." if reason else ""


def _identities(dossier: Dossier) -> list[Item]:
    found = dossier.attribution
    if found is None or found.verdict != "fraud":
        return []
    accused = [j for j in found.actors if j.cls is Class.ATTACKER]
    shut = _shut_out(dossier)
    closed = sorted({j.id for j in accused if j.principal_id.lower() in shut and j.established})
    attackers = sorted({j.id for j in accused if j.principal_id.lower() not in shut})
    people = [
        _item(
            "identity",
            who,
            f"Revoke the sessions and reset the credentials of {plain(who)}: a stolen token works until it is revoked.",
        )
        for who in attackers
        if "@" in who
    ]
    apps = [
        _item("identity", who, f"Rotate the secrets of, or disable, the service principal {plain(who)}.")
        for who in attackers
        if "@" not in who
    ]
    people += [
        _item(
            "open-again",
            who,
            f"Prove who the owner of {plain(who)} is, give them a way in that is new (a pass, or a new secret), then undo the block: it is closed.",
        )
        for who in closed
    ]
    blocks = [row for row in dossier.actions if row.action.kind == "policy.deny_creation" and not row.taken_back]
    if any(row.is_good for row in blocks):
        said = "Lift the policy that blocks new compute when the identities are clean."
        return [*people, *apps, _item("lift-block", "", said)]
    return people + apps


def _shut_out(dossier: Dossier) -> set[str]:
    """Object ids of accounts and applications that this incident closed and nobody opened again."""
    good = [row for row in dossier.actions if row.is_good and not row.taken_back]
    return {
        row.action.target.rsplit("/", 1)[-1].lower()
        for row in good
        if row.action.kind in ("user.disable", "application.disable")
    }


def _ended_badly(dossier: Dossier) -> list[Item]:
    """What did not end as planned; the same thing many times is one line."""
    bad = [
        row for row in dossier.actions if row.state in (ActionState.FAILED, ActionState.UNKNOWN, ActionState.REFUSED)
    ]
    asked_for = any(row.is_good and row.action.kind == "quota.ticket" for row in dossier.actions)
    items = []
    for kind in dict.fromkeys(row.action.kind for row in bad):
        rows = [row for row in bad if row.action.kind == kind]
        if kind == "quota.reduce" and asked_for:
            said = f"Follow the support ticket that asks for {len(rows)} quota reductions which the quota API refused."
            items.append(_item("quota-ticket", "", said))
        elif len(rows) > _MANY:
            said = f"{len(rows)} times '{kind_in_words(kind)}' did not end well, first {rows[0].action.title}: {plain(rows[0].reason, 240)} Look at them by hand."
            items.append(_item("ended-badly", kind, said))
        else:
            items += [
                _item(
                    "ended-badly",
                    row.action.id,
                    f"{row.action.title}: {row.state}{f' ({plain(row.reason, 240)})' if row.reason else ''}. Look at it by hand.",
                )
                for row in rows
            ]
    return items


def _stays(dossier: Dossier) -> list[Item]:
    """The attacker's resources that the last deleting plan left alone, with its reason."""
    last = next((plan for plan in reversed(dossier.plans) if plan.is_irreversible or plan.stage == "eradicate"), None)
    if last is None or dossier.attribution is None:
        return []
    rogue = {j.id.lower() for j in dossier.attribution.resources if j.cls is Class.ATTACKER}
    gone = {row.action.target.lower() for row in dossier.actions if row.is_good and row.action.kind.endswith(".delete")}
    kept = [n for n in last.no_ops if n.target.lower() in rogue - gone]
    return [
        _item(
            "stays",
            n.target,
            f"The attacker's {plain(n.target.rsplit('/', 1)[-1], 60)} is still there: {plain(n.reason, 240)}",
        )
        for n in kept
    ]


def still_billed(dossier: Dossier) -> list[str]:
    """What goes on costing although compute has stopped: disks, addresses, and machines that are only stopped."""
    lines: list[str] = []
    deleted = {
        row.action.target.lower() for row in dossier.actions if row.is_good and row.action.kind.endswith(".delete")
    }
    stopped = [
        row
        for row in dossier.actions
        if row.is_good
        and row.action.kind == "machine.deallocate"
        and row.action.target.lower() not in deleted
        and not row.taken_back
    ]
    if stopped:
        lines.append(f"The disks and addresses of {len(stopped)} deallocated machines, until they are deleted.")
    snapshots = [row for row in dossier.actions if row.is_good and row.action.kind == "disk.snapshot"]
    if snapshots:
        lines.append(f"{len(snapshots)} snapshots kept as evidence.")
    seen = dossier.inventory_after or dossier.inventory
    off = [m.name for m in seen.machines if m.power == "stopped"] if seen else []
    if off:
        lines.append(
            f"{len(off)} machines that are stopped but not deallocated: {', '.join(plain(n, 40) for n in off[:10])}."
        )
    return lines
