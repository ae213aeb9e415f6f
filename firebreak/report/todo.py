"""What is left for people after a run: derived from the dossier, so that nothing half-done is left unsaid."""

from __future__ import annotations

from firebreak.model.facts import Class
from firebreak.model.outcome import ActionState
from firebreak.report.dossier import Dossier
from firebreak.report.gate_page import kind_in_words
from firebreak.report.hostile import plain

_MANY = 3


def left_to_do(dossier: Dossier) -> list[str]:
    """Sentences a person can act on, most urgent first. Plain text: escape for the place they are shown in."""
    todo = [f"STILL RUNNING and billed: {plain(i, 200)}" for i in dossier.still_running]
    todo += _identities(dossier)
    todo += _ended_badly(dossier)
    todo += [
        f"Left out in the gate, so still there: {row.action.title}."
        for row in dossier.actions
        if row.state == ActionState.LEFT_OUT
    ]
    for gate in dossier.gates:
        if gate.state == "rejected":
            because = next((a.reason for a in gate.approvals if a.decision == "reject"), "").rstrip(". ")
            todo.append(
                f"Gate {gate.id} was rejected{f': {plain(because, 240)}' if because else ''}. Nothing of that stage was done."
            )
    todo += [f"{plan.stage}: {plain(problem, 240)}" for plan in dossier.plans for problem in plan.problems]
    todo += _stays(dossier)
    found = dossier.attribution
    unsure = [j for j in found.resources if j.cls is Class.UNKNOWN] if found else []
    if unsure:
        names = ", ".join(plain(j.id.rsplit("/", 1)[-1], 40) for j in unsure[:10])
        todo.append(
            f"Decide on {len(unsure)} resources nobody could be named for: {names}{' …' if len(unsure) > 10 else ''}."
        )
    if dossier.not_looked_at:
        todo.append(
            f"Look at what was not looked at: {len(dossier.not_looked_at)} things, listed below with the reasons."
        )
    return list(dict.fromkeys(todo))


def _identities(dossier: Dossier) -> list[str]:
    found = dossier.attribution
    if found is None or found.verdict != "fraud":
        return []
    attackers = sorted({j.id for j in found.actors if j.cls is Class.ATTACKER})
    people = [
        f"Revoke the sessions and reset the credentials of {plain(who)}: a stolen token works until it is revoked."
        for who in attackers
        if "@" in who
    ]
    apps = [
        f"Rotate the secrets of, or disable, the service principal {plain(who)}." for who in attackers if "@" not in who
    ]
    blocks = [row for row in dossier.actions if row.action.kind == "policy.deny_creation" and not row.taken_back]
    blocked = any(row.is_good for row in blocks)
    return (
        people + apps + (["Lift the policy that blocks new compute when the identities are clean."] if blocked else [])
    )


def _ended_badly(dossier: Dossier) -> list[str]:
    """What did not end as planned; the same thing many times is one line."""
    bad = [
        row for row in dossier.actions if row.state in (ActionState.FAILED, ActionState.UNKNOWN, ActionState.REFUSED)
    ]
    asked_for = any(row.is_good and row.action.kind == "quota.ticket" for row in dossier.actions)
    lines = []
    for kind in dict.fromkeys(row.action.kind for row in bad):
        rows = [row for row in bad if row.action.kind == kind]
        if kind == "quota.reduce" and asked_for:
            lines.append(
                f"Follow the support ticket that asks for {len(rows)} quota reductions which the quota API refused."
            )
        elif len(rows) > _MANY:
            lines.append(
                f"{len(rows)} times '{kind_in_words(kind)}' did not end well, first {rows[0].action.title}: {plain(rows[0].reason, 240)} Look at them by hand."
            )
        else:
            lines += [
                f"{row.action.title}: {row.state}{f' ({plain(row.reason, 240)})' if row.reason else ''}. Look at it by hand."
                for row in rows
            ]
    return lines


def _stays(dossier: Dossier) -> list[str]:
    """The attacker's resources that the last deleting plan left alone, with its reason."""
    last = next((plan for plan in reversed(dossier.plans) if plan.is_irreversible or plan.stage == "eradicate"), None)
    if last is None or dossier.attribution is None:
        return []
    rogue = {j.id.lower() for j in dossier.attribution.resources if j.cls is Class.ATTACKER}
    gone = {row.action.target.lower() for row in dossier.actions if row.is_good and row.action.kind.endswith(".delete")}
    kept = [n for n in last.no_ops if n.target.lower() in rogue - gone]
    return [
        f"The attacker's {plain(n.target.rsplit('/', 1)[-1], 60)} is still there: {plain(n.reason, 240)}" for n in kept
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
