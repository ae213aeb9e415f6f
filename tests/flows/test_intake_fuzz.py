"""Ten thousand odd requests: whatever comes, the intake answers with a reason below 500, opens nothing, and still takes a good delivery afterwards.

Half of the bodies are authentic: what a key or a signature proves is no proof of sense.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from firebreak.engine import EngineRoom
from firebreak.intake.signature import sign
from flows import deliveries as module
from flows.intake import application
from tests.flows.bad_deliveries import KEY
from tests.support.intake import Installation, installation
from tests.support.served import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
REQUESTS = 10_000
PATHS = (
    "/alerts",
    "/hooks/partner-center",
    "/hooks/azure-monitor",
    "/hooks/defender",
    "/hooks/sentinel",
    "/hooks/json/siem",
)
_WORDS = (
    "EventName", "azure-fraud-event-detected", "test-created", "ResourceUri", "ResourceChangeUtcDate", "id", "alertType", "subscriptionId",
    "customerTenantId", "detectedDateTime", "affectedResources", "additionalDetails", "resourceId", "value", "schemaId", "azureMonitorCommonAlertSchema",
    "data", "essentials", "alertContext", "alertTargetIDs", "alertId", "monitorCondition", "firedDateTime", "monitoringService", "AlertData", "Scope",
    "context", "activityLog", "properties", "SystemAlertId", "AlertType", "ResourceIdentifiers", "AzureResourceId", "object", "incidentNumber",
    "relatedEntities", "alerts", "Status", "AIP Budget Notification", "SubscriptionId", "rule", "level", "15", "event", "azure", "subscription",
    "33333333-3333-4333-8333-333333333333", "/subscriptions/33333333-3333-4333-8333-333333333333", "2026-03-02T04:00:00Z", "https://a/b?SubscriptionId=1",
)  # fmt: skip
_TEXT = st.one_of(st.sampled_from(_WORDS), st.text(max_size=12))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=6)),
    max_leaves=12,
)
_BODIES = st.one_of(
    st.binary(max_size=200),
    _VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(_TEXT, _VALUES, min_size=1, max_size=8).map(lambda value: json.dumps(value).encode()),
)
_HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
_HEADERS = st.dictionaries(
    st.sampled_from(
        (
            "Authorization", "X-MS-Certificate-Url", "X-MS-Signature-Algorithm", "x-ms-signature", "X-Firebreak-Key", "X-Firebreak-Time",
            "X-Firebreak-Signature", "Content-Type", "Content-Encoding",
        )
    ),
    st.one_of(_HEADER, st.sampled_from(("rsa-sha256", "application/json", "Signature QUJD", "1", "Bearer a.b.c", KEY))),
    max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    held: list[Installation] = []

    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        held[0].started.append(incident)
        room.store.values.set(incident, "flow_run", "run")
        return "run"

    with pytest.MonkeyPatch.context() as patch, installation(tmp_path_factory.mktemp("fuzz"), shared_key=KEY) as found:
        patch.setattr(module, "start_run", start_run)
        held.append(found)
        with served(application(found.settings)) as found.address:
            patch.setattr(logging.getLogger("firebreak.intake"), "disabled", True)  # ten thousand lines
            yield found


def authentic(place: Installation, path: str, body: bytes) -> dict[str, str]:
    if path == "/alerts":
        return sign(place.settings.intake_secret(), body, int(time.time()))
    if path == "/hooks/partner-center":
        return place.signed(body)
    return {"X-Firebreak-Key": KEY, "Content-Type": "application/json"}


def test_no_request_is_answered_with_an_error_of_ours(place: Installation) -> None:
    seen: Counter[int] = Counter()
    with httpx.Client(base_url=place.address, timeout=30) as client:

        @settings(
            max_examples=REQUESTS,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(PATHS), _BODIES, _HEADERS, st.booleans())
        def once(path: str, body: bytes, headers: dict[str, Any], truly: bool) -> None:
            answer = client.post(path, content=body, headers=authentic(place, path, body) if truly else headers)
            seen[answer.status_code] += 1
            assert answer.status_code < 500, (path, body, headers, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["error"] if answer.status_code != 404 else True

        once()
    print(f"\n{seen.total()} requests: {dict(sorted(seen.items()))}")
    assert seen.total() >= REQUESTS
    assert len(seen) >= 4
    assert place.incidents() == []
    assert place.started == []
    body = place.event()
    assert place.settled(place.post("/hooks/partner-center", body, place.signed(body)).json()["delivery"]).incident
