"""One operation at a time on one resource, and the answer that starts it.

A running operation leaves its token in the document's `_operation`; the end of an operation that was overtaken does nothing. When an
operation is made to fail, `recover` puts the document back into a state that Azure could be in: the next reader or writer calls it.
"""

from __future__ import annotations

from collections.abc import Callable

from azure_simulator.http import Request, Response, accepted
from azure_simulator.services.compute.exceptions import ConflictError, preempted
from azure_simulator.world import Document, World

Finish = Callable[[], Document | None]


def claim(world: World, document: Document, *, overtake: bool = False) -> str:
    """Mark that an operation runs on the document and return its token.

    Raises:
        ConflictError: another one does, and this one may not `overtake` it.
    """
    recover(world, document)
    if document.get("_operation") and not overtake:
        raise ConflictError
    token = world.chance.guid()
    document["_operation"] = token
    return token


def recover(world: World, document: Document) -> None:
    """Undo what a failed operation had begun: its undo runs, and a provisioning state that says "under way" becomes Failed."""
    operation = world.operations.get(document.get("_operation_id", ""))
    if operation is None or operation.status != "Failed" or "_operation" not in document:
        return
    _forget(document)
    if document.get("properties", {}).get("provisioningState", "").endswith("ing"):
        document["properties"]["provisioningState"] = "Failed"
    undo: Callable[[], None] | None = world.memory.pop(f"undo/{operation.id}", None)
    if undo is not None:
        undo()


def _forget(document: Document) -> None:
    document.pop("_operation", None)
    document.pop("_operation_id", None)


def ending(world: World, document: Document, token: str, finish: Finish) -> Finish:
    """What to call when the operation is due: `finish`, unless the document is gone or another operation has overtaken it."""

    def end() -> Document | None:
        if world.resources.get(document["id"]) is not document:
            return None
        if document.get("_operation") != token:
            return preempted()
        world.memory.pop(f"undo/{document.get('_operation_id', '')}", None)
        _forget(document)
        return finish()

    return end


def long_running(
    world: World,
    request: Request,
    document: Document,
    finish: Finish,
    *,
    overtake: bool = False,
    status: int = 202,
    body: Document | None = None,
    location: bool = True,
    result: Finish | None = None,
    undo: Callable[[], None] | None = None,
    namespace: str = "Microsoft.Compute",
) -> Response:
    """Claim the document, start the operation and answer with the headers of its region's operations.

    `undo` takes back what the caller changes at once, should the operation be made to fail.

    Raises:
        ConflictError: another operation runs.
    """
    token = claim(world, document, overtake=overtake)
    region = document.get("location") or "global"
    response = accepted(
        world,
        request,
        ending(world, document, token, finish),
        operations_path=f"/subscriptions/{request.params['s']}/providers/{namespace}/locations/{region}/operations",
        status=status,
        body=body,
        location=location,
        result=result,
    )
    if document.get("_operation") == token:
        document["_operation_id"] = identity = next(reversed(world.operations))
        world.memory[f"undo/{identity}"] = undo
    return response
