"""What is said of how a machine or scale set is reached, before it is stopped."""

from __future__ import annotations

from firebreak.model.case import Case
from firebreak.model.facts import Inventory
from firebreak.model.network import Network
from tasks.words import name_of, plain

_FEW = 3


class Ways:
    """The ways that lead to each machine and scale set of a case; none where the network was not read."""

    def __init__(self, case: Case) -> None:
        self._network = case.get(Network)
        self._reached = self._network.reached(case[Inventory]) if self._network is not None else {}

    def reasons(self, resource_id: str, others: tuple[str, ...]) -> tuple[str, ...]:
        """The reasons to stop it with what leads to it: load balancers after the first one, since pages with little room show two; addresses last."""
        found = self._reached.get(resource_id.lower())
        if self._network is None or found is None:
            return others
        behind = []
        for balancer in found.balancers:
            at = _few(self._network.shown_fronts(balancer))
            behind.append(f"Behind the load balancer: {name_of(balancer.id)}{f' ({at})' if at else ''}.")
        at = _few(tuple(one.address for one in found.addresses if one.address))
        return (*others[:1], *behind, *others[1:], *((f"Public address: {at}.",) if at else ()))


def _few(addresses: tuple[str, ...]) -> str:
    shown = ", ".join(plain(one, 60) for one in addresses[:_FEW])
    return shown + (f" and {len(addresses) - _FEW} more" if len(addresses) > _FEW else "")
