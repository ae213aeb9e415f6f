"""What sign-ins of the window say: guessed passwords, places and devices an identity never had, missing second factors, borrowed tokens.

Facts in, findings out. Where an identity has no past, nothing is called new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from firebreak.analysis.documents import listed, shown
from firebreak.analysis.identity import guesses
from firebreak.analysis.identity.habits import ADDRESS, APP, COUNTRY, CREDENTIAL, DEVICE, roams, uses_second_factor
from firebreak.analysis.identity.sign_in_records import (
    APPLICATION,
    FORBIDDEN,
    INTERACTIVE,
    MANAGED,
    SECOND_FACTOR_ASKED,
    STOPPED,
    SUCCEEDED,
)
from firebreak.analysis.identity.telling import raised, told, when
from firebreak.analysis.ruleset import RuleSet
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Administrators, Applications, Habit, SignIn, SignIns

STEP = "investigate.sign_ins"
_WEIGHTS = {COUNTRY: 3, ADDRESS: 1, DEVICE: 1, APP: 1}
_IN_WORDS = {
    COUNTRY: "country",
    ADDRESS: "address",
    DEVICE: "device",
    APP: "application",
    CREDENTIAL: "credential",
}
_MANY_COUNTRIES = 4
_AZURE = ("azure portal", "microsoft azure", "azure service management", "azure resource manager")


class Surroundings(msgspec.Struct, frozen=True):
    """What other steps know about the identities. None: not collected."""

    administrators: Administrators | None = None
    applications: Applications | None = None

    def is_privileged(self, principal_id: str) -> bool:
        found = self.administrators.of(principal_id) if self.administrators else None
        return found is not None and found.is_privileged


def find(
    facts: SignIns,
    rules: RuleSet,
    *,
    limits: guesses.Limits | None = None,
    own: Iterable[str] = (),
    around: Surroundings | None = None,
) -> list[Finding]:
    """Return the findings, gravest first. Sign-ins of the principals in `own` (the responder's) are left out."""
    surroundings = around or Surroundings()
    skip = {principal.lower() for principal in own}
    rows = [row for row in facts.sign_ins if row.principal_id not in skip]
    found = [
        *guesses.find(STEP, rows, limits or guesses.Limits()),
        *_stopped(rows),
        *_unfamiliar(facts, rows, surroundings),
        *_one_factor(facts, rows, surroundings),
        *_applications(facts, rows, surroundings),
        *_borrowed(rows),
        *_by_rules(rows, rules),
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def place_of(row: SignIn) -> str:
    """The address and where it lies, in words."""
    where = ", ".join(shown(part, 40) for part in (row.city, row.country) if part)
    return f"{row.address or 'an unnamed address'}{f' ({where})' if where else ''}"


def _stopped(rows: Sequence[SignIn]) -> Iterable[Finding]:
    """The password was right, from a place that its owner never had, and only the second factor or a policy held."""
    inside = {(row.principal_id, row.address) for row in rows if row.result == SUCCEEDED}
    strange = [
        row
        for row in rows
        if row.result == STOPPED
        and row.error in SECOND_FACTOR_ASKED | FORBIDDEN
        and (COUNTRY in row.unfamiliar or {ADDRESS, DEVICE} <= set(row.unfamiliar))
        and (row.principal_id, row.address) not in inside
    ]
    for (_, address), together in _grouped(strange, lambda row: (row.principal_id or row.who, row.address)):
        first = together[0]
        reasons = [
            f"From {place_of(first)}, {_times(together)}: the password was right, and what came after it stopped the sign-in.",
            "The password is known to somebody; only the second factor or a policy stands between.",
        ]
        yield told(
            STEP,
            "password-known",
            "A password that strangers know",
            Severity.MEDIUM,
            reasons,
            about=[first.principal_id or first.who, address],
            actor=first.who,
            address=address,
            ids=_ids(together),
            techniques=("T1078.004",),
        )


def _unfamiliar(facts: SignIns, rows: Sequence[SignIn], around: Surroundings) -> Iterable[Finding]:
    """Successful sign-ins of people with traits they never had. An address alone is nothing: people move."""
    good = [row for row in rows if row.result == SUCCEEDED and row.kind not in (APPLICATION, MANAGED)]
    for (_, address), together in _grouped(good, lambda row: (row.principal_id or row.who, row.address)):
        new = {trait for row in together for trait in row.unfamiliar}
        first = together[0]
        habit = facts.habit_of(first.principal_id)
        weight = sum(_WEIGHTS.get(trait, 0) for trait in new)
        operations = {operation for row in together for operation in row.operations}
        bare = all(row.factor == "single" for row in together) and uses_second_factor(habit)
        if weight < 2 or weight + bool(operations) + bare < 3:
            continue
        severity = Severity.HIGH if weight >= 5 else Severity.MEDIUM
        reasons = [
            f"From {place_of(first)}, {_times(together)}: {', '.join(_IN_WORDS[t] for t in _IN_WORDS if t in new)} never seen before.",
            _usually(habit),
        ]
        if _is_calm(together):
            severity = raised(severity, -1 if weight >= 5 else -2)
            reasons.append("With more than one factor, on a device that the tenant manages, as a traveller would.")
        elif all(row.factor == "single" for row in together):
            reasons.append("With one factor alone.")
        if operations:
            severity = raised(severity, int(weight >= 3))
            reasons.append(f"{len(operations)} operations in the subscription carry the tokens of these sign-ins.")
        if around.is_privileged(first.principal_id):
            severity = raised(severity)
            reasons.append("This identity has a privileged role.")
        yield told(
            STEP,
            "unfamiliar-sign-in",
            "A sign-in unlike all the others of this person",
            severity,
            reasons,
            about=[first.principal_id or first.who, address],
            actor=first.who,
            address=address,
            ids=_ids(together),
            techniques=("T1078.004",),
        )


def _one_factor(facts: SignIns, rows: Sequence[SignIn], around: Surroundings) -> Iterable[Finding]:
    """No second factor where one is usual, or for somebody with a privileged role; and a list of all who went without."""
    bare = [row for row in rows if row.kind == INTERACTIVE and row.result == SUCCEEDED and row.factor == "single"]
    for (who,), together in _grouped(bare, lambda row: (row.principal_id or row.who,)):
        first = together[0]
        usual = uses_second_factor(facts.habit_of(first.principal_id))
        privileged = around.is_privileged(first.principal_id)
        azure = any(any(word in row.resource.lower() or word in row.app.lower() for word in _AZURE) for row in together)
        strange = any(row.unfamiliar for row in together)
        if not (usual or privileged):
            continue
        severity = Severity.MEDIUM if usual or (privileged and azure) else Severity.LOW
        reasons = [
            f"{_times(together)} from {listed(place_of(row) for row in together)}.",
            "Earlier sign-ins of this person asked for more than one factor." if usual else "",
            "This identity has a privileged role." if privileged else "",
        ]
        yield told(
            STEP,
            "one-factor",
            "Signed in with one factor alone",
            raised(severity) if usual and strange else severity,
            reasons,
            about=[who],
            actor=first.who,
            address=first.address if len({row.address for row in together}) == 1 else "",
            ids=_ids(together),
            techniques=("T1078.004", "T1556.006"),
        )
    if facts.one_factor:
        most = sorted(facts.one_factor.items(), key=lambda item: (-item[1], item[0]))
        people = listed((f"{who} ({count})" for who, count in most), most=10)
        text = f"{len(most)} people signed in with one factor in the window: {people}."
        title = "People who sign in without a second factor"
        yield told(STEP, "one-factor-list", title, Severity.INFORMATIONAL, [text], about=["all"])


def _applications(facts: SignIns, rows: Sequence[SignIn], around: Surroundings) -> Iterable[Finding]:
    """Applications with a fresh credential, or from an address that theirs never was."""
    good = [row for row in rows if row.kind == APPLICATION and row.result == SUCCEEDED]
    for (who, address), together in _grouped(good, lambda row: (row.principal_id or row.who, row.address)):
        first, reasons = together[0], list[str]()
        habit = facts.habit_of(first.principal_id)
        new = {trait for row in together for trait in row.unfamiliar}
        severity = Severity.INFORMATIONAL
        # Hosted build agents come from ever new addresses, but not from ever new countries.
        if COUNTRY in new or (ADDRESS in new and not roams(habit)):
            severity = Severity.HIGH if COUNTRY in new and not _is_everywhere(habit) else Severity.MEDIUM
            reasons.append(f"{place_of(first)} was never used by this application before. {_usually(habit)}")
        fresh = _fresh_credential(together, around.applications)
        if fresh:
            # From its usual place a fresh credential is a rotation, more often than not. One that roams has no usual place.
            elsewhere = COUNTRY in new or ADDRESS in new or not all(row.known for row in together)
            severity = Severity.HIGH if elsewhere else Severity.LOW
            reasons.append(fresh)
            if elsewhere and roams(habit) and (COUNTRY not in new or _is_everywhere(habit)):
                severity = Severity.MEDIUM
                reasons.append("It comes from ever new addresses, as hosted build agents do: where from says little.")
        elif CREDENTIAL in new:
            severity = raised(severity) if severity is not Severity.INFORMATIONAL else Severity.LOW
            reasons.append("It signed in with a credential that it never used before.")
        if not reasons:
            continue
        reasons.insert(0, f"{_times(together)} from {place_of(first)}.")
        yield told(
            STEP,
            "application-sign-in",
            "An application signed in from elsewhere or with a fresh credential",
            severity,
            reasons,
            about=[who, address],
            actor=first.who,
            address=address,
            ids=_ids(together),
            techniques=("T1078.004", "T1098.001") if fresh else ("T1078.004",),
        )


def _is_everywhere(habit: Habit | None) -> bool:
    """Whether a further country says little about an identity."""
    return roams(habit) and habit is not None and len(habit.countries) >= _MANY_COUNTRIES


def _fresh_credential(together: Sequence[SignIn], applications: Applications | None) -> str:
    for row in together:
        known = applications.with_credential(row.credential_id) if applications else None
        if applications and known and known[1].starts_at and known[1].starts_at >= applications.window_start:
            return f"Its credential {shown(known[1].name or known[1].id, 60)} was added at {known[1].starts_at:%Y-%m-%d %H:%M}Z."
    return ""


def _borrowed(rows: Sequence[SignIn]) -> Iterable[Finding]:
    """Tokens that were used from an address which never signed in: taken along, stolen, or sent through another way out of the network."""
    moved = [row for row in rows if row.used_from and row.result == SUCCEEDED]
    for (who,), together in _grouped(moved, lambda row: (row.principal_id or row.who,)):
        first = together[0]
        used = sorted({address for row in together for address in row.used_from})
        reasons = [
            f"The tokens were issued to {listed(place_of(row) for row in together)} and used in the subscription from {listed(used)}.",
            "No sign-in of this identity ever came from there. A stolen token looks so, and so does a network with several ways out.",
        ]
        yield told(
            STEP,
            "token-used-elsewhere",
            "A token used from another address than it was issued to",
            Severity.LOW if first.kind in (APPLICATION, MANAGED) else Severity.MEDIUM,
            reasons,
            about=[who],
            actor=first.who,
            address=used[0],
            ids=_ids(together),
            techniques=("T1550.001", "T1539"),
        )


def _by_rules(rows: Sequence[SignIn], rules: RuleSet) -> Iterable[Finding]:
    """The detections for sign-ins (`playbooks/detections/signins.yml` and the operator's own)."""
    by_rule: dict[tuple[str, str, bool], list[SignIn]] = defaultdict(list)
    for row in rows:
        for identifier in row.matched:
            by_rule[identifier, row.principal_id or row.who.lower(), row.result == SUCCEEDED].append(row)
    for (identifier, who, succeeded), together in sorted(by_rule.items()):
        rule = next(iter(rules.of([identifier])), None)
        first = together[0]
        familiar = all(row.known and not row.unfamiliar for row in together)
        if rule is None or (rule.everyday and familiar):
            continue
        severity, title = rule.severity, rule.title
        reasons = [rule.description, f"{_times(together)} from {listed(place_of(row) for row in together)}."]
        if rule.family != "risk" and not succeeded:
            severity, title = raised(severity, -2), f"{title} (attempted)"
            reasons.append("None of them succeeded.")
        elif familiar and severity is Severity.MEDIUM and rule.family != "risk":
            severity = Severity.LOW
            reasons.append("This identity signs in so from its usual places.")
        if severity is Severity.INFORMATIONAL:
            continue
        yield told(
            STEP,
            rule.id,
            title,
            severity,
            reasons,
            about=[who, "in" if succeeded else "tried"],
            actor=first.who,
            address=first.address if len({row.address for row in together}) == 1 else "",
            ids=_ids(together),
            techniques=rule.techniques,
        )


def _is_calm(rows: Sequence[SignIn]) -> bool:
    return all(row.factor == "multi" and row.managed and DEVICE not in row.unfamiliar for row in rows)


def _usually(habit: Habit | None) -> str:
    if habit is None:
        return ""
    countries = listed(sorted(habit.countries, key=lambda c: -habit.countries[c])) or "no named country"
    addresses = listed(sorted(habit.addresses, key=lambda a: -habit.addresses[a]), most=3) or "no named address"
    return f"Before: {habit.sign_ins} sign-ins on {habit.days} days from {countries}, mostly {addresses}."


def _times(rows: Sequence[SignIn]) -> str:
    count = sum(row.count for row in rows)
    span = when(min(row.first for row in rows), max(row.last for row in rows))
    return f"{count} sign-in{'s' if count != 1 else ''} {span}"


def _ids(rows: Iterable[SignIn]) -> list[str]:
    return [one for row in rows for one in row.ids]


def _grouped(
    rows: Iterable[SignIn], key: Callable[[SignIn], tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[SignIn]]]:
    groups: dict[tuple[str, ...], list[SignIn]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.first, row.ids)):
        groups[key(row)].append(row)
    return sorted(groups.items())
