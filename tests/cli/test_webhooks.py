"""`firebreak webhooks` against the embedded Azure: seen before it is changed, approved by somebody else, put back, tried with a test event that arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from azure_simulator.faults import Fault
from firebreak.audit import AuditLog
from firebreak.engine.registration import RegistrationDesk
from flows.intake import application
from tests.support.console import Calling, calling
from tests.support.intake import Installation, installation
from tests.support.served import served

PUBLIC = "https://ir.example.com"
OURS = f"{PUBLIC}/hooks/partner-center"
OTHERS = "https://other.example.net/hook"
PATH = "/partnercenter/webhooks/v1/registration"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with installation(tmp_path, public_url=PUBLIC) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FIREBREAK_INTAKE__PUBLIC_URL", PUBLIC)
        monkeypatch.setenv("LOGNAME", "operator")
        yield found


@pytest.fixture
def firebreak(place: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Calling:
    """The commands of this installation."""
    monkeypatch.setenv("FIREBREAK_HOME", str(place.settings.home))
    return calling(monkeypatch, capsys)


@pytest.fixture
def alice(place: Installation) -> dict[str, Any]:
    """One of the two approvers of the embedded Azure; the other one asks."""
    return people(place)[0]


def people(place: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(place.environment["FIREBREAK_APPROVERS_FILE"]).read_text())
    return found


def by(person: dict[str, Any], *more: str, asked: str = "bob@partner.example") -> list[str]:
    """The words of an approval; the code of the moment."""
    code = pyotp.TOTP(person["totp_secret"]).now()
    said = ["--approver", person["name"], "--code", code, "--reason", "for the drill"]
    return [*said, "--requested-by", asked, *more]


def writes(place: Installation) -> list[str]:
    return [row.method for row in place.world.requests if row.url.startswith(PATH) and row.method in ("POST", "PUT")]


def registered(place: Installation) -> dict[str, Any]:
    return dict(place.world.partner["webhook"])


def register_other(place: Installation) -> None:
    place.world.partner["webhook"] = {
        "SubscriberId": "x",
        "WebhookUrl": OTHERS,
        "WebhookEvents": ["invoice-ready"],
        "SignatureTokenToMsSignatureHeader": True,
    }


def test_without_an_approver_it_is_shown_and_nothing_is_sent(place: Installation, firebreak: Calling) -> None:
    code, out, err = firebreak("webhooks", "register")
    assert code == 2
    assert "before  nothing" in out
    assert OURS in out
    assert "Nothing was changed" in err
    assert writes(place) == []


def test_an_approved_registration_is_made_and_read_back(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    code, out, _ = firebreak("webhooks", "register", *by(alice), "--json")
    assert (code, json.loads(out)["state"]) == (0, "done")
    assert registered(place)["WebhookUrl"] == OURS
    assert {"azure-fraud-event-detected", "test-created"} <= set(registered(place)["WebhookEvents"])
    assert writes(place) == ["POST"]
    # The same once more changes nothing and asks nobody.
    code, out, _ = firebreak("webhooks", "register", "--json")
    assert (code, json.loads(out)["state"]) == (0, "unchanged")
    assert writes(place) == ["POST"]
    kinds = _audit(place)
    assert kinds == ["registration.approved", "registration.changed"]


def test_another_products_registration_is_not_taken_without_its_address_typed(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    register_other(place)
    code, out, err = firebreak("webhooks", "register")
    assert code == 2
    assert "Another product loses its events" in out
    assert f"--confirm {OTHERS}" in err
    code, _, err = firebreak("webhooks", "register", *by(alice))
    assert code == 3
    assert f"Type: --confirm {OTHERS}" in err
    assert writes(place) == []
    assert registered(place)["WebhookUrl"] == OTHERS
    assert _audit(place) == ["registration.approved"]  # the refusal is on record


def test_taken_and_put_back_it_is_byte_for_byte_what_it_was(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    register_other(place)
    before = registered(place)
    code, _, err = firebreak("webhooks", "register", *by(alice, "--confirm", OTHERS))
    assert code == 0, err
    taken = registered(place)
    assert taken["WebhookUrl"] == OURS
    assert "invoice-ready" in taken["WebhookEvents"]
    assert taken["SignatureTokenToMsSignatureHeader"] is True
    code, out, _ = firebreak("webhooks", "show", "--json")
    assert json.loads(out)["ours"] is True
    code, _, err = firebreak("webhooks", "restore", *by(people(place)[1], asked=alice["name"]))
    assert code == 0, err
    assert {k: v for k, v in registered(place).items() if k in before and k != "SubscriberId"} == {
        k: v for k, v in before.items() if k != "SubscriberId"
    }
    assert writes(place) == ["PUT", "PUT"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--requested-by", "alice@partner.example"), "asks for it"),
        (("--requested-by", "nobody-enrolled"), "may be the one who asks"),
        (("--code", "000000"), "code is wrong"),
        (("--approver", "mallory@partner.example"), "may approve"),
        (("--confirm", OTHERS), "Nothing is to be confirmed"),
    ],
)
def test_an_approval_that_does_not_count_changes_nothing(
    place: Installation, firebreak: Calling, alice: dict[str, Any], words: tuple[str, str], reason: str
) -> None:
    code, _, err = firebreak("webhooks", "register", *by(alice), *words)
    assert code == 3
    assert reason in err
    assert writes(place) == []
    assert "webhook" not in place.world.partner


def test_a_person_with_limits_may_not_answer_for_the_whole_partner(place: Installation, firebreak: Calling) -> None:
    with place.room() as room:
        seed = room.approvers.enrol("carol", ["lead"], customers=[place.world.tenant_id])
    code, _, err = firebreak("webhooks", "register", *by({"name": "carol", "totp_secret": seed}))
    assert code == 3
    assert "all of them" in err
    assert writes(place) == []


def test_an_event_that_is_not_offered_is_named(place: Installation, firebreak: Calling) -> None:
    code, _, err = firebreak("webhooks", "register", "--event", "azure-fraud-event-detcted")
    assert code == 1
    assert "does not offer azure-fraud-event-detcted" in err
    code, _, err = firebreak("webhooks", "register", "--url", "http://ir.example.com/hook")
    assert code == 1
    assert "https://" in err


def test_an_answer_that_was_lost_is_settled_by_reading(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    place.world.faults.append(Fault("drop_after", method="POST", url="/registration$", times=1))
    code, out, err = firebreak("webhooks", "register", *by(alice), "--json")
    assert (code, json.loads(out)["state"]) == (0, "done"), err
    assert writes(place) == ["POST"]


def test_a_change_whose_process_died_is_settled_by_the_next_look(
    place: Installation, firebreak: Calling, alice: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RegistrationDesk, "_note", died)
        assert firebreak("webhooks", "register", *by(alice))[0] == 130
    assert registered(place)["WebhookUrl"] == OURS
    code, out, _ = firebreak("webhooks", "show", "--json")
    assert code == 0
    assert json.loads(out)["last_change"]["state"] == "done"


def test_the_test_event_arrives_signed_and_is_found(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    assert firebreak("webhooks", "register", *by(alice))[0] == 0
    with served(application(place.settings)) as address:
        place.world.tunnels[PUBLIC] = address
        code, out, err = firebreak("webhooks", "validate", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["arrived"]
    assert [one["responseCode"] for one in told["attempts"]] == ["Accepted"]
    assert place.delivery(told["delivery"]).channel == "partner-center"


def test_a_test_event_that_does_not_arrive_says_why(
    place: Installation, firebreak: Calling, alice: dict[str, Any]
) -> None:
    code, _, err = firebreak("webhooks", "validate")
    assert code == 1
    assert "webhooks register" in err
    assert firebreak("webhooks", "register", *by(alice))[0] == 0
    code, out, _ = firebreak("webhooks", "validate")
    assert code == 1
    assert "no tunnel leads there" in out
    assert "did not arrive" in out
    place.world.partner["webhook"]["WebhookUrl"] = OTHERS
    code, _, err = firebreak("webhooks", "validate")
    assert code == 3
    assert "another product would get the test event" in err


def _audit(place: Installation) -> list[str]:
    with place.room() as room:
        return [record.kind for record in AuditLog(room.store, room.clock).records("")]
