"""The blob service under `/blob/{account}`, in XML as Azure answers: containers, blobs, snapshots, deletion.

GET    /blob/acct?comp=list                                   containers
GET    /blob/acct/vhds?restype=container&comp=list            blobs; &include=snapshots,deleted
HEAD   /blob/acct/vhds/a.vhd       DELETE ...       PUT ...?comp=snapshot
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.storage import access, models
from azure_simulator.services.storage.exceptions import BlobError
from azure_simulator.world import Document, World

_XML = '<?xml version="1.0" encoding="utf-8"?>'
BlobHandler = Callable[[World, Request, Document], Response]
Row = TypeVar("Row")


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def served(handler: BlobHandler) -> Handler:
    """A handler behind sign-in, whose refusals are answered in the blob service's XML and whose answers have its headers."""

    def handle(world: World, request: Request) -> Response:
        try:
            account = models.find_account(world, request.params["account"])
            if account is None:
                raise BlobError(404, "ResourceNotFound", "The specified resource does not exist.")
            access.check(world, request, account)
            response = handler(world, request, account)
        except BlobError as refused:
            response = _refusal(world, request, refused)
        response.headers |= {
            "x-ms-version": request.headers.get("x-ms-version", "2021-12-02"),
            "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
            "Date": _http_date(world.clock.now()),
        }
        return response

    return handle


def _refusal(world: World, request: Request, refused: BlobError) -> Response:
    text = f"{refused.message}\nRequestId:{request.request_id}\nTime:{stamp(world.clock.now())}"
    body = f"{_XML}<Error><Code>{refused.code}</Code><Message>{escape(text)}</Message></Error>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": refused.code}
    if refused.status == 401:
        headers["WWW-Authenticate"] = f'Bearer authorization_uri="{world.base_url}/{world.tenant_id}/oauth2/authorize"'
    return Response(refused.status, body.encode(), headers)


def _xml(body: str) -> Response:
    return Response(200, (_XML + body).encode(), {"Content-Type": "application/xml"})


def _unsupported(request: Request) -> BlobError:
    comp = request.q("comp") or request.q("restype") or "(none)"
    return BlobError(
        400,
        "InvalidQueryParameterValue",
        f"Value for one of the query parameters specified in the request URI is invalid: {comp}.",
    )


def _window(request: Request, rows: list[Row]) -> tuple[list[Row], str]:
    try:
        size = min(int(request.q("maxresults") or 5_000), 5_000)
        start = int(request.q("marker") or 0)
    except ValueError:
        raise BlobError(
            400, "OutOfRangeQueryParameterValue", "A query parameter is outside the permissible range."
        ) from None
    if size < 1 or start < 0:
        raise BlobError(400, "OutOfRangeQueryParameterValue", "A query parameter is outside the permissible range.")
    return rows[start : start + size], str(start + size) if start + size < len(rows) else ""


def _envelope(world: World, request: Request, account: Document, container: str, inner: str, marker: str) -> str:
    named = f" ContainerName={quoteattr(container)}" if container else ""
    asked = "".join(
        f"<{tag}>{escape(request.q(name))}</{tag}>"
        for tag, name in (("Prefix", "prefix"), ("Marker", "marker"), ("MaxResults", "maxresults"))
        if request.q(name)
    )
    following = f"<NextMarker>{marker}</NextMarker>" if marker else "<NextMarker />"
    where = quoteattr(models.endpoint(world, account))
    return f"<EnumerationResults ServiceEndpoint={where}{named}>{asked}{inner}{following}</EnumerationResults>"


def account_level(world: World, request: Request, account: Document) -> Response:
    """`?comp=list`: the account's containers."""
    if request.q("comp").lower() != "list":
        raise _unsupported(request)
    prefix = request.q("prefix")
    rows, marker = _window(request, [c for c in models.containers(world, account) if c.startswith(prefix)])
    changed = _http_date(models.moment(account.get("_created") or stamp(world.clock.now())))
    inner = "".join(
        f"<Container><Name>{escape(name)}</Name><Properties><Last-Modified>{changed}</Last-Modified>"
        f'<Etag>"0x{abs(len(name)):016X}"</Etag><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>'
        "<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold></Properties></Container>"
        for name in rows
    )
    return _xml(_envelope(world, request, account, "", f"<Containers>{inner}</Containers>", marker))


