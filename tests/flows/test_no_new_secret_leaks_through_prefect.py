"""P11 with real processes for secrets that a response itself makes: nothing of them is in Prefect's API or database, a log, the store, the audit
log, the report, the bundle or what the commands print.

Once with an application's new secret and new storage keys, once with new passwords. The cloud is served over TLS from this process, so that what
was made is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from azure_simulator import announcement
from azure_simulator.server import serve
from azure_simulator.services.key_vault import models as vaults
from azure_simulator.world import World
from tests.flows.stack import Azure, Stack, until
from tests.flows.test_no_new_secret_leaks import VAULT, handed_over, prepare
from tests.flows.test_no_secret_leaks_through_prefect import LONG, by_command, in_prefect
from tests.support.canaries import Canaries
from tests.support.planted import small_world

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]

_READS = (
    *("investigate.subscription", "investigate.activity_log", "investigate.access", "investigate.inventory"),
    *("investigate.tenant_protection", "investigate.directory_changes", "investigate.administrators"),
    *("investigate.applications", "investigate.sign_ins", "investigate.attribution", "investigate.intruders"),
    *("investigate.listed_keys", "investigate.vaults"),
)
_MAKES = (
    *("contain.remove_access", "contain.disable_applications", "contain.block_sign_in", "contain.revoke_sessions"),
    *("contain.remove_credentials", "contain.renew_secrets", "contain.reset_passwords", "eradicate.regenerate_keys"),
)
_PASSWORD = re.compile(r'"password": ?"([^"]+)"')


def playbook() -> str:
    """Looks, and makes every secret anew at one gate."""
    return json.dumps(
        {
            "id": "compromised-subscription",
            "version": "1.0",
            "title": "New secrets",
            "description": "Everything that makes a secret.",
            "applies_to": ["*"],
            "stages": [
                {"id": "investigate", "title": "Look", "steps": list(_READS)},
                {"id": "contain", "title": "Make secrets anew", "gate": "anew", "steps": list(_MAKES)},
            ],
            "gates": {"anew": {"title": "Make these anew?", "approvers": ["responder", "lead"], "required": 2, "confirm": True}},
            "guard_rails": {"limits": {"max_actions": 300, "max_share": 1, "max_per_hour": 100000, "max_regions": 60}},
        }
    )  # fmt: skip


def set_passwords(world: World) -> dict[str, str]:
    """The passwords that the directory was sent."""
    sent = [
        row for row in world.requests if row.method == "PATCH" and row.status < 300 and "passwordProfile" in row.body
    ]
    return {f"password {number}": found[1] for number, row in enumerate(sent) if (found := _PASSWORD.search(row.body))}


@pytest.mark.parametrize(
    ("scenario", "made", "kinds"),
    [
        ("service-principal-abuse", handed_over, {"app_secret.renew", "storage_key.regenerate"}),
        ("hijacked-owner", set_passwords, {"user.reset_password"}),
    ],
)
def test_a_secret_that_a_run_makes_is_told_to_nobody(
    scenario: str, made: Callable[[World], dict[str, str]], kinds: set[str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / "anew.yaml").write_text(playbook())
    (tmp_path / "azure").mkdir()
    world = small_world(scenario, datetime.now(UTC).replace(minute=0, second=0, microsecond=0), real_time=True)
    address = prepare(world) if scenario == "service-principal-abuse" else ""
    with serve(world, 0, tmp_path / "azure") as server:
        line = announcement.write(world, tmp_path / "azure", server.ca_bundle)
        line["env"] |= {"FIREBREAK_LOG_LEVEL": "debug", "FIREBREAK_LOG_FORMAT": "json"}
        if address:
            line["env"]["FIREBREAK_HAND_OVER__VAULT"] = vaults.uri(world, vaults.find_vault(world, VAULT) or {}).rstrip(
                "/"
            )
        with Stack.start(tmp_path, azure=Azure(line)) as stack:
            incident = str(stack.deliver().json()["incident"])
            printed = "".join(by_command(stack, incident, "contain", person) for person in (0, 1))
            ended = ("Completed", "Failed", "Crashed")
            until("the run to end", lambda: stack.run_state(incident) in ended, seconds=LONG)
            shown = stack.firebreak("incidents", "show", incident, "--json")
            done = {one["kind"] for one in json.loads(shown.stdout)["actions"] if one["state"] == "done"}
            assert kinds <= done, shown.stdout[-3000:]
            secrets = made(world)
            assert secrets
            for words in (("incidents", "show", incident), ("incidents", "report", incident), ("doctor",)):
                given = stack.firebreak(*words)
                printed += given.stdout + given.stderr
            exported = stack.firebreak("incidents", "export", incident, "--out", str(tmp_path / "b.zip"))
            assert exported.returncode == 0, exported.stderr
            canaries = Canaries(secrets)
            canaries.look("what the commands printed", printed + shown.stdout + exported.stdout + exported.stderr)
            canaries.look("bundle", (tmp_path / "b.zip").read_bytes())
            told = in_prefect(stack, incident) | blocks(stack)
            assert all(json.loads(told[kind]) for kind in ("flow_runs", "task_runs", "logs", "artifacts"))
            for kind, text in told.items():
                canaries.look(f"Prefect's {kind}", text)
            with stack.room() as room:
                records = room.audit.records(incident)
                database = room.settings.database_url
            assert records
            canaries.look("the audit log", json.dumps([str(record) for record in records]))
            canaries.look_into_database(database)
        files = [path for path in home.rglob("*") if path.is_file()]
        assert {"prefect.db", "runner.log", "report.html", "report.json"} <= {path.name for path in files}
        for path in files:
            canaries.look(str(path.relative_to(home)), path.read_bytes())
        (prefect,) = (home / "prefect").glob("*.db")
        canaries.look_into_database(f"sqlite:///{prefect}")
    assert canaries.looked_at > 100
    assert canaries.found == [], "; ".join(canaries.found)


def blocks(stack: Stack) -> dict[str, str]:
    """Prefect's blocks with their values, and its caches of results."""
    body = {"include_secrets": True, "limit": 200}
    answer = httpx.post(f"{stack.running.api_url}/block_documents/filter", json=body, timeout=60)
    return {"blocks": answer.raise_for_status().text}
