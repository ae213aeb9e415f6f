"""What an engine shows: gate page, plan page, case page, tables, and the report's files. The words are in `firebreak.report`."""

from __future__ import annotations

import msgspec

from firebreak.approval import GateView
from firebreak.clients.policies.redaction import without_secrets
from firebreak.engine.engine import Engine
from firebreak.engine.gather import gather
from firebreak.engine.permissions import not_allowed
from firebreak.engine.posture import keep, posture_of, tells_checks
from firebreak.errors import IntegrityError
from firebreak.model.facts import Attribution, BurnRate, SubscriptionFacts
from firebreak.model.plan import UNDO, Plan
from firebreak.model.todo import Item
from firebreak.report import case_page as case_pages
from firebreak.report import gate_page as gate_pages
from firebreak.report.csv_tables import csv_files
from firebreak.report.dossier import EvidenceRow, run_json
from firebreak.report.hostile import printable_json
from firebreak.report.html import report_html
from firebreak.report.markdown import report_markdown
from firebreak.report.posture import posture_html, posture_json, posture_markdown
from firebreak.report.tables import Rows
from firebreak.report.tables import evidence_tables as tables_of


def gate_page(engine: Engine, view: GateView) -> str:
    """What the approvers of a gate read."""
    plan = engine.room.store.plans.load(view.plan_digest)
    number = int(engine.value(f"facts-of-{plan.stage}-{plan.round}") or 1)
    case = engine.case(number)
    return not_allowed(plan, engine.room.steps, case) + gate_pages.gate_page(
        plan,
        engine.incident,
        engine.gate(view.gate, plan.round),
        approvals=[a.approver for a in view.approvals],
        required=view.required,
        problem=view.last_problem,
        escalated=view.escalated,
        unknown_requester=view.unknown_requester,
        pre_authorised=next((a.approver for a in view.approvals if a.pre_authorised), ""),
        attribution=case.get(Attribution),
        burn=_burn(engine, number),
        subscription=case.get(SubscriptionFacts),
        checks=_checks(engine, plan, number),
        joined=_joined(engine),
    )


def _joined(engine: Engine) -> list[str]:
    """Alerts that came after the incident was opened, the newest first."""
    records = engine.room.audit.records(engine.incident.id)
    late = [record for record in records if record.kind == "alert.joined"]
    return [f"{one.data['title']} ({one.data['type']}), {one.at[11:16]}Z" for one in reversed(late)]


def plan_page(engine: Engine, plan: Plan, number: int) -> str:
    """A plan as an artifact: the gate's page before anybody answered. `number` is the round its facts are of."""
    case = engine.case(number)
    subscription = case.get(SubscriptionFacts)
    gate = engine.gate(UNDO if plan.stage == UNDO else engine.playbook.stage(plan.stage).gate, plan.round)
    page = gate_pages.gate_page(plan, engine.incident, gate, burn=_burn(engine, number), subscription=subscription)
    return not_allowed(plan, engine.room.steps, case) + page


def case_page(engine: Engine, number: int) -> str:
    """What is happening, as of round `number`; of a run that checks, what it found."""
    if tells_checks(engine):
        return posture_markdown(posture_of(engine, number))
    return case_pages.case_page(gather(engine, number))


def evidence_tables(engine: Engine, number: int) -> dict[str, tuple[str, Rows]]:
    """Key -> (title, rows) of the evidence as of round `number`; a check of the partner's tenant has it in its page."""
    if engine.incident.alert.is_about_partner:
        return {}
    return tables_of(gather(engine, number))


def write_report(engine: Engine, number: int, state: str) -> str:
    """Write report.html, report.md, report.json and the CSV tables below the home folder, for a run that ends as `state`; return the Markdown."""
    folder = engine.room.settings.home / "reports" / engine.incident.id
    folder.mkdir(parents=True, exist_ok=True)
    files = {"html": folder / "report.html", "markdown": folder / "report.md", "json": folder / "report.json"}
    files["csv"] = folder / "actions.csv"
    engine.remember("last-round", number)
    engine.remember("report", {kind: str(path) for kind, path in files.items()})
    dossier = msgspec.structs.replace(
        gather(engine, number), state=state, note=engine.closing_note(state, number), evidence=_evidence(engine)
    )
    if tells_checks(engine):
        posture = posture_of(engine, number, dossier)
        keep(engine, posture)
        page, html, document = posture_markdown(posture), posture_html(posture), posture_json(posture)
    else:
        page, html, document = report_markdown(dossier), report_html(dossier), run_json(dossier)
    page = without_secrets(page)
    files["html"].write_text(without_secrets(html), encoding="utf-8")
    files["markdown"].write_text(page, encoding="utf-8")
    told = printable_json(msgspec.json.format(msgspec.json.encode(document), indent=2))
    files["json"].write_text(without_secrets(told), encoding="utf-8")
    for name, table in csv_files(dossier).items():
        (folder / name).write_bytes(without_secrets(table.decode()).encode())
    engine.room.audit.append(engine.incident.id, "report.written", who="engine", data={"round": number})
    return page


def _checks(engine: Engine, plan: Plan, number: int) -> list[Item]:
    """What people are asked to do before a plan with such steps."""
    if plan.stage == UNDO:
        return []
    phases = {action.step.split(".")[0] for action in plan.actions}
    return [item for item in gather(engine, number).todo if phases & set(item.before)]


def _evidence(engine: Engine) -> tuple[EvidenceRow, ...]:
    """The raw answers of this incident; none when their list is damaged: `incidents verify` says so, and the report is written all the same."""
    try:
        entries = engine.room.evidence.manifest(engine.incident.id)
    except IntegrityError:
        return ()
    return tuple(
        EvidenceRow(step=e.step, at=e.at, method=e.method, url=e.url, status=e.status, digest=e.digest) for e in entries
    )


def _burn(engine: Engine, number: int) -> BurnRate | None:
    """The burn rate of a round. What was lost does not shrink because what cost it was stopped or deleted since."""
    burn = engine.case(number).get(BurnRate)
    rounds = [n for n in engine.rounds() if n < number]
    earlier = [b.lost for n in rounds if (b := engine.case(n).get(BurnRate)) is not None]
    return msgspec.structs.replace(burn, lost=max([burn.lost, *earlier])) if burn is not None else None
