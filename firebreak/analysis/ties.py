"""What connects sessions: the same hand through another client, the same token, address or hour, roles given, and whose things they wrote into.

Suspicion spreads from sessions that were proven on their own; it only ever grows from round to round. A usual address is never drawn in.
Judged sessions in, further `Clue`s out.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import Clue, Judged, Kind, Weights, clue
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.ruleset import rules_of
from firebreak.model.facts import AccessFacts, ActivityFacts, Class, Operation

SessionKey = tuple[str, str, str, str]  # caller, address, client app; the token where a run is judged apart, else ""
_AROUND = timedelta(hours=1)
_OF_THE_HOUSE = 2  # so many established callers who usually work from an address make it the customer's own


def place_of(address: str) -> str:
    """What stands for an address when two are compared: itself, or the /64 of an IPv6 one, in which one host changes its address at will."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network(f"{found}/64", strict=False))


def grants_of(sessions: Iterable[Judged]) -> dict[str, list[Operation]]:
    """Principal id -> the operations by which these sessions gave it a role."""
    grants: dict[str, list[Operation]] = defaultdict(list)
    for one in sessions:
        for operation in one.work.operations:
            to = str(operation.properties.get("granted_to", "")).lower()
            if to and operation.status != "failed" and any(r.family == "role-granted" for r in rules_of(operation)):
                grants[to].append(operation)
    return grants


def other_roles(principal: str, attackers: Iterable[Judged], access: AccessFacts | None) -> bool | None:
    """Whether a principal holds roles that the attackers did not give it; None when the roles are not known."""
    if access is None:
        return None
    made = {operation.resource_id.lower() for one in attackers for operation in one.work.operations}
    return any(item.principal_id == principal and item.id.lower() not in made for item in access.role_assignments)


