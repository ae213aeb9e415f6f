"""How machines are reached: network interfaces, public addresses and load balancers, so that it is seen what hangs on a machine before it is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Attribution, Class, Inventory
from firebreak.model.finding import Finding, Severity
from firebreak.model.network import Balancer, Interface, Network, PublicAddress
from firebreak.model.step import Effect, Step
from tasks.arm import NETWORK
from tasks.reading import Notes
from tasks.words import name_of, plain

STEP = Step(
    id="investigate.network",
    title="See how machines are reached from outside",
    effect=Effect.READ,
    description=(
        "Reads network interfaces, public addresses and load balancers with what stands behind them. After the attribution it tells the public "
        "addresses of the attacker's machines, and where the attacker's stand behind somebody else's load balancer."
    ),
    permissions=(
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.Network/loadBalancers/read",
    ),
    guidance=("S28",),
    produces=Network,
    needs=(Inventory,),
)

_WHOLE = 9  # parts of /subscriptions/S/resourceGroups/G/providers/NAMESPACE/KIND/NAME


async def collect(eyes: Eyes, case: Case) -> Network:  # noqa: ARG001 - the contract
    """Read the three lists; each that cannot be read is noted."""
    notes = Notes()

    async def rows(kind: str, what: str) -> list[dict[str, Any]]:
        path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Network/{kind}"
        nothing: list[dict[str, Any]] = []
        listed = await notes.attempt(what, eyes.arm.list(path, NETWORK), nothing)
        return [row for row in listed if doc.path(row, "id")]

    interfaces = [_interface(row) for row in await rows("networkInterfaces", "network interfaces")]
    addresses = [_address(row) for row in await rows("publicIPAddresses", "public addresses")]
    having = _having(interfaces)
    balancers = [_balancer(row, having) for row in await rows("loadBalancers", "load balancers")]
    return Network(
        interfaces=_sorted(interfaces),
        addresses=_sorted(addresses),
        balancers=_sorted(balancers),
        not_looked_at=notes.all,
    )


def assess(facts: Network, case: Case) -> list[Finding]:
    """Where it is known what is the attacker's: its public addresses, and whose load balancers lead to it."""
    attribution, inventory = case.get(Attribution), case.get(Inventory)
    if attribution is None or inventory is None:
        return []
    theirs = {one.id.lower() for one in attribution.resources if one.cls is Class.ATTACKER}
    reached = facts.reached(inventory)
    at: list[tuple[str, str]] = []
    behind: list[tuple[str, Balancer]] = []
    events: dict[str, tuple[str, ...]] = {}
    for judged in attribution.resources:
        found = reached.get(judged.id.lower())
        if judged.cls is not Class.ATTACKER or found is None:
            continue
        events[judged.id] = tuple(dict.fromkeys(event for reason in judged.reasons for event in reason.event_ids))
        at += [
            (judged.id, f"{plain(one.address, 60)}: {name_of(judged.id)}.") for one in found.addresses if one.address
        ]
        for one in found.balancers:
            if one.id.lower() in theirs:
                said = f"{name_of(judged.id)}, behind {name_of(one.id)}."
                at += [(judged.id, f"{plain(front, 60)}: {said}") for front in facts.shown_fronts(one)]
        behind += [(judged.id, one) for one in found.balancers if one.id.lower() not in theirs]
    findings = []
    if at:
        findings.append(
            Finding(
                id="attackers-addresses",
                step=STEP.id,
                title="Public addresses of the attacker's machines",
                severity=Severity.MEDIUM,
                reasons=tuple(said for _, said in at),
                resources=tuple(dict.fromkeys(machine for machine, _ in at)),
            )
        )
    if behind:
        findings.append(
            Finding(
                id="attacker-behind-balancer",
                step=STEP.id,
                title="The attacker's machines get traffic of somebody else's load balancer",
                severity=Severity.HIGH,
                reasons=tuple(
                    f"{name_of(machine)} stands behind {name_of(one.id)}: look at who put it there, and at what it was sent."
                    for machine, one in behind
                ),
                event_ids=tuple(dict.fromkeys(event for machine, _ in behind for event in events[machine])),
                resources=tuple(dict.fromkeys(name for machine, one in behind for name in (machine, one.id))),
            )
        )
    return findings


def _interface(row: dict[str, Any]) -> Interface:
    configurations = doc.items(row, "properties", "ipConfigurations")
    pools = ("loadBalancerBackendAddressPools", "loadBalancerInboundNatRules")
    return Interface(
        id=doc.path(row, "id"),
        machine=doc.path(row, "properties", "virtualMachine", "id"),
        private_addresses=_once(doc.text(one, "properties", "privateIPAddress") for one in configurations),
        public_addresses=_once(doc.path(one, "properties", "publicIPAddress", "id") for one in configurations),
        pools=_once(
            doc.path(pool, "id")
            for one in configurations
            for kind in pools
            for pool in doc.items(one, "properties", kind)
        ),
    )


def _address(row: dict[str, Any]) -> PublicAddress:
    of = doc.path(row, "properties", "ipConfiguration", "id")
    return PublicAddress(
        id=doc.path(row, "id"),
        address=doc.text(row, "properties", "ipAddress"),
        of=_holder(of) or doc.path(row, "properties", "natGateway", "id"),
    )


def _having(interfaces: Iterable[Interface]) -> dict[str, str]:
    """The interface that has a private address. Several networks may have the same one: then none of them is told."""
    found: dict[str, set[str]] = {}
    for interface in interfaces:
        for address in interface.private_addresses:
            found.setdefault(address, set()).add(interface.id)
    return {address: min(ids) for address, ids in found.items() if len(ids) == 1}


def _balancer(row: dict[str, Any], having: Mapping[str, str]) -> Balancer:
    fronts = doc.items(row, "properties", "frontendIPConfigurations")
    return Balancer(
        id=doc.path(row, "id"),
        behind=_once(_behind(row, having)),
        fronts=_once(
            doc.path(one, "properties", "publicIPAddress", "id") or doc.text(one, "properties", "privateIPAddress")
            for one in fronts
        ),
    )


def _behind(row: dict[str, Any], having: Mapping[str, str]) -> Iterator[str]:
    """Interfaces and scale sets that pools and inbound rules name. A pool of plain addresses names the interface that has the address."""
    for pool in doc.items(row, "properties", "backendAddressPools"):
        for one in doc.items(pool, "properties", "backendIPConfigurations"):
            yield _holder(doc.path(one, "id"))
        for one in doc.items(pool, "properties", "loadBalancerBackendAddresses"):
            named = doc.path(one, "properties", "networkInterfaceIPConfiguration", "id")
            yield _holder(named) or having.get(doc.text(one, "properties", "ipAddress"), "")
    for rule in doc.items(row, "properties", "inboundNatRules"):
        yield _holder(doc.path(rule, "properties", "backendIPConfiguration", "id"))


def _holder(below: str) -> str:
    """The resource in the id of one of its parts, such as the interface of a configuration or the scale set of an instance; "" when there is none."""
    parts = below.split("/")
    return "/".join(parts[:_WHOLE]) if len(parts) >= _WHOLE else ""


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _sorted(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(values, key=lambda one: str(one.id).lower()))
