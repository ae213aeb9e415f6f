"""The state of one simulated cloud. Services read and change it; scenarios fill it; tests look at it.

Documents are plain dictionaries in the shape ARM answers them. Keys that begin with "_" are the simulator's own (power state, price)
and are never answered: `public` removes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import Clock
from azure_simulator.consistency import Past

Document = dict[str, Any]


class Table(MutableMapping[str, Document]):
    """Documents by id, compared without regard to case, in order of insertion."""

    def __init__(self) -> None:
        self._rows: dict[str, Document] = {}
        self.past = Past()  # of `World.groups` and `World.resources`, while lists lag behind

    def __getitem__(self, key: str) -> Document:
        return self._rows[key.lower()]

    def __setitem__(self, key: str, value: Document) -> None:
        self._rows[key.lower()] = value

    def __delitem__(self, key: str) -> None:
        del self._rows[key.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._rows

    def of_type(self, kind: str, below: str = "") -> list[Document]:
        """Documents whose `type` equals `kind` (any case) and whose id is at or below `below`."""
        wanted, scope = kind.lower(), below.lower().rstrip("/")
        return [
            row
            for key, row in self._rows.items()
            if str(row.get("type", "")).lower() == wanted and (not scope or key == scope or key.startswith(scope + "/"))
        ]

    def with_earlier(self, rows: Mapping[str, Document | None]) -> Table:
        """This table with other documents under some keys, those of None left out; itself when there are no such keys."""
        if not rows:
            return self
        earlier = Table()
        merged = {**self._rows, **rows}
        earlier._rows = {key: row for key, row in merged.items() if row is not None}
        return earlier

    def below(self, scope: str) -> list[Document]:
        """Documents whose id is the scope or below it."""
        outer = scope.lower().rstrip("/")
        return [row for key, row in self._rows.items() if key == outer or key.startswith(outer + "/")]


def public(document: Document) -> Document:
    """The document as Azure answers it: a copy without the simulator's own keys (top level and `properties`)."""
    shown = {key: value for key, value in document.items() if not key.startswith("_")}
    if isinstance(shown.get("properties"), dict):
        shown["properties"] = {k: v for k, v in shown["properties"].items() if not k.startswith("_")}
    return shown


@dataclass
class Principal:
    """Somebody who can sign in: User, ServicePrincipal, Group, ForeignGroup. `secrets` are valid client secrets; `enabled` False
    refuses tokens; `sessions_revoked_at` makes older tokens invalid."""

    object_id: str
    kind: str
    name: str
    upn: str = ""
    app_id: str = ""
    tenant_id: str = ""
    secrets: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)  # PEM; a client assertion signed by one of them is accepted
    enabled: bool = True
    sessions_revoked_at: datetime | None = None


@dataclass(frozen=True)
class Grant:
    """A refresh token: whose it is, the application it was given to ("": any), when, and whether a second factor was used (None: unknown)."""

    object_id: str
    client_id: str
    issued_at: datetime
    mfa: bool | None


@dataclass(frozen=True)
class CostRow:
    """One resource's cost on one day, as Cost Management groups it. `available_at`: before it, the row is not answered (data is late)."""

    day: date
    resource_id: str
    service: str
    region: str  # as billing spells it, e.g. "us east"
    resource_group: str
    cost: Decimal
    currency: str
    available_at: datetime


@dataclass
class LongRunning:
    """One long-running operation. `finish` is called once when its time has come and returns None or an error document."""

    id: str
    started_at: datetime
    due_at: datetime
    finish: Callable[[], Document | None]
    status: str = "InProgress"
    error: Document | None = None
    ended_at: datetime | None = None
    result: Callable[[], Document | None] | None = None


