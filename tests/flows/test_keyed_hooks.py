"""Azure Monitor, Defender for Cloud, Sentinel and mapped JSON over a running intake: with the shared key or a token, for own subscriptions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firebreak.engine import EngineRoom
from firebreak.intake.inbox import DONE
from flows import deliveries as module
from flows.intake import application
from tests.flows.bad_deliveries import AUDIENCE, KEY, public_key, token
from tests.support.intake import CUSTOMER, Installation, installation
from tests.support.served import served

DATA = Path(__file__).parents[1] / "data" / "intake"
OWN = "33333333-3333-4333-8333-333333333333"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    held: list[Installation] = []

    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        held[0].started.append(incident)
        room.store.values.set(incident, "flow_run", f"run-of-{incident}")
        return f"run-of-{incident}"

    def around(app: Any) -> Any:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if not scope.get("path", "").endswith("/discovery/v2.0/keys"):
                return await app(scope, receive, send)
            body = json.dumps({"keys": [public_key(held[0])]}).encode()
            headers = [(b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            return await send({"type": "http.response.body", "body": body})

        return answer

    intake = {"shared_key": KEY, "entra_audience": AUDIENCE, "subscriptions": [OWN]}
    folder = tmp_path_factory.mktemp("keyed")
    with pytest.MonkeyPatch.context() as patch, installation(folder, around=around, **intake) as found:
        patch.setattr(module, "start_run", start_run)
        (found.settings.home / "intake").mkdir(parents=True)
        shutil.copy(DATA / "siem.yaml", found.settings.home / "intake")
        held.append(found)
        with served(application(found.settings)) as found.address:
            yield found


@pytest.mark.parametrize(
    ("path", "sample"),
    [
        ("azure-monitor", "monitor-activity-log"),
        ("azure-monitor", "monitor-cost-budget"),
        ("azure-monitor", "monitor-two-subscriptions"),
        ("defender", "defender-workflow"),
        ("sentinel", "sentinel-incident"),
        ("json/siem", "siem-event"),
    ],
)
def test_an_alert_about_an_own_subscription_is_in_the_incident_of_that_subscription(
    place: Installation, path: str, sample: str
) -> None:
    body = (DATA / f"{sample}.json").read_bytes()
    answer = place.post(f"/hooks/{path}", body, {"X-Firebreak-Key": KEY})
    assert answer.status_code == 202, answer.text
    done = place.settled(answer.json()["delivery"])
    assert (done.state, done.channel) == (DONE, path)
    with place.room() as room:
        incident = room.store.incidents.get(done.incident)
        assert incident.subscription_id == OWN
        assert incident.alert.customer_tenant_id in (place.settings.credential.tenant_id, CUSTOMER)
    assert len(place.incidents()) == 1
    assert place.started == [done.incident]


@pytest.mark.parametrize("claims", [{}, {"iss": "v2", "appid": None, "azp": "461E8683-5575-4561-ac7f-899cc907d62a"}])
def test_an_action_group_may_show_a_token_of_our_tenant(place: Installation, claims: dict[str, Any]) -> None:
    if claims:
        claims = {**claims, "iss": f"{place.settings.cloud.login}/{place.world.partner_tenant_id}/v2.0"}
    body = (DATA / "monitor-metric.json").read_bytes() + b" " * len(claims)
    answer = place.post("/hooks/azure-monitor", body, {"Authorization": f"Bearer {token(place, **claims)}"})
    assert answer.status_code == 202, answer.text
    assert place.settled(answer.json()["delivery"]).state == DONE
