"""Enrolling people through the command line: the seed is shown once, the QR code only to a screen, the scope as it was sealed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyotp
import pytest
from cryptography.fernet import Fernet

from firebreak.cli.respond import requester
from tests.cli.conftest import Firebreak

TENANT = "22222222-2222-4222-8222-222222222222"


def test_a_person_is_enrolled_for_one_playbook_and_customer(firebreak: Firebreak) -> None:
    words = ("--role", "lead", "--playbook", "compromised-subscription", "--customer", TENANT.upper())
    code, out, _ = firebreak("approvers", "enrol", "Ann", *words, "--json")
    person = json.loads(out)
    assert code == 0
    assert person["uri"] == pyotp.TOTP(person["totp_secret"]).provisioning_uri(name="Ann", issuer_name="Firebreak")
    scope = {
        "name": "Ann",
        "roles": ["lead"],
        "playbooks": ["compromised-subscription"],
        "customers": [TENANT],
        "logins": [],
    }
    assert {name: person[name] for name in scope} == scope
    code, out, _ = firebreak("approvers", "list", "--json")
    assert json.loads(out) == [scope]
    code, out, _ = firebreak("approvers", "list")
    assert TENANT in out


@pytest.mark.parametrize(
    ("words", "what"), [(("--playbook", "compromised"), "compromised"), (("--customer", "contoso"), "contoso")]
)
def test_a_scope_that_is_none_enrols_nobody(firebreak: Firebreak, words: tuple[str, str], what: str) -> None:
    code, out, _ = firebreak("approvers", "enrol", "Ann", *words, "--json")
    assert code == 1
    assert what in json.loads(out)["error"]["message"]
    assert json.loads(firebreak("approvers", "list", "--json")[1]) == []


def test_a_qr_code_is_printed_on_a_terminal_or_when_asked_for(
    firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = "▄▀█"
    assert not set(blocks) & set(firebreak("approvers", "enrol", "File")[1])
    assert set(blocks) & set(firebreak("approvers", "enrol", "Asked", "--qr")[1])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert set(blocks) & set(firebreak("approvers", "enrol", "Screen")[1])
    assert not set(blocks) & set(firebreak("approvers", "enrol", "Declined", "--no-qr")[1])
    assert not set(blocks) & set(firebreak("approvers", "enrol", "Machine", "--json")[1])


def test_the_seed_is_on_standard_output_alone_and_not_in_the_home_folder(firebreak: Firebreak, tmp_path: Path) -> None:
    _, out, err = firebreak("approvers", "enrol", "Ann", "--qr")
    seed = out.split("Seed (shown once): ")[1].split()[0]
    assert len(seed) == 32
    assert seed not in err
    assert all(seed.encode() not in file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())


def test_a_new_key_by_reference_keeps_everybody_enrolled(
    firebreak: Firebreak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firebreak("approvers", "enrol", "Ann")
    key = tmp_path / "new.key"
    key.write_bytes(Fernet.generate_key())
    code, out, _ = firebreak("approvers", "rekey", "--to", f"file:{key}", "--json")
    assert (code, json.loads(out)) == (0, {"people": 1, "approvals": 0})
    assert firebreak("approvers", "list")[0] == 1  # the old key opens nothing any more
    monkeypatch.setenv("FIREBREAK_SECRET_KEY", f"file:{key}")
    assert [p["name"] for p in json.loads(firebreak("approvers", "list", "--json")[1])] == ["Ann"]


@pytest.mark.parametrize("to", ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "env:NOT_SET", "file:/nowhere"])
def test_a_key_on_the_command_line_or_one_that_is_not_there_changes_nothing(firebreak: Firebreak, to: str) -> None:
    firebreak("approvers", "enrol", "Ann")
    code, out, err = firebreak("approvers", "rekey", "--to", to)
    assert code == 1
    assert "MDEy" not in out + err
    assert firebreak("approvers", "list")[0] == 0


def test_logins_are_added_to_a_person_who_keeps_the_seed(firebreak: Firebreak) -> None:
    _, out, _ = firebreak("approvers", "enrol", "Ann", "--login", "ann", "--json")
    assert json.loads(out)["logins"] == ["ann"]
    code, out, _ = firebreak("approvers", "login", "ANN", "--login", "asmith", "--json")
    assert (code, json.loads(out)["logins"]) == (0, ["ann", "asmith"])
    _, out, _ = firebreak("approvers", "list", "--json")
    assert [(p["name"], p["logins"]) for p in json.loads(out)] == [("Ann", ["ann", "asmith"])]
    code, out, _ = firebreak("approvers", "login", "Bob", "--login", "x", "--json")
    assert code == 1
    assert "Nobody is enrolled" in json.loads(out)["error"]["message"]


def test_a_request_carries_the_name_that_is_given_and_always_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "asmith")
    assert requester() == "asmith"
    assert requester("Bob") == "Bob (signed in as asmith)"
