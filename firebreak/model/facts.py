"""What reading steps produce: typed facts, one type per step, stored as JSON and loaded back unchanged after a restart.

Each type inherits `Facts` and with it the honest list of what was not looked at. Prices and costs are Decimals, times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from firebreak.model.finding import NotLookedAt


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts."""

    not_looked_at: tuple[NotLookedAt, ...] = ()


# investigate.subscription ------------------------------------------------------------------------------------------------


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of what an identity may do: actions, with `*` for anything, less `not_actions` of the same entry."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


class SubscriptionFacts(Facts, frozen=True, kw_only=True):
    """The subscription, who we are in it, and which partner objects belong to it.

    `own_principal_ids` are the acting identity's object ids, `member_of` groups through which it holds roles here; `missing_permissions` are
    ARM actions the playbook needs and the identity lacks in the whole subscription. `permissions` maps a scope in lower case (the subscription,
    and each group or resource where it holds roles of its own) to what the identity may do there; empty when that was not read. `entitlement` is the Partner Center path `/v1/customers/{c}/subscriptions/{plan}/azureEntitlements/{e}` when exactly
    one matches, else "" with a NotLookedAt.
    """

    subscription_id: str
    tenant_id: str
    display_name: str
    state: str
    quota_id: str = ""
    own_principal_ids: tuple[str, ...] = ()
    member_of: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()
    permissions: dict[str, tuple[Permission, ...]] = {}
    customer_name: str = ""
    partner_name: str = ""
    indirect_resellers: tuple[str, ...] = ()
    entitlement: str = ""
    entitlement_status: str = ""


# investigate.alerts ------------------------------------------------------------------------------------------------------


class SeenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One of Microsoft's alerts about the customer. `status` is active, investigating or resolved, in lower case; "" when not told."""

    id: str
    type: str = ""
    title: str = ""
    severity: str = ""
    status: str = ""
    resolved_reason: str = ""
    subscription_id: str = ""
    detected_at: datetime | None = None
    is_test: bool = False


class FraudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One fraud event in Partner Center's audit records."""

    at: datetime | None = None
    subscription_id: str = ""


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """A security advisory that the customer was sent through Service Health. `status` is active or resolved, in lower case."""

    id: str
    title: str = ""
    status: str = ""
    updated_at: datetime | None = None


class AlertFacts(Facts, frozen=True, kw_only=True):
    """Microsoft's alerts about this customer, this incident's among them, the fraud events that Partner Center noted, and the security
    advisories that the customer was sent.

    `this_alert` is None when Microsoft lists none with the incident's id; that means something only where `were_read`. `new_fields` are
    names of fields that this release does not know.
    """

    this_alert: SeenAlert | None = None
    others: tuple[SeenAlert, ...] = ()
    events: tuple[FraudEvent, ...] = ()
    advisories: tuple[Advisory, ...] = ()
    were_read: bool = False
    new_fields: tuple[str, ...] = ()


