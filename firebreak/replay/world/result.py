"""What a what-if came to: effects, what the attacker would have met, time and money; as JSON and as the report's section. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis.running import ENDS_BILLING
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action
from firebreak.replay.past import Past
from firebreak.replay.world.aftermath import Again
from firebreak.replay.world.carrying import NOT_TRIED, Carried
from firebreak.replay.world.effects import Effects
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import markdown
from firebreak.report.kinds import kind_in_words

_CENT = Decimal("0.01")
_MOST = 40
_BLOCK = "policy.deny_creation"
# Resource Manager's published token buckets: 200 at once, then 10 a second, of writes and of deletes, per subscription and principal.
# https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
_BUCKET, _PER_SECOND = 200, 10


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds on the world's clock from the moment the first plan was approved; None for what the plans do not do. People's time is not in it.

    `floor` is the least that Azure's published limits allow for so many `writes` and `deletes`. `recorded_to_contain` is what it took then,
    from the plan to the last machine stopped, people's time included; None when nothing was stopped then.
    """

    to_block: float | None
    to_contain: float | None
    to_end: float
    floor: float
    writes: int
    deletes: int
    throttled: int
    recorded_to_contain: float | None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the attacker's compute cost from the moment `since` to the end of the record, then and if the plan had been carried out at `since`."""

    currency: str
    per_hour: Decimal
    since: datetime
    until: datetime
    then: Decimal
    what_if: Decimal
    saved: Decimal
    not_priced: tuple[str, ...]


@dataclass(frozen=True)
class WhatIf:
    """One what-if. `mode` is later (what the attacker did after `since` was tried) or again (nothing came after it: all was tried once more)."""

    held: Mapping[str, Any]
    since: datetime
    mode: str
    carried: tuple[Carried, ...]
    effects: Effects
    aftermath: tuple[Again, ...]
    times: Times
    money: Money | None


def times_of(carried: Sequence[Carried], requests: Iterable[Mapping[str, Any]], past: Past) -> Times:
    """Read the times from the journal of the world and from the embedded Azure's own log of requests."""
    began = carried[0].began
    rows = [row for one in carried for row in one.rows if row.state.is_good and row.ended_at is not None]

    def last(kinds: Sequence[str]) -> float | None:
        # A machine is stopped first and deleted later: the first of both ends its bill.
        first: dict[str, float] = {}
        for row in rows:
            if row.ended_at is not None and row.action.kind in kinds and row.state is not ActionState.ALREADY_SO:
                seconds = (row.ended_at - began).total_seconds()
                first[row.action.target.lower()] = min(seconds, first.get(row.action.target.lower(), seconds))
        return round(max(first.values()), 1) if first else None

    sent = [
        row for row in requests if row.get("service") != "login" and not str(row.get("url", "")).startswith("/_sim")
    ]
    writes = sum(row["method"] in ("PUT", "PATCH", "POST") for row in sent)
    deletes = sum(row["method"] == "DELETE" for row in sent)
    then = list(_ends((row for rows_then in past.rows.values() for row in rows_then), None).values())
    looked = past.rounds[min(past.rounds)].began_at
    return Times(
        to_block=last((_BLOCK,)),
        to_contain=last(ENDS_BILLING),
        to_end=round((max(one.ended for one in carried) - began).total_seconds(), 1),
        floor=max(0.0, (writes - _BUCKET) / _PER_SECOND, (deletes - _BUCKET) / _PER_SECOND),
        writes=writes,
        deletes=deletes,
        throttled=sum(row.get("status") == 429 for row in sent),
        recorded_to_contain=round((max(then) - looked).total_seconds(), 1) if then else None,
    )


def money_of(
    dossier: Dossier,
    before: Mapping[str, Any],
    carried: Sequence[Carried],
    aftermath: Sequence[Again],
    past: Past,
    since: datetime,
    until: datetime,
) -> Money | None:
    """Price what was the attacker's: each machine by its hour, from when it was there until it was stopped; None without prices."""
    burn, found = dossier.burn_before, dossier.attribution
    if burn is None or found is None:
        return None
    theirs = {one.id.lower() for one in found.resources if str(one.cls) == "attacker"}
    created = {
        str(row["id"]).lower(): str((row.get("properties") or {}).get("timeCreated") or "")
        for row in before["resources"]
        if isinstance(row.get("properties"), dict)
    }
    stopped_then = _ends((row for rows in past.rows.values() for row in rows), None)
    began = carried[0].began if carried else since
    stopped_now = _ends((row for one in carried for row in one.rows), began)
    refused = {one.target.lower() for one in aftermath if one.now == "refused"}
    then = what_if = per_hour = Decimal(0)
    for name, price in burn.per_resource.items():
        if name not in theirs:
            continue
        per_hour += price
        start = _moment(created.get(name, "")) or since
        end = min(stopped_then.get(name, until), until)
        cost = price * _hours((end - max(start, since)).total_seconds())
        then += cost
        if start > since:
            what_if += Decimal(0) if name in refused else cost
        elif name in stopped_now:
            what_if += min(cost, price * _hours((stopped_now[name] - began).total_seconds()))
        else:
            what_if += cost
    return Money(
        currency=burn.currency,
        per_hour=per_hour.quantize(_CENT),
        since=since,
        until=until,
        then=then.quantize(_CENT),
        what_if=what_if.quantize(_CENT),
        saved=(then - what_if).quantize(_CENT),
        not_priced=tuple(burn.unpriced),
    )


