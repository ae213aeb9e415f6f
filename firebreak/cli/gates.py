"""`firebreak gates`: see and answer gates without the UI, with the same checks."""

from __future__ import annotations

import asyncio

import typer
from rich.markdown import Markdown
from rich.table import Column, Table

from firebreak.approval import Answer, GateView
from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import engine_room
from firebreak.cli.services import find_services, use_services
from firebreak.engine import Engine, EngineRoom, pages
from firebreak.errors import ContentError
from firebreak.model.plan import UNDO

app = typer.Typer(help="See and answer approval gates without the UI; the same checks apply.", no_args_is_help=True)

Approver = typer.Option(..., "--approver", help="Your name, as enrolled.")
Code = typer.Option(..., "--code", help="The six digits your authenticator shows now.")


def _as_json(view: GateView) -> dict[str, object]:
    return {
        "id": view.id,
        "incident": view.incident,
        "stage": view.stage,
        "round": view.round,
        "state": view.state,
        "plan_digest": view.plan_digest,
        "required": view.required,
        "roles": list(view.roles),
        "approvers": [a.approver for a in view.approvals],
        "question": view.ask,
        "escalated": view.escalated,
        "escalates_at": view.escalates_at,
        "asked_again_because": view.last_problem,
        "expires_at": view.expires_at,
        "confirm": view.confirm,
        "optional": view.optional,
        "actions": list(view.choices),
    }


@app.command("list")
def list_gates(
    every: bool = typer.Option(False, "--all", help="Also those that are decided."),
    as_json: bool = Json,
) -> None:
    """List the gates that wait for an answer."""
    with engine_room() as room:
        views = room.desk.list(open_only=not every)
    if as_json:
        print_json([_as_json(v) for v in views])
        return
    if not views:
        stdout.print("No gate waits.")
        return
    table = Table(
        Column("gate", no_wrap=True), "state", "approved by", "needs", "expires (UTC)", "asked again because", box=None
    )
    for v in views:
        table.add_row(
            v.id,
            f"{v.state}, escalated" if v.escalated and v.state in ("open", "expired") else v.state,
            ", ".join(safe(a.approver) for a in v.approvals),
            str(v.required),
            f"{v.expires_at:%m-%d %H:%M}",
            safe(v.last_problem),
        )
    stdout.print(table)


@app.command("show")
def show(gate: str, as_json: bool = Json) -> None:
    """Show what a gate asks: the plan, the money, the reasons, what cannot be undone."""
    with engine_room() as room:
        view = room.desk.view(gate)
        plan = room.store.plans.load(view.plan_digest)
        page = pages.gate_page(Engine(room, view.incident, None, run_id=""), view)
    if as_json:
        actions = [
            {"id": a.id, "kind": a.kind, "target": a.target, "effect": str(a.effect), "reasons": list(a.reasons)}
            for a in plan.actions
        ]
        print_json({**_as_json(view), "plan": actions})
        return
    stdout.print(Markdown(page), soft_wrap=False)
    if view.confirm:
        stdout.print(
            f"To approve it, type the confirmation: --confirm {safe(repr(view.confirm) if ' ' in view.confirm else view.confirm)}"
        )


@app.command("approve")
def approve(
    gate: str,
    approver: str = Approver,
    code: str = Code,
    reason: str = typer.Option("", help="Why; kept in the record."),
    leave_out: list[str] = typer.Option(
        [], "--leave-out", help="Id of an action NOT to carry out; may be given again."
    ),
    confirm: str = typer.Option("", help="For what cannot be undone: the text the gate asks for."),
    as_json: bool = Json,
) -> None:
    """Approve the exact plan a gate shows."""
    _answer(gate, "approve", approver, code, reason, tuple(leave_out), confirm, as_json)


@app.command("reject")
def reject(
    gate: str,
    approver: str = Approver,
    code: str = Code,
    reason: str = typer.Option(..., help="Why; kept in the record."),
    as_json: bool = Json,
) -> None:
    """Reject the plan and stop the run; nothing of the stage is done."""
    _answer(gate, "reject", approver, code, reason, (), "", as_json)


@app.command("skip")
def skip(
    gate: str,
    approver: str = Approver,
    code: str = Code,
    reason: str = typer.Option("", help="Why; kept in the record."),
    as_json: bool = Json,
) -> None:
    """Go on without the stage of an optional gate."""
    _answer(gate, "skip", approver, code, reason, (), "", as_json)


def _answer(
    gate: str,
    decision: str,
    approver: str,
    code: str,
    reason: str,
    leave_out: tuple[str, ...],
    confirm: str,
    as_json: bool,
) -> None:
    with engine_room() as room:
        services = find_services(room.settings.home)
        if services:
            use_services(services)
        view = answer_gate(
            room,
            gate,
            decision,
            approver,
            code,
            reason=reason,
            leave_out=leave_out,
            confirm=confirm,
            channel="cli",
            wake_run=services is not None,
        )
    if as_json:
        print_json(_as_json(view))
        return
    stdout.print(f"{view.id}: {view.state}")
    if view.state == "open":
        say(f"{len(view.approvals)} of {view.required} approvals; another person has to answer.")
    elif services is None:
        then = "incidents undo" if view.stage == UNDO else "respond --incident"
        say(f"No Prefect server runs here. Go on with: firebreak {then} {view.incident}")


def answer_gate(
    room: EngineRoom,
    gate: str,
    decision: str,
    approver: str,
    code: str,
    *,
    reason: str = "",
    leave_out: tuple[str, ...] = (),
    confirm: str = "",
    channel: str,
    wake_run: bool,
) -> GateView:
    """Answer a gate's current question at the desk, then wake the run that waits for it.

    Raises:
        ApprovalError: the answer was refused; it is recorded, and the gate is asked again.
        ContentError: the gate is not open.
    """
    view = room.desk.view(gate)
    if view.state not in ("open", "expired"):
        raise ContentError(f"Gate {gate} is {view.state} already.", hint="See: firebreak gates list")
    answer = Answer(
        approver=approver,
        code=code,
        decision=decision,
        plan_digest=view.plan_digest,
        reason=reason,
        leave_out=leave_out,
        confirm=confirm,
        channel=channel,
    )
    try:
        return room.desk.answer(gate, answer, ask=view.ask)
    finally:
        if wake_run:
            from flows.start import wake

            asyncio.run(wake(room, view.incident))
