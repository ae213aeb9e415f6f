"""What every Partner Center answer shares: echoed ids, idempotency by MS-RequestId, the MFA header, collections, error bodies."""

from __future__ import annotations

import copy
import functools
from typing import Any
from urllib.parse import urlencode

from azure_simulator.http import ArmError, Handler, Request, Response
from azure_simulator.services.partner_center.exceptions import (
    AppOnlyError,
    BadRequestError,
    MissingMfaError,
    PartnerError,
    RetiredAudienceError,
    WrongTenantError,
)
from azure_simulator.world import Document, World, public

ANSWERS = "partner.answers"  # remembered answers of writes, by MS-RequestId, method and path
CHANGING = ("POST", "PUT", "PATCH")


def answered(handler: Handler, *, user_only: bool = False) -> Handler:
    """Wrap a handler: check the token, repeat a remembered answer, add the headers and shape errors.

    `user_only` refuses app-only tokens with 900329, as the documents say of that call.
    """

    @functools.wraps(handler)
    def respond(world: World, request: Request) -> Response:
        key = f"{request.headers.get('ms-requestid', '')} {request.method} {request.path}"
        remembered = world.table(ANSWERS).get(key) if request.headers.get("ms-requestid") else None
        if remembered is not None and request.method in CHANGING:
            kept: Response = copy.deepcopy(remembered["response"])
            return _with_headers(world, request, kept)
        try:
            _check_token(world, request, user_only)
            response = handler(world, request)
        except PartnerError as error:
            response = Response(error.status, error.body(), dict(error.headers))
        except ArmError as error:
            refused = BadRequestError(error.message)
            response = Response(error.status, refused.body(), dict(error.headers))
        if request.method in CHANGING and request.headers.get("ms-requestid") and response.status < 500:
            world.table(ANSWERS)[key] = {"response": copy.deepcopy(response)}
        return _with_headers(world, request, response)

    return respond


def is_app_only(request: Request) -> bool:
    """Whether the token has no user in it."""
    return request.claims.get("idtyp") == "app"


def _check_token(world: World, request: Request, user_only: bool) -> None:
    if str(request.claims.get("aud", "")).rstrip("/") == "https://graph.windows.net":
        raise RetiredAudienceError
    tenant = str(request.claims.get("tid") or world.partner_tenant_id)
    if world.partner_tenant_id and tenant.lower() != world.partner_tenant_id.lower():
        raise WrongTenantError
    if world.partner_role_missing:
        raise WrongTenantError
    if user_only and is_app_only(request):
        raise AppOnlyError
    if world.mfa_required and not is_app_only(request) and not _has_mfa(world, request):
        raise MissingMfaError


def _has_mfa(world: World, request: Request) -> bool:
    methods = request.claims.get("amr")
    return "mfa" in methods if isinstance(methods, list) else world.partner_mfa


def _with_headers(world: World, request: Request, response: Response) -> Response:
    chance = world.chance.child(f"partner/{request.request_id}/{len(world.requests)}")
    response.headers["MS-RequestId"] = request.headers.get("ms-requestid") or chance.guid()
    response.headers["MS-CorrelationId"] = request.headers.get("ms-correlationid") or chance.guid()
    response.headers["MS-CV"] = f"{chance.guid()[:16]}.0"
    response.headers["MS-ServerId"] = "000001"
    if request.headers.get("validatemfa", "").lower() == "true" and not is_app_only(request):
        response.headers["isMfaCompliant"] = str(_has_mfa(world, request)).lower()
    return response


def collection(items: list[Any], path: str) -> Document:
    """A whole collection in one answer. `path` is relative, as Partner Center links are (without /v1)."""
    return {
        "totalCount": len(items),
        "items": items,
        "links": {"self": {"uri": path, "method": "GET", "headers": []}},
        "attributes": {"objectType": "Collection"},
    }


def paged(request: Request, items: list[Any], path: str) -> Document:
    """One page of a collection of `size` items. The continuation token travels in a header: the next link's uri alone repeats page one."""
    size = int(request.q("size")) if request.q("size").isdigit() and int(request.q("size")) else 0
    if not size:
        return collection(items, path)
    given = request.headers.get("ms-continuationtoken", "")
    start = int(given) if given.isdigit() and request.q("seekOperation").lower() == "next" else 0
    kept = {k: v for k, v in request.query.items() if k.lower() != "seekoperation"}
    body = collection(items[start : start + size], f"{path}?{urlencode(kept)}")
    body["totalCount"] = len(items)
    if start + size < len(items):
        body["links"]["next"] = {
            "uri": f"{path}?{urlencode(kept | {'seekOperation': 'Next'})}",
            "method": "GET",
            "headers": [{"key": "MS-ContinuationToken", "value": str(start + size)}],
        }
    return body


def linked(document: Document, path: str) -> Document:
    """The document with a self link, as items of collections have."""
    link = {"self": {"uri": path, "method": "GET", "headers": []}}
    return public(document) | {"links": {**link, **(document.get("links") or {})}}
