"""Answers of Graph: the partner's security alerts."""

from __future__ import annotations

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import models
from azure_simulator.services.graph.envelope import Collection, bad_request, body_of, context, listed, selected
from azure_simulator.world import Document, World, public

ALERTS = Collection(
    "security/partner/securityAlerts", dict.fromkeys(models.FILTERABLE, ""), refusal=bad_request, newest_first=True
)


def list_alerts(world: World, request: Request) -> Response:
    found = [public(alert) for alert in models.alerts(world, request)]
    return listed(world, request, found, ALERTS)


def get_alert(world: World, request: Request) -> Response:
    return _alert(world, request, models.alert(world, request, request.params["id"]))


def patch_alert(world: World, request: Request) -> Response:
    """PATCH: 200 with the alert."""
    found = models.alert(world, request, request.params["id"])
    models.update(world, request, found, body_of(request))
    return _alert(world, request, found)


def _alert(world: World, request: Request, found: Document) -> Response:
    tag = models.etag(found)
    body = {"@odata.context": context(world, request, f"{ALERTS.path}/$entity"), "@odata.etag": tag}
    return Response(200, body | selected(request, public(found)), {"ETag": tag})