def _ends(rows: Iterable[Any], began: datetime | None) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for row in rows:
        if row.state.is_good and row.ended_at is not None and row.action.kind in ENDS_BILLING:
            name = row.action.target.lower()
            end = row.ended_at if began is None or str(row.state) != "already_so" else began
            found[name] = min(found.get(name, end), end)
    return found


def _hours(seconds: float) -> Decimal:
    return Decimal(str(max(0.0, seconds))) / 3600


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(f"{text[:19]}+00:00")
    except ValueError:
        return None
    return found


def what_if_json(one: WhatIf) -> dict[str, Any]:
    """The what-if for machines. Keys may be added, never renamed."""
    return {
        "world": dict(one.held),
        "since": one.since,
        "attacker_mode": one.mode,
        "plans": [
            {
                "stage": done.point.stage,
                "attempt": done.point.attempt,
                "digest": done.plan.digest,
                "actions": len(done.plan.actions),
                "ended": dict(Counter(str(row.state) for row in done.rows)),
                "left_out": list(done.left_out),
                "seconds": round((done.ended - done.began).total_seconds(), 1),
                "problem": done.problem,
            }
            for done in one.carried
        ],
        "actions": [
            {
                "id": row.action.id,
                "kind": row.action.kind,
                "target": row.action.target,
                "state": str(row.state),
                "reason": row.reason,
                "read_back": row.state_read_back,
            }
            for done in one.carried
            for row in done.rows
            if row.action.id not in {action.id for action in done.not_tried}
        ],
        "not_tried": [
            {"id": action.id, "kind": action.kind, "target": action.target, "why": NOT_TRIED[action.kind]}
            for action in _not_tried(one)
        ],
        "stops": [msgspec.to_builtins(each) for each in one.effects.stopped],
        "dependents": [msgspec.to_builtins(each) for each in one.effects.dependents],
        "access": [{"id": name, "what": what} for name, what in one.effects.access],
        "attacker": [msgspec.to_builtins(each) for each in one.aftermath],
        "time": msgspec.to_builtins(one.times),
        "money": msgspec.to_builtins(one.money) if one.money else None,
    }


def _not_tried(one: WhatIf) -> list[Action]:
    return [action for done in one.carried for action in done.not_tried]


def section(one: WhatIf) -> str:
    """The what-if as a section of the report, Markdown."""
    lines = ["## What if it had been carried out", ""]
    lines.append(
        "The recorded subscription was loaded into the embedded Azure, and the approved plans were carried out there in earnest; nothing else "
        f"was reached. {markdown(summary(one), 1000)}"
    )
    lines += ["", "| plan | actions | ended | seconds |", "|:---|---:|:---|---:|"]
    for done in one.carried:
        told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in ended(done).items())
        problem = f" **{markdown(done.problem, 300)}**" if done.problem else ""
        seconds = (done.ended - done.began).total_seconds()
        lines.append(f"| {markdown(str(done.point))} | {len(done.plan.actions)} | {told}{problem} | {seconds:.1f} |")
    lines += ["", "### What stops", ""]
    counts = Counter((each.what, each.type.rsplit("/", 1)[-1], each.whose) for each in one.effects.stopped)
    lines += [
        f"- {n} {markdown(kind)} {what}, taken for: {markdown(whose)}"
        for (what, kind, whose), n in sorted(counts.items())
    ]
    lines += ["", "### What is left standing and hung on it", ""]
    lines += [
        f"- **{markdown(leaf(each.id))}** ({markdown(each.type.rsplit('/', 1)[-1])}, {markdown(each.whose)}): {markdown(each.how, 200)} "
        f"{markdown(leaf(each.of))}"
        for each in one.effects.dependents[:_MOST]
    ] or ["- nothing that the record shows"]
    lines += _more(len(one.effects.dependents))
    lines += ["", "### What the attacker would have met", "", f"{tried(one)}", ""]
    lines += [
        "| UTC | operation | on | then | now | with a token that is still good |",
        "|:---|:---|:---|:---|:---|:---|",
    ]
    for again in one.aftermath[:_MOST]:
        why = f": {markdown(again.because, 160)}" if again.because else ""
        living = f": {markdown(again.with_token_because, 160)}" if again.with_token_because else ""
        lines.append(
            f"| {again.at:%m-%d %H:%M} | {markdown(again.operation, 80)} | {markdown(leaf(again.target), 60)} | {markdown(again.then, 20)} "
            f"| **{again.now}**{why} | {again.with_token}{living} |"
        )
    lines += _more(len(one.aftermath))
    lines += ["", "### What this world does not tell", ""]
    lines += [
        f"- not tried: {kind_in_words(a.kind)} {markdown(leaf(a.target))}: {NOT_TRIED[a.kind]}"
        for a in _not_tried(one)[:_MOST]
    ]
    lines += [f"- {line}" for line in gaps(one)]
    return "\n".join([*lines, ""])