class Ties:
    """The connections of one round: made from all sessions as judged so far, asked for each."""

    def __init__(
        self,
        judged: Mapping[SessionKey, Judged],
        activity: ActivityFacts,
        history: History,
        access: AccessFacts | None,
        weights: Weights,
    ) -> None:
        self._judged, self._history, self._access, self._weights = judged, history, access, weights
        self._attackers = {key: one for key, one in judged.items() if one.cls is Class.ATTACKER}
        self._by_attackers = grants_of(self._attackers.values())
        self._by_familiar = grants_of(one for one in judged.values() if one.work.is_familiar)
        self._theirs = {
            operation.resource_id.lower(): key
            for key, one in self._attackers.items()
            for operation in one.work.operations
            if activity.creators.get(operation.resource_id.lower()) == operation
        }
        self._their_principals = {
            name for one in self._attackers.values() if not self._is_established(one) for name in _names(one)
        }

    def clues(self, key: SessionKey) -> list[Clue]:
        """What speaks for and against one session because of the others."""
        one = self._judged[key]
        found = [*self._roles(one)]
        if one.work.is_familiar:
            return found
        if one.work.token or self._history.is_roaming_service(key[0]):
            return [*found, *self._wrote(key, one, Kind.TIE, self._weights.same_hand), *self._beside_a_run(key, one)]
        others = {k: other for k, other in self._attackers.items() if k != key}
        # A run of a pipeline that is judged apart worked from the pipeline's own address.
        abroad = {k: other for k, other in others.items() if not k[3]}
        place = self._same_hand(key, abroad) or self._same_place(key, abroad)
        same = [other for k, other in others.items() if k[0] == key[0]]
        found += [*place, *self._same_token(one, same), *self._stolen(one, same, abroad=bool(place))]
        found += self._gave(one)
        if same or place:
            found += self._wrote(key, one, Kind.BEHAVIOUR, self._weights.wrote_into_theirs)
        return found

    def near_an_attackers_run(self, key: SessionKey, operations: Iterable[Operation]) -> list[Operation]:
        """The operations that an identity did within an hour of another run of its own that is taken for an attacker's."""
        times = [
            operation.at
            for k, other in self._attackers.items()
            if k[3] and k[:3] == key[:3] and k != key
            for operation in other.work.operations
        ]
        if not times:
            return []
        begun, ended = min(times) - _AROUND, max(times) + _AROUND
        return [operation for operation in operations if begun <= operation.at <= ended]

    def wrote_into_theirs(self, key: SessionKey, operations: Iterable[Operation]) -> list[Operation]:
        """The operations that made or changed something below what another attacker's session had made."""
        found = []
        for operation in operations:
            if operation.status == "failed" or not operation.name.lower().endswith("/write"):
                continue
            parts = operation.resource_id.lower().split("/")
            above = ("/".join(parts[:length]) for length in range(5, len(parts) + 1, 2))
            if any(self._theirs.get(one, key) != key for one in above):
                found.append(operation)
        return found

    def _is_established(self, one: Judged) -> bool:
        return self._history.is_established(one.work.session.caller)

    def _roles(self, one: Judged) -> Iterable[Clue]:
        names = _names(one)
        if self._is_established(one):
            return
        grants = [operation for name in sorted(names) for operation in self._by_attackers.get(name, [])]
        points = self._weights.granted_by_attacker
        if grants:
            held = [other_roles(name, self._attackers.values(), self._access) for name in names]
            if any(other is not False for other in held):
                text = "Its role was granted by an attacker's session."
                yield clue(Kind.IDENTITY, points, text, grants)
            else:
                text = "Its role was granted by an attacker's session, and nobody else gave it one."
                yield clue(Kind.TIE, points, text, grants)
        if any(self._by_familiar.get(name) for name in names):
            text = "Its role was granted by a familiar session."
            yield clue(Kind.CONTEXT, self._weights.granted_by_familiar, text)

    def _same_hand(self, key: SessionKey, others: Mapping[SessionKey, Judged]) -> list[Clue]:
        if key[3] or not key[1] or not any(k[0] == key[0] and place_of(k[1]) == place_of(key[1]) for k in others):
            return []
        text = f"The same identity at {key[1]}, through another client or beside it, is taken for an attacker's."
        return [clue(Kind.TIE, self._weights.same_hand, text)]

    def _same_place(self, key: SessionKey, others: Mapping[SessionKey, Judged]) -> list[Clue]:
        if not key[1] or self._history.users_of(key[1]) >= _OF_THE_HOUSE:
            return []
        if not any(place_of(k[1]) == place_of(key[1]) for k in others):
            return []
        text = f"It works from {key[1]}, as an attacker's session does."
        return [clue(Kind.IDENTITY, self._weights.attackers_address, text)]

    def _same_token(self, one: Judged, same: list[Judged]) -> Iterable[Clue]:
        tokens = {operation.token for other in same for operation in other.work.operations} - {""}
        used = [operation for operation in one.work.operations if operation.token in tokens]
        if used:
            yield clue(Kind.IDENTITY, self._weights.same_token, "It used the token of an attacker's session.", used)

    def _stolen(self, one: Judged, same: list[Judged], *, abroad: bool) -> Iterable[Clue]:
        if not same:
            return
        begun = min(operation.at for other in same for operation in other.work.operations) - _AROUND
        ended = max(operation.at for other in same for operation in other.work.operations) + _AROUND
        during = [operation for operation in one.work.operations if begun <= operation.at <= ended]
        text = "The same identity is used by an attacker from another address"
        if during and abroad and one.work.familiarity is Familiarity.NEW_ADDRESS:
            text = f"{text} at the same time, and this address, new for it, is an attacker's too."
            yield clue(Kind.TIE, self._weights.same_time, text, during)
        elif during and self._lacks_its_second_factor(one):
            # Its holder may be on the road at that hour, but would sign in as ever. This needs no deed that asks for an explanation.
            text = f"{text} at the same time, and here too without the second factor that its holder always has."
            yield clue(Kind.TIE, self._weights.same_time, text, during)
        elif during:
            yield clue(Kind.IDENTITY, self._weights.same_time, f"{text} at the same time.", during)
        else:
            yield clue(Kind.IDENTITY, self._weights.stolen_elsewhere, f"{text}, at another time.")

    def _lacks_its_second_factor(self, one: Judged) -> bool:
        """Whether a session at an address that its caller never used has no token with a second factor, and its caller otherwise has."""
        caller, done = one.work.session.caller, one.work.operations
        return (
            one.work.familiarity is Familiarity.NEW_ADDRESS
            and self._history.knows_well(caller)
            and self._history.usually_mfa(caller)
            and all(operation.mfa is False for operation in done)
        )

    def _beside_a_run(self, key: SessionKey, one: Judged) -> Iterable[Clue]:
        near = self.near_an_attackers_run(key, one.work.operations) if one.work.token else []
        if near:
            text = "Another run of the same identity, within the hour, is taken for an attacker's."
            yield clue(Kind.IDENTITY, self._weights.same_time, text, near)

    def _gave(self, one: Judged) -> Iterable[Clue]:
        given = [
            operation
            for principal, operations in sorted(grants_of([one]).items())
            if principal in self._their_principals - _names(one)
            for operation in operations
        ]
        if given:
            text = "It gave a role to an identity that is taken for the attacker's own."
            yield clue(Kind.BEHAVIOUR, self._weights.gave_to_attacker, text, given)

    def _wrote(self, key: SessionKey, one: Judged, kind: Kind, points: int) -> Iterable[Clue]:
        wrote = self.wrote_into_theirs(key, one.work.operations)
        if wrote:
            names = sorted({operation.resource_id.rsplit("/", 1)[-1] for operation in wrote})
            text = f"It made or changed things in what an attacker's session had made: {shown(', '.join(names))}."
            yield clue(kind, points, text, wrote)


def _names(one: Judged) -> set[str]:
    return {one.work.session.caller.lower(), one.work.session.principal_id.lower()} - {""}
