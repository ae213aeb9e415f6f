"""What may be proposed for change: the attacker's things and nothing else, minus all that is protected or locked.

`Judged` answers it for one case. Whoever plans asks `keep_out` first: it returns the reason to leave a thing alone, or "".
"""

from __future__ import annotations

from decimal import Decimal

from firebreak.errors import ScopeError
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    BurnRate,
    Class,
    Judgement,
    Lock,
    Operation,
)
from firebreak.model.ids import ResourceId
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import action_id
from firebreak.protected import named
from tasks.words import SENTENCE, plain, reasons_of


class Judged:
    """The judgements of one case, indexed. Pure; made by each planning step for itself."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.attribution = case[Attribution]
        self._resources = {j.id.lower(): j for j in self.attribution.resources}
        self._attackers = [j for j in self.attribution.actors if j.cls is Class.ATTACKER]
        self._burn = case.get(BurnRate)
        self._activity = case.get(ActivityFacts)
        rails = case.protection
        self._principals = {principal.lower() for principal in rails.principals}
        access = case.get(AccessFacts)
        locks = access.locks if access is not None and rails.respect_locks else ()
        self._locks = [lock for lock in locks if not self.made_lock(lock)]

    def of(self, resource_id: str) -> Judgement | None:
        return self._resources.get(resource_id.lower())

    def is_attackers(self, resource_id: str) -> bool:
        judgement = self.of(resource_id)
        return judgement is not None and judgement.cls is Class.ATTACKER

    def reasons(self, resource_id: str) -> tuple[str, ...]:
        judgement = self.of(resource_id)
        return reasons_of(judgement) if judgement is not None else ()

    def per_hour(self, resource_id: str) -> Decimal | None:
        return self._burn.per_resource.get(resource_id.lower()) if self._burn is not None else None

    @property
    def currency(self) -> str:
        return self._burn.currency if self._burn is not None else "USD"

    def attacker_did(self, operation: Operation) -> bool:
        """Whether the attacker did this: an identity of the attacker's own, or a stolen one at the attacker's address."""
        return self.attribution.did(operation)

    def own_identities(self) -> dict[str, str]:
        """The attacker's own principals: object id in lower case, and the name it is known by."""
        return {self._principal(j): plain(j.id) for j in self._attackers if not j.established}

    def stolen_identities(self) -> dict[str, str]:
        """Principals that worked here before the attack and whose token or secret the attacker used: object id and name."""
        own = self.own_identities()
        stolen = {self._principal(j): plain(j.id) for j in self._attackers if j.established}
        return {principal: name for principal, name in stolen.items() if principal not in own}

    def _principal(self, actor: Judgement) -> str:
        if actor.principal_id:
            return actor.principal_id.lower()
        callers = self._activity.callers if self._activity else ()
        found = next((c.principal_id for c in callers if c.caller.lower() == actor.id.lower() and c.principal_id), "")
        return (found or actor.id).lower()

    def principal_name(self, principal_id: str) -> str:
        """The user name of an object id where the log knows it, else the id."""
        callers = self._activity.callers if self._activity else ()
        found = next((c.caller for c in callers if c.principal_id.lower() == principal_id.lower() and c.caller), "")
        return plain(found or principal_id)

    def is_protected_principal(self, principal_id: str) -> bool:
        names = {principal_id.lower(), self.principal_name(principal_id).lower()}
        return bool(names & self._principals)

    def made_lock(self, lock: Lock) -> bool:
        """Whether the attacker made this lock: by judgement, else by who created it."""
        judgement = self.of(lock.id)
        if judgement is not None and judgement.cls is not Class.UNKNOWN:
            return judgement.cls is Class.ATTACKER
        if self._activity is None:
            return False
        created = self._activity.creators.get(lock.id.lower())
        return created is not None and self.attacker_did(created)

    def keep_out(self, resource_id: str, *, deleting: bool = False) -> str:
        """Return why this must not be changed, "" when it may: a test alert, not the attacker's, protected, or locked."""
        if self.case.incident.alert.is_test:
            return "Test alert: nothing is stopped or removed."
        judgement = self.of(resource_id)
        if judgement is None:
            return "Nobody is known to have made it: look at it and decide by hand."
        if judgement.cls is Class.LEGITIMATE:
            return "Legitimate: " + _strongest(judgement, for_attacker=False)
        if judgement.cls is Class.UNKNOWN:
            return "Not proven to be the attacker's: " + _strongest(judgement, for_attacker=True)
        return self.protection(resource_id) or self.locked(resource_id, deleting=deleting)

    def protection(self, resource_id: str) -> str:
        """Return which protection of the playbook or the operator covers this, "" for none."""
        try:
            reason = named(ResourceId.parse(resource_id), self.case)
        except ScopeError as error:
            return plain(error.message, SENTENCE)
        return f"Protected: {plain(reason, SENTENCE)}" if reason else ""

    def locked(self, resource_id: str, *, deleting: bool) -> str:
        """Return which lock, not the attacker's, forbids the change, "" for none. CanNotDelete forbids deletion only."""
        key = resource_id.lower()
        for lock in self._locks:
            scope = lock.scope.lower().rstrip("/")
            covers = key == scope or key.startswith(scope + "/")
            if covers and (deleting or lock.level.lower() == "readonly"):
                return f"Locked ({lock.level}) by {plain(lock.id.rsplit('/', 1)[-1])}, which the attacker did not make."
        return ""


def id_of_this_time(case: Case, step: str, kind: str, target: str) -> str:
    """Return an action's id; another one when the same action has already ended in this incident and is needed again.

    An attacker who still has a way in undoes what was done: a scale set started again must be stopped again, as a new action.
    """
    found, times = action_id(step, kind, target), 1
    while (
        (outcome := case.outcomes.get(found)) is not None
        and outcome.state.is_final
        and outcome.state is not ActionState.LEFT_OUT
    ):
        times += 1
        found = action_id(step, kind, f"{target}#{times}")
    return found


def newest_outcome(case: Case, step: str, kind: str, target: str) -> Outcome | None:
    """How the last of such actions on a target ended, by the ids that `id_of_this_time` gives; None when there was none."""
    newest, times = case.outcomes.get(action_id(step, kind, target)), 2
    while (later := case.outcomes.get(action_id(step, kind, f"{target}#{times}"))) is not None:
        newest, times = later, times + 1
    return newest


def _strongest(judgement: Judgement, *, for_attacker: bool) -> str:
    sign = 1 if for_attacker else -1
    speaking = sorted((r for r in judgement.reasons if r.points * sign > 0), key=lambda r: (-r.points * sign, r.text))
    return plain(speaking[0].text, SENTENCE) if speaking else f"score {judgement.score}."
