"""What the command line says when the cloud refuses: a wrong secret, an unknown subscription; and when a gate refuses an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flows.stack import Azure, simulator
from tests.support.console import calling

pytestmark = pytest.mark.timeout(300)
Firebreak = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with simulator(tmp_path_factory.mktemp("azure"), scenario="service-principal-abuse", seed=7) as azure:
        yield azure


@pytest.fixture
def firebreak(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Firebreak:
    """The console script's entry point in a fresh home that is pointed at the simulator."""
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))
    for name, value in azure.environment.items():
        monkeypatch.setenv(name, value)

    call = calling(monkeypatch, capsys)

    def run(*words: str | Path) -> tuple[int, str, str]:
        code, out, err = call(*words)
        assert "Traceback" not in err
        return code, out, err

    return run


def test_a_wrong_client_secret(firebreak: Firebreak, azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_CREDENTIAL__CLIENT_SECRET", "not-the-secret-word")
    code, out, err = firebreak("respond", "--local", "--alert", azure.line["alert_file"], "--json")
    assert code == 1
    error = json.loads(out)["error"]
    assert error["code"] == "bad_credentials"
    assert "AADSTS7000215" in error["message"]
    assert error["hint"]
    assert "not-the-secret-word" not in out + err
    assert azure.writes() == []


def test_a_subscription_that_is_not_there(firebreak: Firebreak, azure: Azure, tmp_path: Path) -> None:
    other = "44444444-4444-4444-8444-444444444444"
    file = tmp_path / "alert.json"
    document = {**json.loads(azure.alert), "subscriptionId": other, "id": "other"}
    file.write_text(json.dumps(document).replace(azure.line["subscription_id"], other))
    code, out, _ = firebreak("respond", "--local", "--alert", file, "--json")
    assert code == 1
    error = json.loads(out)["error"]
    assert other in error["message"]
    assert error["hint"]
    incident = json.loads(firebreak("incidents", "list", "--json")[1])[0]
    assert incident["state"] == "failed"
    assert azure.writes() == []


def test_answers_that_a_gate_refuses_end_with_three_and_change_nothing(firebreak: Firebreak, azure: Azure) -> None:
    code, out, err = firebreak("respond", "--local", "--alert", azure.line["alert_file"], "--json")
    assert code == 2, err
    run = json.loads(out)
    assert run["state"] == "waiting"
    gate = run["gates"][0]["id"]
    name = azure.line["approvers"][0]["name"]
    wrong = [
        (("approve", gate, "--approver", name, "--code", "12345"), "code"),
        (("approve", gate, "--approver", "nobody@contoso.example", "--code", "123456"), ""),
        (("skip", gate, "--approver", name, "--code", "abcdef"), ""),
    ]
    for number, (words, said) in enumerate(wrong, start=2):
        code, out, _ = firebreak("gates", *words, "--json")
        assert code == 3, out
        error = json.loads(out)["error"]
        assert said in error["message"].lower()
        assert error["hint"]
        view = json.loads(firebreak("gates", "show", gate, "--json")[1])
        assert (view["state"], view["question"], view["approvers"]) == ("open", number, [])
    code, _, err = firebreak("respond", "--local", "--incident", run["incident"])
    assert code == 2
    assert gate in err
    assert azure.writes() == []
