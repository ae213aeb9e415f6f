"""Lays a scenario's script into a finished tenant: who attacks, from where, step after step, and what the truth about it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.events import AZURE_CLI_APP, PORTAL_APP, token_id
from azure_simulator.scenarios import hostile_names, ids, variety
from azure_simulator.scenarios.estate import Estate
from azure_simulator.scenarios.log import Caller, Log
from azure_simulator.scenarios.people import Staff
from azure_simulator.world import Document, Principal, World

STEMS = (
    "web-api",
    "batch-worker",
    "app-node",
    "data-proc",
    "ml-train",
    "build-agent",
    "svc-queue",
    "render",
    "etl-run",
    "core-svc",
)

CLIENTS = (PORTAL_APP, AZURE_CLI_APP, "1950a258-227b-4e31-a9cf-717495945fc2")  # the last is Azure PowerShell
_REGIONS = 3  # when the script does not say
_MOSTLY, _SHARES, _IPV6 = 0.8, 0.3, 0.2


# What an attack may leave in the directory; the truth has a list for each.
TRACES = (
    "sign_ins",
    "detections",
    "at_risk",
    "methods",
    "contacts",
    "credentials",
    "federated_credentials",
    "consents",
    "app_role_assignments",
    "applications",
    "service_principals",
    "guests",
    "role_assignments",
    "role_eligibilities",
    "policies",
    "audits",
)


@dataclass
class Intruder:
    """An identity in the attacker's hands. `kind`: stolen (a session), leaked (a secret), hijacked (a run of a pipeline, which acts from
    the pipeline's own address with a token of its own), created (the attacker's own).
    """

    key: str
    kind: str
    principal: Principal
    addresses: tuple[str, ...]
    role: str
    since: datetime
    secret: str = ""
    also: str = ""  # a second role
    mfa: bool = False  # whether the token says so: it was taken after its owner had signed in with a second factor
    apps: tuple[str, ...] = (PORTAL_APP,)
    mostly: bool = False  # whether one address does nearly everything
    jobs: int = 1  # of a hijacked run: each job signs in for itself

    @property
    def governing_role(self) -> str:
        """The role that lets them change access, policies and locks."""
        return self.also or self.role

    def caller(self, chance: Chance, *, role: str = "") -> Caller:
        """The identity at one of its addresses, by `role` when it has several."""
        address = chance.choice(self.addresses)
        if self.mostly and chance.random() < _MOSTLY:
            address = self.addresses[0]
        app = chance.choice(self.apps)
        token = chance.choice(self.tokens or ("",))
        return Caller(self.principal, address, role or self.role, app, mfa=self.mfa, token=token)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The ids of the tokens of a hijacked run, one for each job; none for the others: theirs change by the hour."""
        if self.kind != "hijacked":
            return ()
        first = token_id(self.key, self.principal.object_id)
        return (first, *(token_id(self.key, self.principal.object_id, str(job)) for job in range(1, self.jobs)))


