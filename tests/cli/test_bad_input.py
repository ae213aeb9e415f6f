"""Bad input through the real command line: one clear message with a hint, the right exit code, no traceback, nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import calling

UNREACHABLE = {
    "FIREBREAK_CLOUD__RESOURCE_MANAGER": "https://127.0.0.1:9",
    "FIREBREAK_CLOUD__LOGIN": "https://127.0.0.1:9",
    "FIREBREAK_CREDENTIAL__KIND": "client_secret",
    "FIREBREAK_CREDENTIAL__TENANT_ID": "11111111-1111-4111-8111-111111111111",
    "FIREBREAK_CREDENTIAL__CLIENT_ID": "22222222-2222-4222-8222-222222222222",
    "FIREBREAK_CREDENTIAL__CLIENT_SECRET": "not-a-real-secret",
    "FIREBREAK_OPERATIONS__ATTEMPTS": "1",
}
GATE = "INC-00000000.contain.1"
ANSWER = ("--approver", "ada", "--code", "123456")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, str]:
        """The error object: the only thing on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        assert list(found) == ["error"]
        assert set(found["error"]) == {"code", "message", "hint"}
        return dict(found["error"])


Firebreak = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def firebreak(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """The console script's entry point, with these words."""

    call = calling(monkeypatch, capsys)
    return lambda *words: Said(*call(*words))


def alert(folder: Path, **fields: object) -> Path:
    """A small alert in our own form."""
    document = {
        "id": "a-1",
        "type": "CryptoMining",
        "title": "Mining",
        "subscriptionId": "33333333-3333-4333-8333-333333333333",
        "customerTenantId": "11111111-1111-4111-8111-111111111111",
        **fields,
    }
    file = folder / "alert.json"
    file.write_text(json.dumps(document))
    return file


def refused(firebreak: Firebreak, *words: str | Path, code: int = 1) -> dict[str, str]:
    """Run it for machines and for people; both say the same. Returns the error object."""
    machine = firebreak(*words, "--json")
    person = firebreak(*words)
    assert (machine.code, person.code) == (code, code), (machine, person)
    error = machine.error
    assert error["message"]
    assert error["hint"]
    assert "Traceback" not in machine.err + person.err
    assert person.out == ""
    shown = " ".join(person.err.split())
    assert " ".join(error["message"].split())[:60] in shown
    assert " ".join(error["hint"].split())[:40] in shown
    return error


def no_incident(firebreak: Firebreak) -> bool:
    return bool(json.loads(firebreak("incidents", "list", "--json").out) == [])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not JSON"),
        (b'{"id":', "not JSON"),
        (b"\xff\xfe\x00", ""),
        (b"[]", ""),
        (b"{}", "subscriptionId"),
        (b'{"id": "a", "type": "CryptoMining", "subscriptionId": "../../x"}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_malformed_alert(firebreak: Firebreak, tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "alert.json"
    file.write_bytes(content)
    error = refused(firebreak, "respond", "--dry-run", "--alert", file)
    assert error["code"] == "bad_alert"
    assert str(file) in error["message"]
    assert word in error["message"]
    assert no_incident(firebreak)


def test_a_file_that_is_not_there(firebreak: Firebreak, tmp_path: Path) -> None:
    assert "none.json" in refused(firebreak, "respond", "--alert", tmp_path / "none.json")["message"]
    assert "none.json" in refused(firebreak, "intake", "sign", tmp_path / "none.json")["message"]
    assert "none.yaml" in refused(firebreak, "playbooks", "validate", tmp_path / "none.yaml")["message"]
    assert no_incident(firebreak)


def test_a_playbook_that_is_not_there(firebreak: Firebreak, tmp_path: Path) -> None:
    error = refused(firebreak, "respond", "--alert", alert(tmp_path), "--playbook", "compromized")
    assert "compromized" in error["message"]
    assert "compromised-subscription" in error["hint"]
    assert refused(firebreak, "playbooks", "show", "nope")["code"] == "bad_content"
    assert no_incident(firebreak)


@pytest.mark.parametrize(
    "words",
    [
        ("incidents", "show", "INC-00000000"),
        ("incidents", "report", "INC-00000000"),
        ("incidents", "verify", "INC-00000000"),
        ("respond", "--incident", "INC-00000000"),
        ("gates", "show", GATE),
        ("gates", "approve", GATE, *ANSWER),
        ("gates", "reject", GATE, *ANSWER, "--reason", "no"),
        ("approvers", "revoke", "INC-00000000"),
    ],
)
def test_what_does_not_exist_is_named(firebreak: Firebreak, words: tuple[str, ...]) -> None:
    error = refused(firebreak, *words)
    assert error["code"] == "bad_content"
    assert "INC-00000000" in error["message"]


@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_a_scenario_that_is_not_there(firebreak: Firebreak, command: str, home: Path) -> None:
    error = refused(firebreak, command, "--scenario", "false-alarms")
    assert "false-alarms" in error["message"]
    assert "false-alarm" in error["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("respond",),
        ("respond", "--nope"),
        ("gates", "approve"),
        ("gates", "approve", GATE),
        ("nope",),
        ("simulate", "--port", "x"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_an_error_and_not_a_waiting_gate(
    firebreak: Firebreak, words: tuple[str, ...]
) -> None:
    refused(firebreak, *words)


def test_a_playbook_with_a_typo_points_at_the_place(firebreak: Firebreak, tmp_path: Path) -> None:
    text = firebreak_playbook().replace("    gate: containment", "    gat: containment", 1)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    line = text.splitlines().index("    gat: containment") + 1
    machine = firebreak("playbooks", "validate", file, "--json")
    assert machine.code == 1
    problems = json.loads(machine.out)["problems"]
    assert (str(file), line, 5) in {(p["file"], p["line"], p["column"]) for p in problems}
    person = firebreak("playbooks", "validate", file)
    assert person.code == 1
    assert f"{file}:{line}:5: " in "".join(person.out.splitlines())


def test_a_broken_playbook_at_home_stops_a_response_with_its_place(
    firebreak: Firebreak, home: Path, tmp_path: Path
) -> None:
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / "mine.yaml").write_text("id: mine\nstagez: []\n")
    error = refused(firebreak, "respond", "--alert", alert(tmp_path))
    assert "mine.yaml:" in error["message"]


def firebreak_playbook() -> str:
    return (Path(__file__).parents[2] / "playbooks" / "compromised-subscription.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("FIREBREAK_CLOUD__RESOURCE_MANGER", "https://x", "RESOURCE_MANGER"),
        ("FIREBREAK_CREDENTIAL__KIND", "secret", "CREDENTIAL__KIND"),
        ("FIREBREAK_CREDENTIAL__KIND", "client_secret", "CREDENTIAL__TENANT_ID"),
        ("FIREBREAK_CLOUD__GRAPH", "http://graph.example", "GRAPH"),
        ("FIREBREAK_CLOUD__CA_BUNDLE", "/nowhere/ca.pem", "CA_BUNDLE"),
        ("FIREBREAK_DATABASE_URL", "mysql://u:hidden-word@h/x", "mysql"),
        ("FIREBREAK_DATABASE_URL", "postgresql://u:hidden-word@127.0.0.1:9/x", "incident store"),
        ("FIREBREAK_DATABASE_URL", "sqlite:////dev/null/x.db", "/dev/null"),
        ("FIREBREAK_HOME", "/dev/null/home", "/dev/null"),
        ("FIREBREAK_APPROVERS_FILE", "/nowhere/people.json", "people.json"),
        ("FIREBREAK_SECRET_KEY", "hidden-word", "FIREBREAK_SECRET_KEY"),
    ],
)
def test_a_setting_that_is_wrong(
    firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    monkeypatch.setenv(name, value)
    error = refused(firebreak, "incidents", "list")
    assert error["code"] == "bad_settings"
    assert named in error["message"]
    assert "hidden-word" not in json.dumps(error)


def test_a_database_that_is_none(firebreak: Firebreak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.db"
    file.write_text("this is a letter and no database at all, " * 100)
    monkeypatch.setenv("FIREBREAK_DATABASE_URL", f"sqlite:///{file}")
    assert refused(firebreak, "gates", "list")["code"] == "bad_settings"
    assert file.read_text().startswith("this is a letter")


def test_a_cloud_that_cannot_be_reached(firebreak: Firebreak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in UNREACHABLE.items():
        monkeypatch.setenv(name, value)
    said = firebreak("respond", "--local", "--alert", alert(tmp_path), "--json")
    assert said.code == 1
    assert "127.0.0.1:9" in said.error["message"]
    assert "not-a-real-secret" not in said.out + said.err
    assert "Traceback" not in said.err
    row = json.loads(firebreak("incidents", "list", "--json").out)[0]
    assert row["state"] == "failed"
    assert "127.0.0.1:9" in row["note"]
