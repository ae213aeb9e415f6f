"""P11 for secrets that a response itself makes: the new secret of an application and new storage keys are nowhere but where they belong.

Made by the embedded Azure in a whole run; looked for in pages, logs, the run's JSON, every file of the home, the database and the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.app import call_as
from azure_simulator.services.key_vault import models as vaults
from azure_simulator.services.storage import models as storage
from azure_simulator.world import World
from firebreak.bundle import contents_of, write_bundle
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on
from tests.flows.test_no_secret_leaks import _logs_kept, _Watched
from tests.support.canaries import Canaries
from tests.support.inprocess import responder
from tests.support.whole_response import NAME, whole_response

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
VAULT = "kv-hand-over"


@dataclass
class Left:
    """A whole run after which new secrets exist: what was said, what it left, and the secrets, by what they are."""

    world: World
    room: EngineRoom
    home: Path
    ran: Ran
    secrets: dict[str, str]
    said: dict[str, str]


def prepare(world: World) -> str:
    """Give the responder a vault to hand over into, and let the attacker ask for the keys of a storage account; returns the vault's address."""
    subscription, acting = next(iter(world.subscriptions)), responder(world)
    group = next(str(each["id"]) for each in world.groups.values() if str(each["id"]).startswith(subscription))
    policy = {"tenantId": world.tenant_id, "objectId": acting.object_id, "permissions": {"secrets": ["set", "list"]}}
    properties = {"tenantId": world.tenant_id, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [policy]}
    path = f"{group}/providers/{vaults.VAULT}/{VAULT}?api-version=2023-07-01"
    made = call_as(world, acting.object_id, "PUT", path, {"location": "westeurope", "properties": properties})
    assert made.status == 201, made.body
    thief = world.truth["attackers"][0]
    account = next(each for each in world.resources.of_type(storage.ACCOUNT) if each["id"] not in world.truth["rogue"])
    asked = call_as(
        world,
        thief["principal_id"],
        "POST",
        f"{account['id']}/listKeys?api-version=2024-01-01",
        address=thief["addresses"][0],
        token=thief["token"],
    )
    assert asked.status == 200, asked.body
    world.truth["told_keys"].append(account["id"])
    return vaults.uri(world, vaults.find_vault(world, VAULT) or {}).rstrip("/")


def handed_over(world: World) -> dict[str, str]:
    """What lies in the vault, and the storage keys that were made anew."""
    vault = vaults.find_vault(world, VAULT) or {}
    found = {
        f"client secret {name}": str(version["value"])
        for name, versions in vault.get("_secrets", {}).items()
        for version in versions
    }
    for account in world.resources.of_type(storage.ACCOUNT):
        for name, key in zip(storage.KEY_NAMES, account.get("_keys") or (), strict=False):
            if name in (account.get("_key_times") or ()):
                found[f"{name} of {account['name']}"] = str(key)
    return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    world, home = build("service-principal-abuse", seed=7, now=NOW), tmp_path_factory.mktemp("new-secrets")
    address = prepare(world)
    (home / "playbooks").mkdir()
    (home / "playbooks" / f"{NAME}.yaml").write_text(whole_response())
    with _logs_kept() as kept, engine_room_of(world, home, hand_over={"vault": address}) as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=NAME)
        runtimes: list[_Watched] = []

        def watched(*given: object) -> _Watched:
            runtimes.append(_Watched(*given))
            return runtimes[-1]

        ran = go_on(room, world, opened.incident.id, runtime=watched)
        secrets = handed_over(world)
        said = {
            "log": "\n".join(kept.all),
            "pages": "\n".join(runtimes[0].pages),
            "progress": "\n".join(ran.runtime.said),
            "json": json.dumps(ran.json, default=str),
        }
        yield Left(world, room, home, ran, secrets, said)


def test_a_new_client_secret_and_new_keys_were_made(left: Left) -> None:
    """Else the tests below could not fail."""
    assert left.ran.state == "done", left.ran.dossier.note
    kinds = {action["kind"] for action in left.ran.json["actions"] if action["state"] == "done"}
    assert {"app_secret.renew", "app_secret.retire", "storage_key.regenerate"} <= kinds
    assert sum(name.startswith("client secret") for name in left.secrets) >= 1
    assert sum(name.startswith("key") for name in left.secrets) >= 2


def test_no_new_secret_is_shown_or_logged(left: Left) -> None:
    planted = Canaries(left.secrets)
    for place, text in left.said.items():
        assert text, place
        planted.look(place, text)
    assert planted.found == []


def test_no_new_secret_is_stored(left: Left) -> None:
    planted = Canaries(left.secrets)
    for path in (each for each in left.home.rglob("*") if each.is_file()):
        planted.look(str(path.relative_to(left.home)), path.read_bytes())
    assert planted.looked_at > 100
    planted.look_into_database(left.room.settings.database_url)
    assert planted.found == []


def test_no_new_secret_is_in_the_bundle(left: Left, tmp_path: Path) -> None:
    planted, room = Canaries(left.secrets), left.room
    contents = contents_of(room.store, room.evidence, room.audit, left.ran.incident)
    planted.look("bundle", write_bundle(contents, tmp_path / "b.zip").read_bytes())
    assert planted.found == []


def test_whoever_runs_the_application_signs_in_with_what_lies_in_the_vault(left: Left) -> None:
    handed = {secret for name, secret in left.secrets.items() if name.startswith("client secret")}
    holders = [one for one in left.world.principals.values() if handed & set(one.secrets)]
    assert holders
    assert all(set(one.secrets) <= handed for one in holders)