def summary(one: WhatIf) -> str:
    """Time and money in one or two sentences."""
    times, money = one.times, one.money
    contained = (
        "The plans stop no compute."
        if times.to_contain is None
        else f"Contained {times.to_contain:.0f} s after the approval"
    )
    if times.to_contain is not None:
        block = "" if times.to_block is None else f", new compute blocked after {times.to_block:.0f} s"
        then = (
            ""
            if times.recorded_to_contain is None
            else f"; then it took {times.recorded_to_contain / 60:.0f} min, people included"
        )
        contained += f"{block} (Azure's published limits allow no less than {times.floor:.0f} s for {times.writes} writes and {times.deletes} deletes){then}."
    if money is None:
        return contained
    return (
        f"{contained} From {money.since:%Y-%m-%d %H:%M} to {money.until:%Y-%m-%d %H:%M} UTC the attacker's compute cost {money.then:,.2f} {money.currency}; "
        f"carried out at once it would have cost {money.what_if:,.2f}: {money.saved:,.2f} saved."
    )


def gaps(one: WhatIf, show: Callable[[str, int], str] = markdown) -> list[str]:
    """What the world does not hold, or only by name, each as a sentence; names from Azure are made harmless by `show`."""
    told = []
    if by_name := one.held.get("by_name"):
        kinds = ", ".join(f"{count} {kind}" for kind, count in list(by_name.items())[:_MOST])
        told.append(f"held by name alone, so that nothing can be seen to hang on them: {show(kinds, 2000)}")
    if missing := one.held.get("not_held"):
        told.append(f"not held: {show(', '.join(missing), 600)}")
    if one.held.get("own_role_added"):
        told.append("the record does not show the role of Firebreak's own identity: in the world it is Owner")
    told.append(
        "the attacker goes on there with the sessions of then: who also knows a password or secret that is still good could sign in anew"
    )
    return told


def tried(one: WhatIf) -> str:
    """What became of what the attacker did, in one sentence or two."""
    if not one.aftermath:
        return "No operation of the attacker's is recorded."
    told = tally(each.now for each in one.aftermath)
    living = tally(each.with_token for each in one.aftermath if each.with_token)
    token = (
        f" With an access token that is still good, which may be for an hour, of those that the sign-in refused: {living}."
        if living
        else ""
    )
    if one.mode == "later":
        return f"What the attacker did after {one.since:%Y-%m-%d %H:%M} UTC, once more in the contained subscription: {told}.{token}"
    return (
        f"Nothing of the attacker's is recorded after {one.since:%Y-%m-%d %H:%M} UTC. Had all of it been done once more after the containment: {told}."
        f"{token}"
    )


def tally(states: Iterable[str]) -> str:
    """How many of each, as in "3 refused, 1 works"; "" for none."""
    return ", ".join(f"{number} {state}" for state, number in sorted(Counter(states).items()))


def ended(done: Carried) -> dict[str, int]:
    """How many actions of a plan ended in which way; those that could not be tried are a way of their own."""
    skipped = {action.id for action in done.not_tried}
    found = Counter(str(row.state) for row in done.rows if row.action.id not in skipped)
    if skipped:
        found["not tried"] = len(skipped)
    return dict(sorted(found.items()))


def _more(count: int) -> list[str]:
    return [f"- and {count - _MOST} more: `--json` has all"] if count > _MOST else []


def leaf(name: str) -> str:
    """The last part of an id."""
    return name.rstrip("/").rsplit("/", 1)[-1]
