"""Answers of Microsoft.Quota below `{s}/providers/{provider}/locations/{region}`."""

from __future__ import annotations

import copy

from azure_simulator import odata
from azure_simulator.http import Request, Response, accepted, page
from azure_simulator.services.quota import models
from azure_simulator.services.quota.exceptions import InvalidQuotaRequestError, QuotaRequestNotFoundError
from azure_simulator.world import Document, World, public


def _scope(request: Request) -> str:
    p = request.params
    return f"/subscriptions/{p['s']}/providers/{p['p']}/locations/{p['l']}"


def _rows(world: World, request: Request) -> list[Document]:
    return models.rows(world, request.params["s"], request.params["l"], request.params["p"])


def _row(world: World, request: Request) -> Document:
    return models.row(world, request.params["s"], request.params["l"], request.params["p"], request.params["name"])


def _limit(request: Request, row: Document) -> Document:
    name = row["name"]["value"]
    return {
        "id": f"{_scope(request)}/providers/Microsoft.Quota/quotas/{name}",
        "name": name,
        "type": "Microsoft.Quota/Quotas",
        "properties": {
            "limit": {"limitObjectType": "LimitValue", "limitType": "Independent", "value": row["limit"]},
            "unit": "Count",
            "name": row["name"],
            "isQuotaApplicable": True,
            "properties": {},
        },
    }


def _usage(request: Request, row: Document) -> Document:
    name = row["name"]["value"]
    return {
        "id": f"{_scope(request)}/providers/Microsoft.Quota/usages/{name}",
        "name": name,
        "type": "Microsoft.Quota/Usages",
        "properties": {
            "usages": {"value": row["currentValue"]},
            "unit": "Count",
            "name": row["name"],
            "isQuotaApplicable": True,
            "properties": {},
        },
    }


def list_quotas(world: World, request: Request) -> Response:
    return page(world, request, _rows(world, request), wrap=lambda row: _limit(request, row))


def get_quota(world: World, request: Request) -> Response:
    return Response(200, _limit(request, _row(world, request)))


def list_usages(world: World, request: Request) -> Response:
    return page(world, request, _rows(world, request), wrap=lambda row: _usage(request, row))


def get_usage(world: World, request: Request) -> Response:
    return Response(200, _usage(request, _row(world, request)))


def change_quota(world: World, request: Request) -> Response:
    """PUT and PATCH: 202 with the request's document; the outcome stands in it and in the operation, never in this answer."""
    row = _row(world, request)
    wanted = models.wanted_limit(request.json(), request.params["name"])
    asked = {
        "subscription": request.params["s"],
        "region": request.params["l"].lower(),
        "provider": request.params["p"],
        "family": row["name"]["value"],
        "limit": wanted,
    }
    document = models.new_request(world, _scope(request), row, asked)
    answer = copy.deepcopy(public(document))

    def result() -> Document | None:
        return _limit(request, _row(world, request))

    operations = f"/subscriptions/{request.params['s']}/providers/Microsoft.Quota/locations/{request.params['l']}"
    response = accepted(
        world,
        request,
        lambda: models.settle(world, document),
        operations_path=f"{operations}/operationsStatus",
        body=answer,
        result=result,
    )
    if document["properties"]["provisioningState"] == "Accepted":
        document["properties"]["provisioningState"] = "InProgress"
    return response


def list_requests(world: World, request: Request) -> Response:
    """Newest first; `$filter` on provisioningState, resourceName and requestSubmitTime."""
    prefix = f"{_scope(request)}/providers/Microsoft.Quota/quotaRequests/".lower()
    found = [world.quota_requests[key] for key in world.quota_requests if key.startswith(prefix)][::-1]
    if request.q("$filter"):
        try:
            fits = odata.parse(request.q("$filter"), known={"provisioningState", "resourceName", "requestSubmitTime"})
        except ValueError as exc:
            raise InvalidQuotaRequestError(f"Invalid $filter: {exc}") from exc
        found = [r for r in found if fits(r["properties"] | {"resourceName": r["_asked"]["family"]})]
    return page(world, request, found, wrap=public)


def get_request(world: World, request: Request) -> Response:
    identity = f"{_scope(request)}/providers/Microsoft.Quota/quotaRequests/{request.params['name']}"
    if identity not in world.quota_requests:
        raise QuotaRequestNotFoundError(request.params["name"])
    return Response(200, public(world.quota_requests[identity]))