# investigate.activity_log ------------------------------------------------------------------------------------------------


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: all its events (Started, Accepted, Succeeded or Failed) by correlation and name. `name` keeps Azure's spelling.

    `status` is the last word: succeeded, failed, started (no end seen). `caller` is a UPN or object id, "" when absent.
    `principal_id` is the object id from the claims. `properties` holds the parsed request body's few fields that detections use.
    """

    id: str
    name: str
    status: str
    at: datetime
    caller: str = ""
    principal_id: str = ""
    app_id: str = ""
    address: str = ""
    token: str = ""  # the id of the access token, which tells one run of a pipeline from another
    resource_id: str = ""
    region: str = ""
    correlation_id: str = ""
    event_ids: tuple[str, ...] = ()
    properties: dict[str, Any] = {}
    mfa: bool | None = None  # what the token said of multi-factor authentication; None when it said nothing
    created: bool | None = None  # Azure answered 201 (True) or 200 (False); None when the log does not say
    category: str = ""  # lower case: administrative, policy, security, auditlogs, signinlogs, ...
    matched: tuple[str, ...] | None = None  # ids of the detections it falls under; None when they were not asked


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller over the whole log: first and last seen, addresses with counts, operations count."""

    caller: str
    principal_id: str = ""
    first_seen: datetime
    last_seen: datetime
    operations: int
    addresses: dict[str, int] = {}
    regions: dict[str, int] = {}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One way somebody worked: caller, address and client app together, over the whole log.

    A stolen identity goes on working honestly from its usual address, so judgements are on sessions, not on callers. Counts named
    `..._before` are of the time before the incident's window; `peak_before` is the most resources created in any hour of it. `mfa` and
    `no_mfa` count operations whose token said so; a token that says nothing counts in neither.
    """

    caller: str
    principal_id: str = ""
    address: str = ""
    app_id: str = ""
    first_seen: datetime
    last_seen: datetime
    operations: int
    operations_before: int = 0
    days_before: int = 0
    dates_before: tuple[int, ...] = ()  # those days, counted from 1970-01-01 (UTC)
    mfa: int = 0
    no_mfa: int = 0
    mfa_before: int = 0
    no_mfa_before: int = 0
    peak_before: int = 0
    names_before: tuple[str, ...] = ()  # the different operations, lower case
    groups_before: tuple[str, ...] = ()  # the resource groups worked in, lower case; of services alone, as the regions
    regions_before: tuple[str, ...] = ()


class ActivityFacts(Facts, frozen=True, kw_only=True):
    """The review of the log: counts over all of it, operations only of the incident's window (the full log is evidence).

    `window_start` begins where the detections look; `creators` maps lower-case resource id -> the operation id that created it, over
    the whole 90 days.
    """

    events: int
    from_time: datetime
    to_time: datetime
    window_start: datetime
    operations: tuple[Operation, ...] = ()
    callers: tuple[Caller, ...] = ()
    sessions: tuple[Session, ...] = ()
    creators: dict[str, Operation] = {}

    def made_before(self) -> Iterator[Operation]:
        """The operations from before the window that made what stands."""
        return (operation for operation in self.creators.values() if operation.at < self.window_start)


# investigate.inventory ---------------------------------------------------------------------------------------------------


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual machine. `power` is running, stopped, deallocated, ... ; `size` the SKU; `scale_set` its Flexible scale set or ""."""

    id: str
    name: str
    region: str
    size: str
    power: str
    vm_id: str
    created_at: datetime | None = None
    priority: str = "Regular"
    tags: dict[str, str] = {}
    disk_ids: tuple[str, ...] = ()
    nic_ids: tuple[str, ...] = ()
    scale_set: str = ""
    os: str = "Linux"


class ScaleSet(msgspec.Struct, frozen=True, kw_only=True):
    """A scale set (Uniform). `power` maps instance id -> power state."""

    id: str
    name: str
    region: str
    size: str
    capacity: int
    unique_id: str = ""
    created_at: datetime | None = None
    priority: str = "Regular"
    tags: dict[str, str] = {}
    power: dict[str, str] = {}
    managed_by: str = ""  # e.g. the AKS cluster: never touched directly
    flexible: bool = False  # Flexible orchestration: its instances are machines of the inventory, `power` is empty


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Any resource of the generic list."""

    id: str
    type: str
    name: str
    region: str = ""
    created_at: datetime | None = None
    tags: dict[str, str] = {}
    managed_by: str = ""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A managed disk. `attached_to` joins managedBy and managedByExtended; `detached_at` is LastOwnershipUpdateTime."""

    id: str
    name: str
    region: str
    size_gb: int
    sku: str
    state: str
    unique_id: str
    created_at: datetime | None = None
    detached_at: datetime | None = None
    attached_to: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """An unmanaged disk: a `.vhd` page blob. `id` is `{account ARM id}/blobServices/default/containers/{c}/blobs/{name}`."""

    id: str
    account_id: str
    url: str
    container: str
    name: str
    size_gb: Decimal
    leased: bool
    etag: str
    created_at: datetime | None = None
    soft_delete: bool = False


class Inventory(Facts, frozen=True, kw_only=True):
    """Everything found in all regions. `unhandled_types` are compute-like types that no step handles: said, never skipped.

    `regions` are the subscription's regions (its locations), whether anything is there or not.
    """

    machines: tuple[Machine, ...] = ()
    scale_sets: tuple[ScaleSet, ...] = ()
    resources: tuple[Resource, ...] = ()
    groups: tuple[Resource, ...] = ()
    regions: tuple[str, ...] = ()
    unhandled_types: dict[str, int] = {}


# investigate.unattached_disks --------------------------------------------------------------------------------------------


class DiskFacts(Facts, frozen=True, kw_only=True):
    """All managed disks and all `.vhd` page blobs; what is unattached is decided by `assess` and the eradicate steps."""

    disks: tuple[Disk, ...] = ()
    blobs: tuple[Blob, ...] = ()


# investigate.access ------------------------------------------------------------------------------------------------------


