"""How machines are reached: network interfaces, public addresses and load balancers. Produced by `investigate.network`."""

from __future__ import annotations

import msgspec

from firebreak.model.facts import Facts, Inventory


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface. `machine` is the id of the machine that has it, "" for none; what it holds is in the order of its configurations."""

    id: str
    machine: str = ""
    private_addresses: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()  # ids
    pools: tuple[str, ...] = ()  # ids of backend pools and inbound rules of load balancers


class PublicAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A public address. `address` is "" while Azure has given it none; `of` is the interface, load balancer or other thing that has it."""

    id: str
    address: str = ""
    of: str = ""


class Balancer(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer. `behind` are interfaces and scale sets that get its traffic, `fronts` its public addresses by id and private ones as they are."""

    id: str
    behind: tuple[str, ...] = ()
    fronts: tuple[str, ...] = ()


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How one machine or scale set is reached: its own public addresses, and the load balancers that it stands behind."""

    addresses: tuple[PublicAddress, ...] = ()
    balancers: tuple[Balancer, ...] = ()


class Network(Facts, frozen=True, kw_only=True):
    """All of them, each sorted by id. A list that could not be read is empty and named in `not_looked_at`."""

    interfaces: tuple[Interface, ...] = ()
    addresses: tuple[PublicAddress, ...] = ()
    balancers: tuple[Balancer, ...] = ()

    def reached(self, inventory: Inventory) -> dict[str, Reached]:
        """How each machine and scale set of the inventory is reached, by lower-case id; those that nothing leads to are not in it."""
        addresses = {one.id.lower(): one for one in self.addresses}
        balancers = {one.id.lower(): one for one in self.balancers}
        behind: dict[str, list[Balancer]] = {}
        for balancer in self.balancers:
            for name in balancer.behind:
                behind.setdefault(name.lower(), []).append(balancer)
        held: dict[str, list[Interface]] = {group.id.lower(): [] for group in inventory.scale_sets}
        for name, interfaces in self._held(inventory).items():
            held[name] = interfaces
        found = {}
        for name, interfaces in held.items():
            own = (addresses.get(each.lower()) for one in interfaces for each in one.public_addresses)
            # Both sides tell it, the interface and the load balancer: one may be read later than the other.
            fronts = [balancers.get(_owner(pool)) for one in interfaces for pool in one.pools]
            fronts += [b for each in (name, *(one.id.lower() for one in interfaces)) for b in behind.get(each, ())]
            reached = Reached(
                addresses=tuple(dict.fromkeys(filter(None, own))), balancers=tuple(dict.fromkeys(filter(None, fronts)))
            )
            if reached.addresses or reached.balancers:
                found[name] = reached
        return found

    def shown_fronts(self, balancer: Balancer) -> tuple[str, ...]:
        """The addresses at which a load balancer is reached, as far as Azure told them."""
        known = {one.id.lower(): one.address for one in self.addresses}
        fronts = (known.get(front.lower(), "") if "/" in front else front for front in balancer.fronts)
        return tuple(filter(None, fronts))

    def _held(self, inventory: Inventory) -> dict[str, list[Interface]]:
        """The interfaces of each machine: in the order of the machine, then those that name it themselves."""
        interfaces = {one.id.lower(): one for one in self.interfaces}
        held: dict[str, dict[str, Interface]] = {}
        for machine in inventory.machines:
            named = [interfaces[nic.lower()] for nic in machine.nic_ids if nic.lower() in interfaces]
            held[machine.id.lower()] = {one.id.lower(): one for one in named}
        for one in self.interfaces:
            if one.machine:
                held.setdefault(one.machine.lower(), {}).setdefault(one.id.lower(), one)
        return {name: list(each.values()) for name, each in held.items()}


def _owner(below: str) -> str:
    """The load balancer in the id of one of its pools or rules, in lower case."""
    return below.lower().rsplit("/", 2)[0]