@dataclass(frozen=True)
class LoggedRequest:
    """A row of the request log. `url` is path and query as sent; `fault` names an injected fault; `headers` are the request's, without tokens."""

    at: str
    method: str
    url: str
    status: int
    service: str = ""
    principal: str = ""
    body: str = ""
    fault: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """One simulated cloud."""

    seed: int
    clock: Clock
    chance: Chance
    base_url: str = "https://localhost"  # where clients reach it; set by the server before the first request
    scenario: str = ""
    tenant_id: str = ""  # the customer's tenant
    partner_tenant_id: str = ""
    currency: str = "USD"
    operation_seconds: float = 2.0  # how long long-running operations take on the world's clock; 0: done at once

    principals: dict[str, Principal] = field(default_factory=dict)  # by object id
    subscriptions: Table = field(default_factory=Table)  # by "/subscriptions/{guid}"
    groups: Table = field(default_factory=Table)
    resources: Table = field(
        default_factory=Table
    )  # everything of the generic resource list, and disks, snapshots, NICs ...
    role_definitions: Table = field(default_factory=Table)
    role_assignments: Table = field(default_factory=Table)
    locks: Table = field(default_factory=Table)
    policy_definitions: Table = field(default_factory=Table)
    policy_assignments: Table = field(default_factory=Table)
    budgets: Table = field(default_factory=Table)
    events: list[Document] = field(default_factory=list)  # activity log, REST EventData, oldest first
    costs: list[CostRow] = field(default_factory=list)
    prices: list[Document] = field(
        default_factory=list
    )  # retail price items: armRegionName, armSkuName, retailPrice, ...
    quotas: Table = field(
        default_factory=Table
    )  # "{subscription}/{region}/{family}" -> {"limit": int, "family", "region", ...}
    support_tickets: Table = field(default_factory=Table)
    quota_requests: Table = field(default_factory=Table)
    blobs: Table = field(default_factory=Table)  # "{account}/{container}/{name}" -> {"size", "leased", "etag", ...}
    registered_providers: dict[str, set[str]] = field(default_factory=dict)  # subscription -> lower-case namespaces
    partner: Document = field(
        default_factory=dict
    )  # organization, customers, relationships, subscriptions, azureEntitlements
    alerts: dict[str, Document] = field(default_factory=dict)  # Graph partner security alerts by id

    tables: dict[str, Table] = field(default_factory=dict)  # see `table`
    unfilled: dict[str, Callable[[World], None]] = field(default_factory=dict)  # see `fill`

    grants: dict[str, Grant] = field(default_factory=dict)  # by refresh token
    pending_consents: dict[str, Document] = field(default_factory=dict)  # device codes, user codes, authorization codes

    operations: dict[str, LongRunning] = field(default_factory=dict)
    requests: list[LoggedRequest] = field(default_factory=list)
    timers: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)
    truth: Document = field(default_factory=dict)  # only the scorer reads it
    on_change: list[Callable[[str, Document], None]] = field(
        default_factory=list
    )  # called with ("machine.stopped", document) ...

    throttling: bool = False  # the published token buckets; the server switches them on
    directory_rules: bool = (
        False  # whether Graph asks for consents, directory roles and licences; scenarios switch it on
    )
    policy_delay_seconds: float = 0  # how long after its creation a policy assignment begins to deny
    api_version_ceiling: str = "2027-12-31"  # the newest api-version that is accepted
    token_seconds: int = 86_399  # how long access tokens live on the world's clock
    refresh_token_seconds: float = 90 * 86_400  # how long an unused refresh token lives
    refused_sign_ins: dict[str, int] = field(
        default_factory=dict
    )  # AADSTS number by tenant ("*": any) that people's sign-ins are refused with there
    quota_reduction: str = (
        "mixed"  # what becomes of lowering a quota: "mixed" (NC and ND families only), "always", "never"
    )
    entitlement_seconds: float = 20  # how long Partner Center takes to cancel or reactivate an Azure subscription
    partner_mfa: bool = True  # what `isMfaCompliant` says of people whose token does not tell
    mfa_required: bool = False  # whether Partner Center refuses people's tokens without a second factor (900421)
    partner_role_missing: bool = False  # whether the identity lacks its role in Partner Center (900308)
    tunnels: dict[str, str] = field(
        default_factory=dict
    )  # origin of a webhook's address -> where it leads, as a proxy with TLS in front does
    list_lag_seconds: float = 0  # how far lists of resources and groups are behind; 0: not at all
    sealed_with: str = ""  # a key that the simulator's own routes ask for, "" for none; for drills
    settling: bool = False  # while `settle` runs: requests made meanwhile do not settle again
    faults: list[Any] = field(default_factory=list)  # `azure_simulator.faults.Fault` rules, first match wins
    memory: dict[str, Any] = field(default_factory=dict, repr=False)  # derived data (buckets, indexes), never state

    def table(self, name: str) -> Table:
        """The table of that name, made on first use, e.g. "security.pricings"."""
        return self.tables.setdefault(name, Table())

    def fill(self, name: str = "") -> None:
        """Do what was put off until somebody asks: fill the table `name`, without a name all that are not filled."""
        for each in [name] if name else list(self.unfilled):
            if each in self.unfilled:
                self.unfilled.pop(each)(self)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` when the clock has moved on by `seconds`; `settle` does it."""
        self.timers.append((self.clock.now() + timedelta(seconds=seconds), act))

    def settle(self) -> None:
        """Carry out what has become due, oldest first, then end the long-running operations that are due. Called before each request."""
        now, outer = self.clock.now(), self.settling
        if self.resources.past.begun != (self.list_lag_seconds > 0):
            self.note_changes()
        self.settling, acted = True, False
        try:
            # One at a time, and marked before it runs: what a timer or an operation sets off may settle the world again.
            while due := [timer for timer in self.timers if timer[0] <= now]:
                timer = min(due, key=lambda t: t[0])
                self.timers.remove(timer)
                timer[1]()
                acted = True
            for operation in list(self.operations.values()):
                if operation.status == "InProgress" and operation.ended_at is None and operation.due_at <= now:
                    operation.ended_at, acted = now, True
                    operation.error = operation.finish()
                    operation.status = "Failed" if operation.error else "Succeeded"
        finally:
            self.settling = outer
            if acted:
                self.note_changes()

    def note_changes(self) -> None:
        """Remember what lists have to show for a while longer; does nothing without a lag. Called wherever documents may have changed."""
        for table in (self.groups, self.resources):
            if self.list_lag_seconds > 0:
                table.past.note(self.clock.now(), table.items(), keep_after=self.listed_at())
            else:
                table.past.forget()

    def listed_at(self) -> datetime:
        """The moment whose state lists answer."""
        return self.clock.now() - timedelta(seconds=self.list_lag_seconds)

    def listed(self, table: Table) -> Table:
        """The groups or resources as lists answer them now: the table itself, or one with copies of what stood a lag ago."""
        if self.list_lag_seconds <= 0:
            return table
        self.note_changes()
        return table.with_earlier(table.past.before(self.listed_at()))

    def changed(self, what: str, document: Document) -> None:
        """Tell listeners (the reacting attacker, autoscale) that something happened."""
        for listener in list(self.on_change):
            listener(what, document)