class RoleAssignment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    scope: str
    role_definition_id: str
    role_name: str
    principal_id: str
    principal_type: str
    created_at: datetime | None = None
    created_by: str = ""
    document: dict[str, Any] = {}


class CustomRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role definition that the tenant made itself. `assigned` counts the role assignments in this subscription that use it."""

    id: str
    name: str
    created_at: datetime | None = None
    created_by: str = ""
    assigned: int = 0


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    scope: str
    level: str
    notes: str = ""
    document: dict[str, Any] = {}


class PolicyAssignment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    scope: str
    name: str
    definition_id: str
    enforcement: str = "Default"
    document: dict[str, Any] = {}


class AccessFacts(Facts, frozen=True, kw_only=True):
    """Who may do what in the subscription, and what is locked or denied. `deny_assignments` are raw documents.

    `locks_were_read` and `policies_were_read` are False when locks or policy assignments may be there that nobody saw.
    `policy_definitions` are the documents of definitions and initiatives behind the policy assignments, by id in lower case and without what
    does not decide; `policies_not_read` says why one is missing. `policy_exemptions` are raw documents, None when they could not be read.
    """

    role_assignments: tuple[RoleAssignment, ...] = ()
    custom_roles: tuple[CustomRole, ...] = ()
    locks: tuple[Lock, ...] = ()
    policy_assignments: tuple[PolicyAssignment, ...] = ()
    deny_assignments: tuple[dict[str, Any], ...] = ()
    locks_were_read: bool = True
    policies_were_read: bool = True
    policy_definitions: dict[str, dict[str, Any]] = {}
    policies_not_read: dict[str, str] = {}
    policy_exemptions: tuple[dict[str, Any], ...] | None = ()


# investigate.spend -------------------------------------------------------------------------------------------------------


class SpendSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One daily series, e.g. key ("Virtual Machines", "us east")."""

    key: tuple[str, ...]
    days: tuple[date, ...]
    amounts: tuple[Decimal, ...]


class SpendFlag(msgspec.Struct, frozen=True, kw_only=True):
    """A flagged day of a series with the baseline it was judged against; `by` names what the parts of `key` are.

    The day is news alone, or `together` with the days just before it: higher than in the `past` earlier days that were looked at.
    """

    key: tuple[str, ...]
    day: date
    amount: Decimal
    expected: Decimal
    by: str = ""
    together: int = 1
    past: int = 0

    @property
    def why(self) -> str:
        """Which comparison the day failed, in words."""
        days = "alone" if self.together <= 1 else f"{self.together} days together"
        return f"{days} beyond what {self.past} earlier days showed"


class SpendDriver(msgspec.Struct, frozen=True, kw_only=True):
    """A service, region, resource group or resource (`by`) that cost `extra` more than before; `new` when it had cost nothing before."""

    by: str
    name: str
    extra: Decimal
    new: bool = False


class SpendFacts(Facts, frozen=True, kw_only=True):
    """Daily cost and its anomalies. `status` is ok, anomaly, too_little_history or not_read (see not_looked_at).

    The newest days are marked incomplete: their low amounts mean nothing, a high one is already too high.
    """

    status: str
    currency: str
    series: tuple[SpendSeries, ...] = ()
    total: SpendSeries | None = None
    flagged: tuple[SpendFlag, ...] = ()
    start_day: date | None = None
    end_day: date | None = None  # the last flagged day of the same episode
    extra_spend: Decimal = Decimal(0)
    incomplete_days: tuple[date, ...] = ()
    baseline: tuple[
        Decimal | None, ...
    ] = ()  # what was expected of the total on each of its days; None without history
    bounds: tuple[Decimal | None, ...] = ()  # the amount from which on that day stands out
    drivers: tuple[SpendDriver, ...] = ()  # the largest first, for each `by`
    by_resource: dict[str, Decimal] = {}  # lower-case resource id -> cost in the window
    budgets: tuple[dict[str, Any], ...] = ()


# investigate.quota -------------------------------------------------------------------------------------------------------


class QuotaUsage(msgspec.Struct, frozen=True, kw_only=True):
    region: str
    name: str
    title: str
    used: int
    limit: int


class QuotaFacts(Facts, frozen=True, kw_only=True):
    """vCPU quota by region and family; `requests` and `tickets` for more that were made during the window are raw documents.

    `without_compute` are regions of the subscription where Azure offers no machines: nothing can be started there. What could still be
    started, and who asked for more, is worked out in `firebreak.analysis.quota`.
    """

    usages: tuple[QuotaUsage, ...] = ()
    requests: tuple[dict[str, Any], ...] = ()
    tickets: tuple[dict[str, Any], ...] = ()
    tickets_were_read: bool = (
        False  # only then does a ticket that the log shows and that is missing here ask for something else
    )
    without_compute: tuple[str, ...] = ()