@dataclass
class Attack:
    """The script while it is being laid. Everything that the truth needs is collected on the way."""

    world: World
    log: Log
    chance: Chance
    staff: Staff
    estate: Estate
    now: datetime
    start: datetime
    script: dict[str, Any]
    scale: int
    # Where the attacker builds: never used before, unless the script says `regions: home`.
    regions: tuple[str, ...] = ()
    intruders: dict[str, Intruder] = field(default_factory=dict)
    rogue: list[str] = field(default_factory=list)
    rogue_compute: list[str] = field(default_factory=list)
    rogue_blobs: list[str] = field(default_factory=list)
    rogue_grants: list[str] = field(default_factory=list)
    rogue_locks: list[str] = field(default_factory=list)
    rogue_roles: list[str] = field(default_factory=list)  # definitions
    told_keys: list[str] = field(default_factory=list)  # the tenant's storage accounts whose keys were listed
    rogue_eligible: list[str] = field(default_factory=list)  # schedules of roles that may be taken up
    rogue_groups: list[str] = field(default_factory=list)
    removed: list[Document] = field(default_factory=list)
    lookalikes: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)  # region -> the attacker's group there
    subnets: dict[str, str] = field(default_factory=dict)  # region -> subnet id
    traces: dict[str, list[Any]] = field(default_factory=dict)  # of the attacker in the directory, by kind
    alike: dict[str, list[Any]] = field(default_factory=dict)  # of others there, that look like it
    end: datetime | None = None
    stem: str = ""
    numbers: dict[str, int] = field(default_factory=dict)

    def at(self, minutes: float) -> datetime:
        """A moment so many minutes after the attack began, a little off the minute."""
        return self.start + timedelta(minutes=minutes, seconds=self.chance.randrange(50))

    def take(self, document: Document, *, compute: bool = False) -> Document:
        """Put a resource of the attacker's into the world."""
        self.world.resources[document["id"]] = document
        self.rogue.append(document["id"])
        if compute:
            self.rogue_compute.append(document["id"])
        moment = datetime.fromisoformat(str(document["_created"])[:26] + "+00:00")
        self.end = max(self.end or moment, moment)
        return document

    def next_name(self, stem: str = "") -> str:
        """A name as anybody would give it: a plausible stem and a number, now and then random letters."""
        chosen = stem or self.stem
        self.numbers[chosen] = self.numbers.get(chosen, 0) + 1
        if not stem and self.chance.random() < 0.15:
            return self.called(f"vm-{self.chance.getrandbits(28):07x}")
        return self.called(f"{chosen}-{self.numbers[chosen]:02}")

    def called(self, name: str) -> str:
        """The name as it is, or in a hostile script one that tries to act: all else is the same there."""
        if not self.script.get("hostile"):
            return name
        self.numbers["hostile"] = self.numbers.get("hostile", -1) + 1
        return hostile_names.name(self.numbers["hostile"])


Step = Callable[[Attack, dict[str, Any]], None]


def lay(
    world: World,
    log: Log,
    chance: Chance,
    staff: Staff,
    estate: Estate,
    script: dict[str, Any],
    now: datetime,
    scale: int,
) -> Attack:
    """Carry out the script's steps in the world's past and return what was done."""
    from azure_simulator.scenarios import attack_access, attack_compute, attack_persistence, bystanders

    low, high = script["starts_hours_before"]
    start = now - timedelta(hours=low + (high - low) * chance.random())
    script = variety.chosen(script, chance.child("variety"))
    attack = Attack(world, log, chance, staff, estate, now, start, script, scale)
    attack.stem = chance.choice(STEMS)
    unused = [region for region in ids.REGIONS if region not in staff.company.regions]
    regions = script.get("regions") or _REGIONS
    attack.regions = staff.company.regions if regions == "home" else tuple(chance.sample(unused, regions))
    if script["home_too"]:
        attack.regions = (*attack.regions[:-1], staff.company.regions[0])
    _recruit(attack)
    steps: dict[str, Step] = {
        **attack_access.STEPS,
        **attack_compute.STEPS,
        **attack_persistence.STEPS,
        **bystanders.STEPS,
    }
    for row in script["legitimate"]:
        steps[row["do"]](attack, row)
    for row in script["steps"]:
        steps[row["do"]](attack, row)
    return attack


