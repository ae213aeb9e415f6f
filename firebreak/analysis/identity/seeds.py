"""What the identity review says of a session of the activity log: reasons for and against, tied to it by token or by identity and address.

Only evidence of its own counts: a new address is already in the activity log, so a sign-in adds the country, the device, guessed passwords and
what Identity Protection saw. Facts in, `Clue`s and sentences for the verdict out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from firebreak.analysis.documents import listed, shown
from firebreak.analysis.evidence import Clue, Kind, Work
from firebreak.analysis.identity.guesses import Limits, guessed
from firebreak.analysis.identity.habits import ADDRESS, COUNTRY, DEVICE, uses_second_factor
from firebreak.analysis.identity.sign_in_records import APPLICATION, SUCCEEDED
from firebreak.analysis.ruleset import RuleSet, shipped_rules
from firebreak.model.facts import Reason
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Applications, Change, DirectoryChanges, IdentityRisk, SignIn, SignIns

_GRAVE = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_OPEN = ("", "atrisk", "confirmedcompromised", "none")


class IdentityWeights(msgspec.Struct, frozen=True, kw_only=True):
    """Points of each clue; all are parameters of `investigate.attribution`."""

    password_guessed: int = 25
    strange_country: int = 15
    strange_device: int = 10
    sign_in_at_risk: int = 20
    one_factor: int = 15
    fresh_credential: int = 25
    borrowed_token: int = 10
    own_device: int = -20
    changed_directory: int = 20


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """What was collected of identities; None where a step did not run."""

    sign_ins: SignIns | None = None
    changes: DirectoryChanges | None = None
    risk: IdentityRisk | None = None
    applications: Applications | None = None
    weights: IdentityWeights = IdentityWeights()

    def clues(self, work: Work) -> list[Clue]:
        """Reasons for and against a session: at most one of each kind."""
        names = {work.session.caller.lower(), work.session.principal_id.lower()} - {""}
        found = [*self._of_sign_ins(work, names), *self._of_risk(work, names), *self._of_changes(work, names)]
        return [one for one in found if one.reason.points]

    def _of_sign_ins(self, work: Work, names: set[str]) -> Iterable[Clue]:
        if self.sign_ins is None:
            return
        theirs = [row for row in self.sign_ins.sign_ins if names & {row.principal_id, row.who.lower()}]
        mine, points = _of(work, theirs), self.weights
        if not mine:
            return
        habit = self.sign_ins.habit_of(mine[0].principal_id)
        tries = max((guessed(row, theirs, Limits().guesses_before_success) for row in mine), default=0)
        if tries and any(not row.known or row.unfamiliar for row in mine):
            yield _clue(
                Kind.IDENTITY,
                points.password_guessed,
                f"{tries} wrong passwords from this address came before its sign-in.",
                mine,
            )
        strange = [row for row in mine if COUNTRY in row.unfamiliar]
        if strange:
            usual = listed(sorted(habit.countries), most=4) if habit else "elsewhere"
            text = f"Signed in from {shown(strange[0].country, 10)}, where this identity never was; it signs in from {usual}."
            yield _clue(Kind.IDENTITY, points.strange_country, text, strange)
        devices = [row for row in mine if DEVICE in row.unfamiliar]
        if devices and len(devices) == len(mine):
            yield _clue(
                Kind.IDENTITY,
                points.strange_device,
                f"Signed in on a device it never had: {shown(devices[0].device or 'unnamed', 60)}.",
                devices,
            )
        bare = [row for row in mine if row.factor == "single"]
        if bare and uses_second_factor(habit) and all(operation.mfa is None for operation in work.operations):
            yield _clue(Kind.IDENTITY, points.one_factor, "Signed in with one factor, where more are usual.", bare)
        if fresh := self._fresh(mine):
            yield fresh
        borrowed = [row for row in theirs if work.session.address and work.session.address in row.used_from]
        if borrowed:
            text = f"Its token was issued to {borrowed[0].address} and used from here, where this identity never signed in."
            yield _clue(Kind.IDENTITY, points.borrowed_token, text, borrowed)
        calm = [row for row in mine if _is_own_device(row)]
        if calm and len(calm) == len(mine) and not borrowed:
            text = "Signed in with more than one factor on a device that this identity had before."
            yield _clue(Kind.CONTEXT, points.own_device, text, calm)

    def _fresh(self, mine: Sequence[SignIn]) -> Clue | None:
        apps = self.applications
        strange = [row for row in mine if ADDRESS in row.unfamiliar or not row.known]
        for row in strange if apps else ():
            known = apps.with_credential(row.credential_id) if apps and row.kind == APPLICATION else None
            if apps and known and known[1].starts_at and known[1].starts_at >= apps.window_start:
                text = f"Signed in with the credential {shown(known[1].name or known[1].id, 60)}, added at {known[1].starts_at:%Y-%m-%d %H:%M}Z."
                return _clue(Kind.IDENTITY, self.weights.fresh_credential, text, [row])
        return None

    def _of_risk(self, work: Work, names: set[str]) -> Iterable[Clue]:
        seen = [
            sign
            for sign in (self.risk.signs if self.risk else ())
            if names & {sign.principal_id, sign.who.lower()}
            and sign.address
            and sign.address == work.session.address
            and sign.level in ("medium", "high")
            and sign.state.lower() in _OPEN
        ]
        if seen:
            events = listed(sorted({sign.event for sign in seen}), most=4)
            text = f"Identity Protection saw risk at this address: {events}."
            yield Clue(Kind.IDENTITY, Reason(self.weights.sign_in_at_risk, text))
            return
        rows = self.sign_ins.sign_ins if self.sign_ins else ()
        mine = _of(work, [row for row in rows if names & {row.principal_id, row.who.lower()}])
        risky = [row for row in mine if row.risk in ("medium", "high")]
        if risky:
            yield _clue(
                Kind.IDENTITY,
                self.weights.sign_in_at_risk,
                f"Entra held its sign-in for risky: {risky[0].risk}.",
                risky,
            )

    def _of_changes(self, work: Work, names: set[str]) -> Iterable[Clue]:
        rules = shipped_rules()
        done = [
            change
            for change in (self.changes.changes if self.changes else ())
            if names & {change.actor_id, change.actor.lower()}
            and change.address
            and change.address == work.session.address
            and change.result == "succeeded"
            and not change.usual
            and _leads_far(change, rules)
        ]
        if done:
            text = f"It also changed the directory: {listed(change.name for change in done)}."
            yield Clue(Kind.BEHAVIOUR, Reason(self.weights.changed_directory, text))


def sentences(
    findings: Iterable[Finding], sign_ins: SignIns | None, *, elsewhere: Iterable[Finding] = (), most: int = 4
) -> tuple[list[str], list[str]]:
    """What the identity review says for a compromise and against it, in sentences for the verdict.

    `findings` are about identities that have to do with the subscription; of those `elsewhere` in the tenant only the number is told.
    """
    told = dict.fromkeys(
        f"{one.title}{f': {shown(one.actor, 80)}' if one.actor else ''}{f' from {one.address}' if one.address else ''}."
        for one in findings
        if one.severity in (Severity.HIGH, Severity.CRITICAL)
    )
    worried = list(told)[:most] + (
        [f"{len(told) - most} more such findings about identities."] if len(told) > most else []
    )
    apart = sum(one.severity in (Severity.HIGH, Severity.CRITICAL) for one in elsewhere)
    calm = []
    if not told and apart:
        calm.append(
            f"the {apart} grave findings about identities are about the tenant, or about somebody without a role or a deed here."
        )
    elif not told and sign_ins is not None and sign_ins.records and not sign_ins.not_looked_at:
        calm.append(f"{sign_ins.records} sign-ins were read, and none of the window is unlike the earlier ones.")
    return worried, calm


def _of(work: Work, rows: Sequence[SignIn]) -> list[SignIn]:
    """The successful sign-ins behind a session: those whose tokens it used, else those from its address."""
    operations = {operation.id for operation in work.operations}
    good = [row for row in rows if row.result == SUCCEEDED]
    same = [row for row in good if row.address and row.address == work.session.address]
    return same or [row for row in good if operations & set(row.operations)]


def _is_own_device(row: SignIn) -> bool:
    return row.known and row.factor == "multi" and bool(row.device_id) and not {DEVICE, COUNTRY} & set(row.unfamiliar)


def _leads_far(change: Change, rules: RuleSet) -> bool:
    return any((rule.spreads or rule.weakens) and rule.severity in _GRAVE for rule in rules.of(change.matched))


def _clue(kind: Kind, points: int, text: str, rows: Sequence[SignIn]) -> Clue:
    proof = next((one for row in rows for one in row.ids), "")
    return Clue(kind, Reason(points, f"{text.rstrip('.')} (sign-in {shown(proof, 40)})." if proof else text))
