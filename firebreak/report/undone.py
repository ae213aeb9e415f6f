"""The undos of an incident in the report and in the JSON of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.plan import GIVES_BACK_TO, UNDOES, NoOp, Plan
from firebreak.report.dossier import Dossier, UndoRow
from firebreak.report.hostile import markdown
from firebreak.report.kinds import kind_in_words

_NAMED = 6


def plan_json(plan: Plan) -> dict[str, Any]:
    """A planned undo that nobody was asked about."""
    return {
        "digest": plan.digest,
        "actions": [
            {
                "id": a.id,
                "kind": a.kind,
                "target": a.target,
                "effect": str(a.effect),
                "why": list(a.reasons),
                "undoes": list(a.params.get(UNDOES, ())),
                "gives_back_to": a.params.get(GIVES_BACK_TO, ""),
            }
            for a in plan.actions
        ],
        "not_undone": [{"target": n.target, "reason": n.reason} for n in plan.no_ops],
        "problems": list(plan.problems),
    }


def grouped(left: Sequence[NoOp]) -> list[tuple[str, str]]:
    """(reason, names) of what was not taken back, each reason once. Hostile text: escape it for the place it is shown in."""
    names: dict[str, list[str]] = {}
    for no_op in left:
        names.setdefault(no_op.reason, []).append(no_op.target.rsplit("/", 1)[-1])
    return [
        (reason, ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""))
        for reason, found in names.items()
    ]


def undone(dossier: Dossier) -> list[str]:
    """The section "Undone" of the report, [] when nobody asked to take anything back."""
    if not dossier.undos:
        return []
    lines = ["## Undone", ""]
    for undo in dossier.undos:
        lines += _one(undo)
    return lines


def _one(undo: UndoRow) -> list[str]:
    note = f": {markdown(undo.note, 240)}" if undo.note else ""
    lines = [
        f"**Undo {undo.number}**, asked for by {markdown(undo.requested_by)} at {undo.asked_at:%Y-%m-%d %H:%M} UTC: **{undo.state}**{note}",
        "",
    ]
    if undo.actions:
        lines += ["| action | target | gave back to | ended | read back |", "|---|---|---|---|---|"]
    for row in undo.actions:
        target = markdown(row.action.target.rsplit("/", 1)[-1], 80)
        because = f": {markdown(row.reason, 200)}" if row.reason else ""
        to = row.action.params.get(GIVES_BACK_TO) or "nobody, an undo was undone"
        lines.append(
            f"| {kind_in_words(row.action.kind)} | {target} | {markdown(str(to))} | {row.state}{because} | {markdown(row.state_read_back)} |"
        )
    if undo.actions:
        lines.append("")
    if undo.left:
        lines += ["Not taken back:", ""]
        lines += [f"- {markdown(reason, 300)} **{markdown(names, 300)}**" for reason, names in grouped(undo.left)]
        lines.append("")
    return lines
