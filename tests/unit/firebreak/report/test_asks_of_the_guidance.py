"""Every row of the guidance that is left to people: shown where it fits and nowhere else, confirmed with a code, lost when the row asks no more."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyotp
import pytest

from firebreak.approval import Approvers, ConfirmationDesk, confirmations_of
from firebreak.audit import AuditLog
from firebreak.model.alert import PARTNER_TENANT, WATCH
from firebreak.model.check import Check, CheckStatus
from firebreak.model.facts import Attribution, QuotaFacts, QuotaUsage
from firebreak.model.finding import Finding, Severity
from firebreak.model.todo import Instruction, Item
from firebreak.report.dossier import Dossier
from firebreak.report.prepared import OCCASIONS
from firebreak.report.todo import all_items
from firebreak.store import Store
from tasks.guidance import guidance_rows, instructions
from tests.unit.firebreak.execution.builders import KEY, FakeClock, make_incident
from tests.unit.firebreak.report.test_todo import dossier
from tests.unit.firebreak.store.databases import store_url

__all__ = ["store_url"]

ASKS = instructions()


def _failing(name: str, row: str = "S64") -> Check:
    return Check(
        id=name, row=row, step="investigate.x", title="It is so", status=CheckStatus.FAILED, reason="It is not."
    )


def _partner(*checks: str) -> Dossier:
    return dossier(incident=make_incident(type=PARTNER_TENANT), checks=tuple(_failing(name) for name in checks))


_AT_RISK = Finding(
    id="identity-at-risk:1",
    step="investigate.identity_risk",
    title="A person at risk",
    severity=Severity.HIGH,
    reasons=("x",),
)
_UNUSED = QuotaFacts(
    usages=(QuotaUsage(region="eastus", name="standardNCSv3Family", title="NCSv3", used=0, limit=100),)
)
HARDENING = dossier(checks=(_failing("budget", "S78"),))
# A run to which each occasion belongs.
ON = {
    "always": dossier(),
    "ended": dossier(state="done"),
    "customer": dossier(),
    "at_risk": dossier(findings=(_AT_RISK,)),
    "fraud": dossier(attribution=Attribution(verdict="fraud")),
    "not_by_webhook": dossier(),
    "not_listed": dossier(),
    "partner": _partner(),
    "federated": _partner("federated-domains"),
    "unproven": _partner("federated-proof"),
    "programs": _partner("sign-ins-programs"),
    "unrestricted": _partner("no-unrestricted-access"),
    "hardening": HARDENING,
    "quota": dossier(quota=_UNUSED),
}


def _shown(run: Dossier, asks: tuple[Instruction, ...]) -> dict[str, Item]:
    return {item.id: item for item in all_items(msgspec.structs.replace(run, instructions=asks)) if item.row}


@pytest.fixture
def desk(store_url: str) -> Iterator[tuple[ConfirmationDesk, AuditLog, str]]:
    clock = FakeClock()
    with Store.open(store_url, clock=clock) as store:
        audit, people = AuditLog(store, clock), Approvers(store, KEY, None)
        seed = people.enrol("Ann", ["responder"])
        yield ConfirmationDesk(store, people, audit, clock), audit, pyotp.TOTP(seed).at(clock.at)


def test_every_row_is_done_by_the_engine_or_asked_of_people() -> None:
    assert set(ON) == set(OCCASIONS)
    told_by_a_check = {"S99", "S103", "S106", "S116", "S117"}
    left = {row.id for row in guidance_rows() if row.mode not in ("auto", "gate")}
    assert left == {ask.row for ask in ASKS if ask.row in left} | told_by_a_check


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.row)
def test_what_is_asked_is_shown_confirmed_and_lost_without_its_row(
    ask: Instruction, desk: tuple[ConfirmationDesk, AuditLog, str]
) -> None:
    confirm, audit, code = desk
    run = ON[ask.when]
    item = _shown(run, ASKS)[ask.row]
    assert item.how == ask.how
    assert not item.is_settled
    confirm.confirm(run.incident, item, who="ann", code=code, answer=ask.answers[-1], note="", channel="cli")
    said = confirmations_of(audit, run.incident.id)
    assert [(one.item, one.answer, one.by) for one in said] == [(ask.row, ask.answers[-1], "Ann")]
    settled = {
        one.id: one for one in all_items(msgspec.structs.replace(run, instructions=ASKS, confirmations=tuple(said)))
    }
    assert settled[ask.row].is_settled
    assert ask.row not in _shown(run, tuple(one for one in ASKS if one.row != ask.row))


def test_a_check_of_a_subscription_asks_for_no_judgement_of_an_alert() -> None:
    hardening, response = _shown(HARDENING, ASKS), _shown(dossier(), ASKS)
    about_an_alert = {"S03", "S06", "S07", "S12", "S13", "S15", "S26", "S27", "S28", "S31"}
    assert about_an_alert <= set(response)
    assert not about_an_alert & set(hardening)
    assert {"S38", "S40", "S69", "S74", "S75", "S81", "S84", "S85"} <= set(hardening)


def test_a_response_asks_for_no_hardening_yet() -> None:
    assert not {"S38", "S69", "S74", "S75", "S84", "S85"} & set(_shown(dossier(), ASKS))


def test_after_an_alert_of_the_watch_nobody_looks_for_it_at_microsoft() -> None:
    own = dossier(incident=make_incident(source=WATCH))
    assert OCCASIONS["always"][1](own)
    assert not OCCASIONS["not_listed"][1](own)
    assert not OCCASIONS["not_by_webhook"][1](own)
