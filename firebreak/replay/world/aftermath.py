"""What the attacker did after a moment, tried once more in the world in which the plan was carried out: what is refused now, and why. Pure but for
`tried_again`, which is handed the way to ask the world."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from firebreak.bundle import Bundle
from firebreak.model.facts import ActivityFacts, Attribution, Operation

Ask = Callable[[str, str, Any], Any]
"""Method, name of the world's own route, body -> its answer."""

_REFUSED, _WORKS, _NOT_TRIED = "refused", "works", "not tried"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_KEPT = ("location", "sku", "kind", "plan", "identity", "zones", "tags", "properties")
_LONGEST = 400
_SIGNED_OUT = "InvalidAuthenticationToken"
_MALFORMED = ("BadRequest", "InvalidRequestContent", "LocationRequired")
WHY = {
    "RequestDisallowedByPolicy": "a policy denies it",
    "AuthorizationFailed": "the role it needs is gone",
    "ScopeLocked": "a lock stands in its way",
    "QuotaExceeded": "the quota does not reach",
    "OperationNotAllowed": "Azure does not allow it now",
    "ResourceNotFound": "what it acts on is not there",
    "ResourceGroupNotFound": "its resource group is not there",
    "ParentResourceNotFound": "what it would lie in is not there",
    "InvalidResourceReference": "something that it needs could not be made before",
    _SIGNED_OUT: "its account is closed or its session was ended",
}


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the attacker's. `then` is how it ended, `now` is refused, works or not tried; `code` is the world's, `because` in words.

    Where the sign-in is what refused it, `with_token` says what it would be as long as an access token of then is good, and `with_token_because`
    why: Azure hears of a closed account at once through continuous access evaluation, elsewhere when the token ends, within an hour or so
    (https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation).
    """

    at: datetime
    operation: str
    target: str
    caller: str
    then: str
    now: str
    code: str = ""
    because: str = ""
    with_token: str = ""
    with_token_because: str = ""


def operations_after(
    activity: ActivityFacts | None, attribution: Attribution | None, moment: datetime
) -> list[Operation]:
    """What the attacker changed, or tried to, after a moment; the oldest first."""
    if activity is None or attribution is None:
        return []
    theirs = [one for one in activity.operations if one.at > moment and attribution.did(one) and _request(one)]
    return sorted(theirs, key=lambda one: (one.at, one.id))


def made_by(operations: Iterable[Operation]) -> list[str]:
    """What those operations made: ids of what did not stand before."""
    made = [one for one in operations if one.name.lower().endswith("/write") and one.status == "succeeded"]
    return sorted({one.resource_id for one in made if one.created is not False and one.resource_id.count("/") > 3})


def bodies_in(bundle: Bundle, operations: Iterable[Operation]) -> dict[str, Any]:
    """Operation id -> what was sent, from the recorded log; those that the log does not tell are not in it."""
    wanted = {event: one.id for one in operations for event in one.event_ids}
    found: dict[str, Any] = {}
    for entry in bundle.evidence if wanted else ():
        if "eventtypes/management" not in entry.url.lower() or entry.status != 200:
            continue
        try:
            rows = msgspec.json.decode(bundle.body(entry))["value"]
        except (ValueError, TypeError, KeyError):
            continue
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and (known := wanted.get(str(row.get("eventDataId", "")))):
                sent = _sent(row.get("properties"))
                if sent is not None:
                    found[known] = sent
    return found


def documents_in(bundle: Bundle) -> dict[str, Any]:
    """Lower-case id -> what would be sent to make this resource, from all recorded lists of resources with their properties."""
    found: dict[str, Any] = {}
    for entry in bundle.evidence:
        if entry.status != 200 or "/providers/" not in entry.url or "eventtypes" in entry.url:
            continue
        try:
            body = msgspec.json.decode(bundle.body(entry))
        except ValueError:
            continue
        rows = body.get("value", [body]) if isinstance(body, dict) else ()
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("properties"), dict):
                found.setdefault(row["id"].lower(), {key: row[key] for key in _KEPT if row.get(key) is not None})
    return found


def tried_again(
    operations: Iterable[Operation], bodies: Mapping[str, Any], documents: Mapping[str, Any], ask: Ask
) -> tuple[Again, ...]:
    """Try each operation in the world, in order, as the one who did it then."""
    return tuple(_one(one, bodies, documents, ask) for one in operations)


def _one(one: Operation, bodies: Mapping[str, Any], documents: Mapping[str, Any], ask: Ask) -> Again:
    told: dict[str, Any] = {
        "at": one.at,
        "operation": one.name,
        "target": one.resource_id,
        "caller": one.caller or one.principal_id,
        "then": one.status,
    }
    principal = next((name for name in (one.principal_id, one.caller) if _GUID.fullmatch(name)), "")
    request = _request(one)
    body = bodies.get(one.id, documents.get(one.resource_id.lower()))
    if not principal:
        return Again(**told, now=_NOT_TRIED, because="The log does not tell the id of who did it.")
    if request is None or (request[0] == "PUT" and not isinstance(body, dict)):
        return Again(**told, now=_NOT_TRIED, because="What was sent is not recorded.")
    given = {
        "principal": principal,
        "method": request[0],
        "url": request[1],
        "body": body if request[0] == "PUT" else None,
        # With the session of then: what the plans closed or revoked since refuses it.
        "session_started": one.at.isoformat(),
    }
    now, code, because = _told(one, ask("POST", "act", given))
    if code != _SIGNED_OUT:
        return Again(**told, now=now, code=code, because=because)
    with_token, _, why = _told(one, ask("POST", "act", {**given, "token_lives": True}))
    return Again(**told, now=now, code=code, because=because, with_token=with_token, with_token_because=why)


def _told(one: Operation, answer: Mapping[str, Any]) -> tuple[str, str, str]:
    """How the world answered, its code, and why in words."""
    status, error = int(answer["status"]), (answer.get("answer") or {}).get("error") or {}
    if status < 400:
        return _WORKS, "", ""
    code = str(error.get("code") or status)
    if code in _MALFORMED and one.status == "succeeded":
        # Azure took it then, so what the world does not understand is our copy of it.
        return _NOT_TRIED, code, "What was sent is not recorded whole."
    return _REFUSED, code, WHY.get(code) or str(error.get("message") or code)[:_LONGEST]


def _request(one: Operation) -> tuple[str, str] | None:
    """Method and path of an operation of Resource Manager; None for those that are told otherwise or only read."""
    parts, path = one.name.split("/"), one.resource_id.rstrip("/")
    last = parts[-1].lower()
    if not path.lower().startswith("/subscriptions/") or len(parts) < 3:
        return None
    if last == "write":
        return "PUT", path
    if last == "delete":
        return "DELETE", path
    verb = parts[-2]
    if last != "action" or verb.lower().startswith(("list", "get", "read")):
        return None
    return "POST", path if path.lower().endswith(f"/{verb.lower()}") else f"{path}/{verb}"


def _sent(properties: Any) -> Any:
    """The request's body of an event, which is JSON in a text; None when there is none."""
    text = properties.get("requestbody") if isinstance(properties, dict) else None
    try:
        return msgspec.json.decode(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
