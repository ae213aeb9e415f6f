"""`firebreak inspect email`: genuine needs the sender, the own server's DMARC result and the same alert in Graph; nothing less does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_simulator.faults import Fault
from tests.cli.conftest import Firebreak
from tests.support.intake import Installation, installation

PASS = "mx.contoso.example; dmarc=pass header.from=microsoft.com"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("mail")) as found:
        yield found


@pytest.fixture(autouse=True)
def environment(place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FIREBREAK_INTAKE__MAIL_RECEIVERS", '["mx.contoso.example"]')


def written(folder: Path, subscription: str, *, results: str = PASS, sender: str = "no-reply@microsoft.com") -> str:
    file = folder / "notice.eml"
    headers = f"Authentication-Results: {results}\nFrom: Microsoft Azure <{sender}>\nSubject: Alert\n"
    file.write_text(f"{headers}\nSubscription {subscription} at http://127.0.0.1:9/follow-me \x1b[2J\n")
    return str(file)


def test_a_proven_mail_with_its_alert_in_graph_is_genuine(
    place: Installation, firebreak: Firebreak, tmp_path: Path
) -> None:
    code, out, _ = firebreak("inspect", "email", written(tmp_path, place.subscription), "--json")
    found = json.loads(out)
    assert (code, found["verdict"], found["problems"]) == (0, "genuine", [])
    assert [one["id"] for one in found["alerts"]] == ["alert-1"]
    assert place.incidents() == []  # a mail opens nothing


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"results": "evil.example; dmarc=pass header.from=microsoft.com"}, "mail servers"),
        ({"sender": "no-reply@microsoft.com.evil.example"}, "not from microsoft.com"),
    ],
)
def test_an_unproven_mail_is_refused_although_the_alert_exists(
    place: Installation, firebreak: Firebreak, tmp_path: Path, change: dict[str, str], says: str
) -> None:
    code, out, _ = firebreak("inspect", "email", written(tmp_path, place.subscription, **change), "--json")
    found = json.loads(out)
    assert (code, found["verdict"]) == (3, "not_proven")
    assert says in " ".join(found["problems"])


def test_a_proven_mail_without_an_alert_is_not_enough(
    place: Installation, firebreak: Firebreak, tmp_path: Path
) -> None:
    file = written(tmp_path, "99999999-9999-4999-8999-999999999999")
    code, out, _ = firebreak("inspect", "email", file, "--json")
    assert (code, json.loads(out)["verdict"]) == (3, "not_proven")
    code, out, _ = firebreak("inspect", "email", file)
    assert "NOT PROVEN" in out
    assert "\x1b" not in out


def test_without_graph_it_is_not_looked_at(place: Installation, firebreak: Firebreak, tmp_path: Path) -> None:
    place.world.faults.append(Fault("status", status=403, method="GET", url="securityAlerts"))
    try:
        code, out, _ = firebreak("inspect", "email", written(tmp_path, place.subscription), "--json")
    finally:
        place.world.faults.clear()
    assert (code, json.loads(out)["verdict"]) == (1, "not_looked_at")


def test_a_file_that_is_not_there_is_named(firebreak: Firebreak) -> None:
    code, out, _ = firebreak("inspect", "email", "/nowhere/x.eml", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "bad_content")
