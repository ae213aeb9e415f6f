"""Managed disks and snapshots over HTTP."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.compute import disks
from azure_simulator.services.compute.documents import (
    body_of,
    create,
    existing_for_put,
    merge,
    patch,
    remove,
    resource_id,
    stored,
)
from azure_simulator.services.compute.exceptions import InvalidParameterError, OperationNotAllowedError
from azure_simulator.services.compute.operations import long_running, recover
from azure_simulator.world import Document, World, public


def put(kind: str) -> Handler:
    """The handler that creates a disk or snapshot, or updates one."""

    def handle(world: World, request: Request) -> Response:
        body = body_of(request)
        found = existing_for_put(world, request, kind, body)
        if found is not None and not _never_made(world, found):
            return _change(world, request, found, body)
        disks.check_creation(world, body.get("properties") or {}, kind)
        # A PUT on what failed to be made begins its making anew.
        document = found if found is not None else create(world, request, kind, body)
        if found is None:
            disks.complete(world, document)
        document["properties"]["provisioningState"] = "Updating"
        incremental = kind == disks.SNAPSHOT
        if incremental:
            document["properties"].setdefault("incremental", False)
            document["properties"]["completionPercent"] = 0.0

        def created() -> None:
            document["properties"]["provisioningState"] = "Succeeded"
            if incremental:
                document["properties"]["completionPercent"] = 100.0

        return long_running(world, request, document, created, body=public(document), result=lambda: public(document))

    return handle


def _never_made(world: World, document: Document) -> bool:
    recover(world, document)
    return bool(document["properties"].get("provisioningState") == "Failed" and "_operation" not in document)


def change(kind: str) -> Handler:
    """The handler of PATCH."""
    return lambda world, request: _change(world, request, stored(world, request, kind), body_of(request))


def _change(world: World, request: Request, document: Document, body: Document) -> Response:
    size = (body.get("properties") or {}).get("diskSizeGB")
    if size is not None and int(size) < int(document["properties"].get("diskSizeGB", 0)):
        raise InvalidParameterError(
            f"Disk size of '{document['name']}' cannot be reduced from {document['properties']['diskSizeGB']} GB to {size} GB.",
            "disk.diskSizeGB",
        )
    allowed = ("diskSizeGB", "networkAccessPolicy", "publicNetworkAccess", "maxShares", "osType", "encryption", "tier")
    response = long_running(world, request, document, lambda: None, status=200, result=lambda: public(document))
    patch(document, {k: v for k, v in body.items() if k != "properties"})
    merge(document["properties"], {k: v for k, v in (body.get("properties") or {}).items() if k in allowed})
    if size is not None:
        document["properties"]["diskSizeBytes"] = int(size) * 1024**3
    response.body = public(document)
    return response


def delete(kind: str) -> Handler:
    """The handler of DELETE: 204 when absent, 409 while a machine or a SAS holds it."""

    def handle(world: World, request: Request) -> Response:
        document = world.resources.get(resource_id(request, kind))
        if document is None:
            return Response(204)
        disks.check_deletable(document)

        def deleted() -> Document | None:
            try:
                disks.check_deletable(document)
            except OperationNotAllowedError as refused:
                document["properties"]["provisioningState"] = "Succeeded"
                return {"code": refused.code, "message": refused.message}
            remove(world, document["id"])
            world.changed("disk.deleted" if kind == disks.DISK else "snapshot.deleted", document)
            return None

        return long_running(world, request, document, deleted)

    return handle


def begin_access(kind: str) -> Handler:
    """The handler that hands out a SAS; the disk is ActiveSAS until access is ended or it expires."""

    def handle(world: World, request: Request) -> Response:
        document = stored(world, request, kind)
        body = body_of(request)
        seconds = int(body.get("durationInSeconds") or 0)
        if body.get("access") not in ("Read", "Write") or seconds <= 0:
            raise InvalidParameterError(
                "The parameters 'access' and 'durationInSeconds' are required.", "grantAccessData"
            )
        if document["properties"].get("networkAccessPolicy") == "DenyAll":
            raise OperationNotAllowedError(
                f"Export is not allowed: the network access policy of '{document['name']}' is DenyAll."
            )
        before = str(document["properties"].get("diskState", "Unattached"))
        if before == "Attached":
            raise OperationNotAllowedError(
                f"Cannot grant access to disk '{document['name']}' because it is attached to a running VM."
            )
        secret = f"{world.chance.getrandbits(256):064x}"
        link = f"{world.base_url}/blob/md-{secret[:12]}/{secret[12:24]}/abcd?sv=2018-03-28&sr=b&sig={secret[24:]}"
        token = world.chance.guid()

        def granted() -> None:
            document["properties"]["diskState"] = "ActiveSAS"
            document["_sas"], document["_before_sas"] = token, before
            world.later(seconds, lambda: _end(document, token))

        answer = {"accessSAS": link}
        return long_running(world, request, document, granted, result=lambda: answer)

    return handle


def _end(document: Document, token: str) -> None:
    """End the access that `token` stands for; a later one is not touched."""
    if document.get("_sas") == token:
        document.pop("_sas")
        document["properties"]["diskState"] = document.pop("_before_sas", "Unattached")


def end_access(kind: str) -> Handler:
    """The handler that revokes every SAS."""

    def handle(world: World, request: Request) -> Response:
        document = stored(world, request, kind)

        def ended() -> None:
            if "_sas" in document:
                _end(document, document["_sas"])
            elif str(document["properties"].get("diskState", "")).startswith("ActiveSAS"):
                document["properties"]["diskState"] = "Reserved" if disks.owners(document) else "Unattached"

        return long_running(world, request, document, ended)

    return handle