def _recruit(attack: Attack) -> None:
    """Put the script's identities into the attacker's hands: at foreign addresses, with clients of their choice."""
    hosts = attack.chance.sample(range(3, 190), 12)
    for kind, row in attack.script["attackers"].items():
        chance = attack.chance.child(f"recruit {kind}")
        addresses = _addresses(chance, hosts, row["addresses"])
        if kind.startswith("accomplice"):
            principal = _outsider(attack, row["kind"], member=bool(row.get("member")))
            first = next(iter(attack.intruders.values()))
            if chance.random() < _SHARES:  # the same hands at the same keyboard
                addresses = (first.addresses[-1], *addresses[1:])
            intruder = Intruder(row["key"], "created", principal, addresses, "", attack.start)
        else:
            actor = attack.staff[row["actor"]]
            secret = actor.principal.secrets[0] if kind in ("leaked", "hijacked") else ""
            if kind == "hijacked":
                addresses = (chance.choice(actor.addresses),) if actor.hosted else actor.addresses[:1]
            intruder = Intruder(
                row["key"], kind, actor.principal, addresses, actor.role, attack.start, secret, actor.also
            )
        intruder.mfa, intruder.jobs = row["second_factor"], row.get("jobs", 1)
        intruder.mostly = chance.random() < 0.5
        intruder.apps = tuple(chance.sample(CLIENTS, chance.choice((1, 1, 2))))
        attack.intruders[row["key"]] = intruder


def _addresses(chance: Chance, hosts: list[int], count: int) -> tuple[str, ...]:
    """Addresses of a provider far away: IPv4, or now and then several of one IPv6 network."""
    if chance.random() < _IPV6:
        network = f"2001:db8:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}"
        return tuple(f"{network}::{chance.getrandbits(16) + 1:x}" for _ in range(count))
    return tuple(f"203.0.113.{hosts.pop()}" for _ in range(count))


def _outsider(attack: Attack, kind: str, *, member: bool = False) -> Principal:
    """A guest, a member of the tenant or an application that did not exist before."""
    chance = attack.chance
    first, last = (
        chance.choice(("alex", "sam", "jordan", "robin", "casey", "morgan")),
        chance.choice(("reed", "hale", "stone", "frost")),
    )
    number = chance.randrange(10, 99)
    principal = Principal(
        object_id=chance.guid(),
        kind=kind,
        name=f"{first.capitalize()} {last.capitalize()}",
        tenant_id=ids.CUSTOMER_TENANT,
    )
    if member:
        principal.upn = f"svc.{last}{number}@{attack.staff.company.domain}"
    elif kind == "User":
        principal.upn = f"{first}{last}{number}_mail.example#EXT#@{attack.staff.company.domain}"
    else:
        principal.name, principal.app_id, principal.secrets = f"{first}-automation", chance.guid(), [chance.guid()]
    attack.world.principals[principal.object_id] = principal
    return principal


def truth_of(attack: Attack) -> Document:
    """What really happened, for the scorer alone."""
    return {
        "scenario": attack.world.scenario,
        "verdict": attack.script["verdict"],
        "attack_start": stamp(attack.start) if attack.intruders else None,
        "attack_end": stamp(attack.end) if attack.end else None,
        "regions": list(attack.regions) if attack.intruders else [],
        "attackers": [
            {
                "principal_id": intruder.principal.object_id,
                "caller": intruder.principal.upn or intruder.principal.object_id,
                "kind": intruder.kind,
                "addresses": list(intruder.addresses),
                "token": next(iter(intruder.tokens), ""),
                "tokens": list(intruder.tokens),
                "since": stamp(intruder.since),
                "secret": intruder.secret,
            }
            for intruder in attack.intruders.values()
        ],
        "rogue": attack.rogue,
        "rogue_compute": attack.rogue_compute,
        "rogue_blobs": attack.rogue_blobs,
        "rogue_groups": attack.rogue_groups,
        "rogue_grants": attack.rogue_grants,
        "rogue_locks": attack.rogue_locks,
        "rogue_roles": attack.rogue_roles,
        "rogue_eligible": attack.rogue_eligible,
        "told_keys": attack.told_keys,
        "removed": attack.removed,
        "lookalikes": attack.lookalikes,
        "identity": {name: attack.traces.get(name, []) for name in TRACES} | {"lookalikes": attack.alike},
        "comebacks": [],
    }
