"""What an intruder holds and left in the directory, each thing with its present state: what identity containment plans from.

Names stand as the directory has them: hostile text.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from firebreak.model.facts import Facts

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"  # the template id, the same in every tenant


class Intruder(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that the attacker acts as. `own`: the attacker brought it in; else it is somebody's and was stolen.

    `kind` is user or servicePrincipal; `addresses` are the attacker's, as this identity; `brought_in_at` is when, as far as the directory's log
    tells; `reasons` are sentences.
    """

    id: str
    name: str
    kind: str
    own: bool
    addresses: tuple[str, ...] = ()
    brought_in_at: datetime | None = None
    reasons: tuple[str, ...] = ()


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person's account as it is now. None: Graph did not tell. `exposed`: the attacker set its password and does not otherwise act as it."""

    id: str
    name: str
    enabled: bool | None = None
    synced: bool = False
    guest: bool = False
    exposed: bool = False
    created_at: datetime | None = None
    password_changed_at: datetime | None = None
    sessions_from: datetime | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service principal as it is now. `kind` as Graph has it (Application, ManagedIdentity, ...); `owner_tenant` registered its application."""

    id: str
    app_id: str
    name: str
    kind: str = ""
    enabled: bool | None = None
    owner_tenant: str = ""
    created_at: datetime | None = None


class TraceKind(StrEnum):
    """What the attacker left or changed; OTHER is shown to people and handled by nobody here."""

    METHOD = "method"
    CONTACT = "contact"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    CERTIFICATE = "certificate"
    ISSUER = "issuer"
    CONSENT = "consent"
    RIGHT = "right"
    ROLE = "role"
    ELIGIBLE = "eligible role"
    POLICY = "policy"
    OTHER = "other"


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the attacker made or changed in the directory and that stands there now.

    `target` is its Graph path, `principal_id` whom it belongs to (the service principal of an application, "" when unknown), `what` names it for
    people, `holder` names its holder. `document` is what is needed to put it back or to change it back. `problem`: why nobody but a person
    can act on it. `event_id` is the audit record.
    """

    kind: TraceKind
    target: str
    what: str
    at: datetime
    by: str
    address: str = ""
    event_id: str = ""
    principal_id: str = ""
    holder: str = ""
    document: dict[str, Any] = {}
    problem: str = ""


class Intrusion(Facts, frozen=True, kw_only=True):
    """The attacker in the directory. `accounts` and `services` are those of the intruders, and accounts whose passwords they set."""

    window_start: datetime
    intruders: tuple[Intruder, ...] = ()
    accounts: tuple[Account, ...] = ()
    services: tuple[Service, ...] = ()
    traces: tuple[Trace, ...] = ()

    def intruder(self, principal_id: str) -> Intruder | None:
        wanted = principal_id.lower()
        return next((one for one in self.intruders if one.id == wanted), None)

    def of_kind(self, *kinds: TraceKind) -> tuple[Trace, ...]:
        """The traces of some kinds, in the order of their targets."""
        return tuple(sorted((one for one in self.traces if one.kind in kinds), key=lambda one: (one.target, one.what)))
