"""`firebreak intake send`: a signed webhook for a drill, to an intake of one's own and to no other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from firebreak.engine import EngineRoom
from flows import deliveries as module
from flows.intake import application
from tests.cli.conftest import Firebreak
from tests.support.intake import Installation, installation
from tests.support.served import served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        room.store.values.set(incident, "flow_run", f"run-of-{incident}")
        return f"run-of-{incident}"

    with pytest.MonkeyPatch.context() as patch, installation(tmp_path_factory.mktemp("send")) as found:
        patch.setattr(module, "start_run", start_run)
        with served(application(found.settings)) as found.address:
            yield found


@pytest.fixture(autouse=True)
def environment(place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)


def test_beside_the_embedded_azure_it_arrives_as_microsofts(place: Installation, firebreak: Firebreak) -> None:
    code, out, _ = firebreak("intake", "send", "--to", place.address, "--json")
    answer = json.loads(out)
    assert (code, answer["status"], answer["state"]) == (0, 202, "done")
    assert answer["to"] == f"{place.address}/hooks/partner-center"
    assert answer["incident"] in place.incidents()
    assert place.delivery(answer["delivery"]).channel == "partner-center"


def test_another_event_opens_nothing_and_says_why(place: Installation, firebreak: Firebreak) -> None:
    before = place.incidents()
    code, out, _ = firebreak("intake", "send", "--event", "test-created", "--to", place.address, "--json")
    assert (code, json.loads(out)["state"]) == (0, "kept")
    assert "registration works" in json.loads(out)["reason"]
    assert place.incidents() == before


def test_elsewhere_it_is_signed_with_the_own_key(
    place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIREBREAK_CLOUD__PARTNER_CERTIFICATES")
    code, out, _ = firebreak("intake", "send", "--to", place.address, "--json")
    assert code == 1
    assert "--subscription" in json.loads(out)["error"]["hint"]
    code, out, _ = firebreak(
        "intake", "send", "--to", place.address, "--subscription", place.subscription.upper(), "--json"
    )
    assert (code, json.loads(out)["to"]) == (0, f"{place.address}/alerts")
    assert json.loads(out)["incident"] in place.incidents()


@pytest.mark.parametrize(
    "address",
    [
        "https://attacker.example/hooks/partner-center",
        "http://127.0.0.1.attacker.example",
        "http://127.0.0.1@attacker.example",
        "http://10.0.0.1:4280",
        "http://[fd00::1]:4280",
        "ftp://127.0.0.1",
        "https://ir.example.com:8443",
        "http://ir.example.com",
        "nothing",
    ],
)
def test_it_sends_to_no_other(
    place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FIREBREAK_INTAKE__PUBLIC_URL", "https://ir.example.com")
    before = len(place.world.requests)
    code, out, _ = firebreak("intake", "send", "--to", address, "--json")
    assert (code, json.loads(out)["error"]["code"]) == (3, "out_of_scope")
    assert len(place.world.requests) == before


def test_without_an_intake_it_says_how_to_start_one(firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, out, _ = firebreak("intake", "send", "--json")
    assert code == 1
    assert "firebreak up" in json.loads(out)["error"]["hint"]
