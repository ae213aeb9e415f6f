"""Reading steps as data: `tests/steps/investigate/<step>*.yaml`, facts or answers in, facts and findings out.

The changing steps have `test_changing_step_cases.py`.

A file holds a list of cases:

    - case: what the case shows
      step: investigate.spend
      now: 2026-11-20T03:00:00Z            # optional
      alert: {first_observed_at: ...}      # optional changes to the alert
      parameters: {burst: 5}               # optional, of this step
      guard_rails: {protected_tags: [x]}   # optional changes to the playbook's guard rails
      facts: {Inventory: {machines: [...]}}
      answers: {arm: {"/resources": [...]}, partner_center: {...}, blobs: {...}, prices: {...}, own: [...]}
      expect:
        facts: {...}          # the produced facts, as far as they are named here
        findings: [{...}]     # exactly these, in any order, each as far as named
        actions: [{...}]      # exactly these, in order, each as far as named
        no_ops: [{...}]
        raises: NotCollectedError

Mappings are compared key by key, lists element by element and in full, everything else for equality (text: also by /regular expression/).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

import firebreak.errors
import firebreak.model.facts as facts_types
import firebreak.model.identity as identity_types
import firebreak.model.platform as platform_types
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.facts import Facts
from firebreak.model.plan import NoOp
from firebreak.model.playbook import GuardRails
from tasks.registry import load_steps
from tests.steps.fakes import FakeEyes
from tests.steps.investigation import incident_for, playbook_with

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
TENANT = "22222222-2222-4222-8222-222222222222"
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
HERE = Path(__file__).parent


def _cases() -> list[Any]:
    found = []
    for file in sorted(HERE.glob("investigate/*.yaml")):
        rows = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        found += [pytest.param(row, id=f"{file.parent.name}/{file.stem}: {row['case']}") for row in rows]
    return found


@pytest.mark.parametrize("row", _cases())
async def test_step(row: Mapping[str, Any]) -> None:
    expect = row["expect"]
    if "raises" in expect:
        with pytest.raises(getattr(firebreak.errors, expect["raises"])):
            await _run(row)
        return
    made = await _run(row)
    unknown = set(expect) - {"facts", "findings", "actions", "no_ops", "raises"}
    assert not unknown, f"the case expects {unknown}, which this test does not know"
    if "facts" in expect:
        _agree(expect["facts"], made["facts"], "facts")
    if "findings" in expect:
        _agree_in_any_order(expect["findings"], made["findings"])
    for name in ("actions", "no_ops"):
        if name in expect:
            _agree(expect[name], made[name], name)


async def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    now = _moment(row.get("now")) or NOW
    step_id, loaded = row["step"], load_steps()[row["step"]]
    facts = {(made := _facts(name, body)).__class__: made for name, body in (row.get("facts") or {}).items()}
    case = _case(row, step_id, facts, now)
    result: dict[str, Any] = {"facts": None, "findings": [], "actions": [], "no_ops": []}
    if loaded.plan:
        planned = loaded.plan(case)
        for item in planned:
            kind = "no_ops" if isinstance(item, NoOp) else "actions"
            result[kind].append(_plain(item))
        return result
    if loaded.collect and "answers" in row:
        answers = {**row["answers"], "graph": _stamped(row["answers"].get("graph", {}))}
        eyes = FakeEyes(answers, now=now, subscription_id=SUBSCRIPTION)
        made = await loaded.collect(eyes, case)
    elif loaded.conclude:
        made = loaded.conclude(case)
    else:
        made = case[loaded.step.produces]  # type: ignore[type-var]
    # What a step hands on is stored as JSON and read back after a restart.
    made = msgspec.json.decode(msgspec.json.encode(made), type=type(made))
    result["facts"] = _plain(made)
    if loaded.assess:
        findings = loaded.assess(made, _case(row, step_id, {**facts, type(made): made}, now))
        result["findings"] = [_plain(finding) for finding in findings]
    return result


def _case(row: Mapping[str, Any], step_id: str, facts: Mapping[type[Any], Any], now: datetime) -> Case:
    alert = {
        "id": "alert-1",
        "source": "file",
        "type": "CryptoMining",
        "title": "Mining",
        "severity": "high",
        "subscription_id": SUBSCRIPTION,
        "customer_tenant_id": TENANT,
        "detected_at": "2026-11-20T02:30:00Z",
        "first_observed_at": "2026-11-20T01:00:00Z",
    } | _stamped(row.get("alert") or {})
    playbook = playbook_with({step_id: row.get("parameters") or {}})
    rails = msgspec.convert(
        msgspec.to_builtins(playbook.guard_rails) | _stamped(row.get("guard_rails") or {}), GuardRails, strict=False
    )
    playbook = msgspec.structs.replace(playbook, guard_rails=rails)
    incident = incident_for(msgspec.convert(alert, Alert, strict=False), now)
    return Case(incident=incident, playbook=playbook, now=now, facts=facts)


def _facts(name: str, body: Mapping[str, Any]) -> Any:
    modules = (facts_types, identity_types, platform_types)
    kind = next((found for module in modules if (found := getattr(module, name, None)) is not None), None)
    assert inspect.isclass(kind), f"{name} is no type of facts"
    assert issubclass(kind, Facts), f"{name} is no type of facts"
    return msgspec.convert(_stamped(body or {}), kind, strict=False)


def _stamped(value: Any) -> Any:
    """YAML's times as aware text, so that msgspec reads them like JSON."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, Mapping):
        return {key: _stamped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stamped(item) for item in value]
    return value


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(_stamped(value)) if isinstance(value, datetime) else None


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)


def _agree(expected: Any, found: Any, where: str) -> None:
    if isinstance(expected, Mapping):
        assert isinstance(found, Mapping), f"{where}: {found!r} is no mapping"
        for key, value in expected.items():
            assert key in found, f"{where}.{key} is not there"
            _agree(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list | tuple), f"{where}: {found!r} is no list"
        assert len(expected) == len(found), f"{where} has {len(found)} items, expected {len(expected)}: {found}"
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            _agree(one, other, f"{where}[{number}]")
    else:
        assert _same(expected, found), f"{where} is {found!r}, expected {expected!r}"


def _same(expected: Any, found: Any) -> bool:
    if (
        isinstance(expected, str)
        and len(expected) > 2
        and expected[0] == expected[-1] == "/"
        and " " not in expected[:2]
    ):
        return isinstance(found, str) and re.search(expected[1:-1], found) is not None
    if isinstance(expected, datetime):
        return isinstance(found, str) and datetime.fromisoformat(found) == _moment(expected)
    if isinstance(expected, int | float) and not isinstance(expected, bool) and isinstance(found, str):
        return Decimal(found) == Decimal(str(expected))
    return bool(expected == found) or str(expected) == found


def _agree_in_any_order(expected: list[Any], found: list[Any]) -> None:
    left = list(found)
    for one in expected:
        for other in left:
            try:
                _agree(one, other, "finding")
            except AssertionError:
                continue
            left.remove(other)
            break
        else:
            raise AssertionError(f"no finding like {one}; there are {found}")
    assert not left, f"findings that nobody expected: {left}"
