"""`firebreak simulate --bundle`: a recorded subscription served as a cloud that unmodified clients sign in to, with what was recorded and nothing else."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firebreak.bundle import open_bundle

pytestmark = pytest.mark.timeout(300)
TOP = Path(__file__).parents[2]
BUNDLE = TOP / "incidents" / "public-recorded-estate.zip"
Told = dict[str, Any]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What the command prints once it serves."""
    folder = tmp_path_factory.mktemp("azure")
    words = ["simulate", "--bundle", str(BUNDLE), "--port", "0", "--folder", str(folder), "--json"]
    child = subprocess.Popen(
        [sys.executable, "-m", "firebreak.cli.main", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere", "FIREBREAK_HOME": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    yield dict(json.loads(child.stdout.readline()))
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 0
    child.stdout.close()


@pytest.fixture(scope="module")
def cloud(line: Told) -> Iterator[httpx.Client]:
    """A client signed in with the credential of the line."""
    with httpx.Client(
        verify=ssl.create_default_context(cafile=line["ca_bundle"]), timeout=120, trust_env=False
    ) as client:
        form = {
            "grant_type": "client_credentials",
            "client_id": line["client_id"],
            "client_secret": line["client_secret"],
            "scope": f"{line['resource_manager']}/.default",
        }
        token = client.post(f"{line['login']}/{line['tenant_id']}/oauth2/v2.0/token", data=form).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


def recorded(part: str) -> list[Told]:
    """The items of the recorded answers of the first look whose address has this part."""
    with open_bundle(BUNDLE) as bundle:
        pages = [e for e in bundle.evidence if e.round == 1 and e.status == 200 and part in e.url]
        return [row for page in pages for row in json.loads(bundle.body(page))["value"]]


def listed(cloud: httpx.Client, url: str) -> list[Told]:
    found: list[Told] = []
    while url:
        page = cloud.get(url).raise_for_status().json()
        found += page["value"]
        url = page.get("nextLink", "")
    return found


def test_the_recorded_machines_stand_there_as_they_were(line: Told, cloud: httpx.Client) -> None:
    compute = f"{line['resource_manager']}/subscriptions/{line['subscription_id']}/providers/Microsoft.Compute"
    then = recorded("/providers/Microsoft.Compute/virtualMachines?")
    now = listed(cloud, f"{compute}/virtualMachines?api-version=2024-07-01")
    assert then
    assert {one["id"]: one["properties"]["vmId"] for one in now} == {
        one["id"]: one["properties"]["vmId"] for one in then
    }


def test_the_activity_log_says_what_it_said(line: Told, cloud: httpx.Client) -> None:
    place = f"{line['resource_manager']}/subscriptions/{line['subscription_id']}/providers/Microsoft.Insights/eventtypes/management/values"
    then = {row["eventDataId"]: row["operationName"]["value"] for row in recorded("eventtypes/management")}
    wanted = "eventTimestamp ge '2026-11-17T00:00:00Z' and eventTimestamp le '2026-11-20T03:00:00Z'"
    now = listed(cloud, str(httpx.URL(place, params={"api-version": "2015-04-01", "$filter": wanted})))
    assert len(now) > 20
    assert {row["eventDataId"]: row["operationName"]["value"] for row in now}.items() <= then.items()


def test_the_alert_is_the_recorded_one_and_a_response_there_needs_only_the_printed_settings(line: Told) -> None:
    with open_bundle(BUNDLE) as bundle:
        assert json.loads(Path(line["alert_file"]).read_bytes()) == json.loads(bundle.alert)
        assert line["subscription_id"] == bundle.incident.subscription_id
    assert line["env"]["FIREBREAK_CLOUD__RESOURCE_MANAGER"] == line["resource_manager"]
    assert line["recorded"]["whole"]["events of the activity log"] > 100
    assert line["recorded"]["not_held"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--bundle", str(BUNDLE), "--now", "2026-01-01T00:00:00Z"], "--now does not go with --bundle"),
        (["--bundle", str(TOP / "README.md")], "README.md"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(tmp_path: Path, words: list[str], what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firebreak.cli.main", "simulate", *words, "--json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "FIREBREAK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert what in json.loads(done.stdout)["error"]["message"]
