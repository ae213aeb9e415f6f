"""The status addresses of long-running operations, the same for every service: `.../operations/{id}`, `.../operationresults/{id}` ...

`Azure-AsyncOperation` addresses answer 200 with `status`; `Location` addresses (results, or `monitor=true`) answer 202 until the end,
then 200 with the result, or an empty body where the operation has none.
"""

from __future__ import annotations

import math

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, Route, route
from azure_simulator.world import Document, World


def status(world: World, request: Request) -> Response:
    """The state of one operation.

    Raises:
        ArmError: 404 OperationNotFound; on a `Location` address also 409 with the operation's own error when it failed.
    """
    operation = world.operations.get(request.params["id"])
    if operation is None:
        raise ArmError(
            404, "OperationNotFound", f"The operation '{request.params['id']}' was not found or has expired."
        )
    left = (operation.due_at - world.clock.now()).total_seconds()
    waiting = {"Retry-After": str(min(10, math.ceil(left)))} if operation.status == "InProgress" and left >= 1 else {}
    if "/operationresults/" in request.path.lower() or request.q("monitor").lower() == "true":
        if operation.status == "InProgress":
            return Response(202, None, {"Location": f"{world.base_url}{request.target or request.path}", **waiting})
        if operation.error:
            raise ArmError(409, operation.error.get("code", "OperationFailed"), operation.error.get("message", ""))
        return Response(200, operation.result() if operation.result else None)
    body: Document = {
        "id": request.path,
        "name": operation.id,
        "status": operation.status,
        "startTime": stamp(operation.started_at),
    }
    if operation.ended_at is not None:
        body["endTime"] = stamp(operation.ended_at)
    if operation.error:
        body["error"] = operation.error
    elif operation.status == "Succeeded" and operation.result and (result := operation.result()) is not None:
        body["properties"] = {"output": result}
    return Response(200, body, waiting)


ROUTES: list[Route] = [
    route("GET", f"{{path...}}/{name}/{{id}}", status)
    for name in ("operations", "operationresults", "operationsStatus", "operationStatuses", "asyncOperations")
]