# investigate.prices ------------------------------------------------------------------------------------------------------


class PriceFacts(Facts, frozen=True, kw_only=True):
    """Retail price per hour by `region/size/priority` in lower case, and disks per month by `region/sku/size_gb`.

    Windows machines have the key `region/size/priority/windows`. A key that is missing was not listed.
    """

    currency: str = "USD"
    per_hour: dict[str, Decimal] = {}
    disk_per_month: dict[str, Decimal] = {}


# investigate.attribution -------------------------------------------------------------------------------------------------


class Class(StrEnum):
    ATTACKER = "attacker"
    LEGITIMATE = "legitimate"
    UNKNOWN = "unknown"


class Reason(msgspec.Struct, frozen=True):
    """One part of a score: points (positive speaks for the attacker), a sentence, the events that prove it."""

    points: int
    text: str
    event_ids: tuple[str, ...] = ()


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """An actor or resource and what it is taken for. `score` is the sum of the reasons' points.

    Actors are judged by session: a stolen identity stands once as attacker (with the attacker's `address`) and again as legitimate (its
    own address), and so does a pipeline of which one run was the attacker's. `principal_id` is the actor's object id. `established`: the identity worked here before the attack, so it was
    stolen and is not the attacker's own.
    """

    id: str  # ARM id, or caller for an actor
    cls: Class
    score: int
    reasons: tuple[Reason, ...] = ()
    created_by: str = ""
    created_at: datetime | None = None
    principal_id: str = ""
    address: str = ""
    app_id: str = ""
    token: str = ""  # only when one run of a pipeline is judged apart from its others
    established: bool = False


class Attribution(Facts, frozen=True, kw_only=True, dict=True):  # dict: for what is looked up often and worked out once
    """Who is the attacker and what is theirs. `verdict` is fraud, legitimate or not_enough_evidence, a proposal for people."""

    actors: tuple[Judgement, ...] = ()
    resources: tuple[Judgement, ...] = ()
    attack_start: datetime | None = None
    attack_end: datetime | None = None
    verdict: str = "not_enough_evidence"
    verdict_reasons: tuple[str, ...] = ()

    def of(self, resource_id: str) -> Judgement | None:
        """The judgement on one resource, compared without regard to case."""
        wanted = resource_id.lower()
        return next((j for j in self.resources if j.id.lower() == wanted), None)

    def did(self, operation: Operation) -> bool:
        """Whether the attacker did this: an identity of the attacker's own, or a stolen one in the attacker's session.

        A stolen identity goes on working honestly, so its caller alone proves nothing: address and, where known, client app must be
        those of the session that was judged.
        """
        known = self._attackers
        return any(
            not actor.established
            or (
                operation.address == actor.address
                and (not actor.app_id or operation.app_id == actor.app_id)
                and (not actor.token or operation.token == actor.token)
            )
            for name in (operation.caller.lower(), operation.principal_id.lower())
            for actor in known.get(name, ())
        )

    @cached_property
    def _attackers(self) -> dict[str, list[Judgement]]:
        """Lower-case name or object id -> the sessions of that identity that are taken for the attacker's."""
        found: dict[str, list[Judgement]] = {}
        for actor in self.actors:
            if actor.cls is Class.ATTACKER:
                for name in {actor.id.lower(), actor.principal_id.lower()} - {""}:
                    found.setdefault(name, []).append(actor)
        return found


# investigate.burn_rate ---------------------------------------------------------------------------------------------------


class BurnRate(Facts, frozen=True, kw_only=True):
    """What runs, priced. `rogue_per_hour` of attacker-class machines and scale sets; `lost` since the attack began; `unpriced` sizes."""

    currency: str = "USD"
    per_hour: Decimal = Decimal(0)
    rogue_per_hour: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    per_resource: dict[str, Decimal] = {}  # lower-case id -> per hour
    unpriced: tuple[str, ...] = ()


# notify.support_catalogue ------------------------------------------------------------------------------------------------


class SupportProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem a ticket can be about, with the ids Microsoft uses for it today."""

    id: str
    title: str
    service_id: str
    service: str


class SupportFacts(Facts, frozen=True, kw_only=True):
    """What support tickets can be about: the services that matter to an incident, with their problem classifications."""

    problems: tuple[SupportProblem, ...] = ()