def container_level(world: World, request: Request, account: Document) -> Response:
    """`?restype=container&comp=list`: the blobs of a container, with snapshots and deleted ones when `include` asks for them."""
    container = request.params["container"]
    if request.q("restype").lower() != "container" or request.q("comp").lower() != "list":
        raise _unsupported(request)
    if container not in models.containers(world, account):
        raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
    include = {part.strip().lower() for part in request.q("include").split(",")}
    entries: list[tuple[Document, str]] = []
    for blob in models.blobs(world, account["name"], container):
        if not str(blob["name"]).startswith(request.q("prefix")) or (blob.get("_deleted") and "deleted" not in include):
            continue
        if "snapshots" in include:
            entries += [(blob, _snapshot_name(s)) for s in blob.get("snapshots") or []]
        entries.append((blob, ""))
    rows, marker = _window(request, entries)
    inner = "".join(_blob_entry(blob, snapshot) for blob, snapshot in rows)
    return _xml(_envelope(world, request, account, container, f"<Blobs>{inner}</Blobs>", marker))


def _snapshot_name(row: object) -> str:
    return str(row.get("snapshot") or row.get("time") or "") if isinstance(row, dict) else str(row)


def _blob_entry(blob: Document, snapshot: str) -> str:
    properties = {
        "Creation-Time": _http_date(models.moment(blob["created"])),
        "Last-Modified": _http_date(models.moment(blob.get("modified") or blob["created"])),
        "Etag": models.etag(blob).strip('"'),
        "Content-Length": str(blob["size"]),
        "Content-Type": "application/octet-stream",
    }
    if blob.get("blob_type", "PageBlob") == "PageBlob":
        properties["x-ms-blob-sequence-number"] = "0"
    properties["BlobType"] = blob.get("blob_type", "PageBlob")
    if not snapshot:
        properties |= _lease(blob)
    properties["ServerEncrypted"] = "true"
    if blob.get("_deleted"):
        properties["DeletedTime"] = _http_date(models.moment(blob.get("_deleted_at") or blob["created"]))
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in properties.items())
    marks = ("<Deleted>true</Deleted>" if blob.get("_deleted") else "") + (
        f"<Snapshot>{snapshot}</Snapshot>" if snapshot else ""
    )
    return f"<Blob><Name>{escape(str(blob['name']))}</Name>{marks}<Properties>{inner}</Properties><OrMetadata /></Blob>"


def _lease(blob: Document) -> dict[str, str]:
    if blob.get("leased"):
        return {"LeaseStatus": "locked", "LeaseState": "leased", "LeaseDuration": "infinite"}
    return {"LeaseStatus": "unlocked", "LeaseState": "available"}


def _target(world: World, request: Request, account: Document) -> Document:
    return models.find_blob(world, account["name"], request.params["container"], request.params["name"])


def head_blob(world: World, request: Request, account: Document) -> Response:
    """The blob's properties as headers."""
    blob = _target(world, request, account)
    models.check_conditions(blob, request.headers)
    lease = _lease(blob)
    headers = {
        "Content-Length": str(blob["size"]),
        "Content-Type": "application/octet-stream",
        "ETag": models.etag(blob),
        "Last-Modified": _http_date(models.moment(blob.get("modified") or blob["created"])),
        "x-ms-creation-time": _http_date(models.moment(blob["created"])),
        "x-ms-blob-type": blob.get("blob_type", "PageBlob"),
        "x-ms-lease-status": lease["LeaseStatus"],
        "x-ms-lease-state": lease["LeaseState"],
        "x-ms-server-encrypted": "true",
        "Accept-Ranges": "bytes",
    }
    return Response(200, None, headers)


def delete_blob(world: World, request: Request, account: Document) -> Response:
    """Delete a blob (202)."""
    models.delete_blob(world, account, _target(world, request, account), request.headers)
    kept = models.keeps_deleted(world, account)
    return Response(202, None, {"x-ms-delete-type-permanent": "false" if kept else "true"})


def put_blob(world: World, request: Request, account: Document) -> Response:
    """`?comp=snapshot` takes a snapshot (201), `?comp=undelete` brings a soft-deleted blob back (200)."""
    comp = request.q("comp").lower()
    if comp == "snapshot":
        blob = _target(world, request, account)
        models.check_conditions(blob, request.headers)
        name = models.snapshot(world, blob)
        return Response(
            201, None, {"x-ms-snapshot": name, "ETag": models.etag(blob), "x-ms-request-server-encrypted": "false"}
        )
    if comp == "undelete":
        params = request.params
        found = world.blobs.get(f"{account['name']}/{params['container']}/{params['name']}")
        if found is None:
            raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
        found.pop("_deleted", None)
        found.pop("_deleted_at", None)
        return Response(200)
    raise _unsupported(request)
