"""How platform compute is stopped and started again: one plan, one look, one write and one inverse for all kinds.

A `Stop` says how one kind is switched: with a verb (`POST .../stop`, `.../start`) or with a size (`PATCH` to nothing and back to what was
read before). A step names its kinds and hands the rest on to these functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.platform import Compute, Kind, PlatformCompute, Power
from firebreak.model.step import Effect, Sent, Target
from tasks.arm import RESOURCES, Document, absent, covers, known, moment, read_all, text_at
from tasks.judged import Judged, id_of_this_time
from tasks.platform import CALLED, at, described, type_of
from tasks.words import name_of, per_hour, plain

_OFF: Final = (Power.STOPPED, Power.STOPPING)
_ON: Final = (Power.RUNNING, Power.STARTING, Power.IDLE)


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind is stopped. `nothing` is the PATCH body of no nodes, {} for kinds that are switched by a verb; `warning` is a reason."""

    kind: Kind
    warning: str
    nothing: dict[str, Any] = {}

    @property
    def off(self) -> str:
        return f"{self.kind}.{'scale_to_zero' if self.nothing else 'stop'}"

    @property
    def on(self) -> str:
        return f"{self.kind}.{'scale_back' if self.nothing else 'start'}"


class Stops:
    """The functions of one step, over the kinds that it stops."""

    def __init__(self, step: str, *ways: Stop) -> None:
        self._step = step
        self._ways = {way.kind: way for way in ways}

    def of(self, case: Case) -> list[tuple[Compute, str]]:
        """Everything of the step's kinds with the reason to leave it alone, "" when it is to be stopped; the dearest first."""
        judged = Judged(case)
        mine = [(one, _keep(one, judged)) for one in case[PlatformCompute].items if one.kind in self._ways]
        return sorted(mine, key=lambda row: (bool(row[1]), -(judged.per_hour(row[0].id) or 0), row[0].id.lower()))

    def plan(self, case: Case) -> list[Action | NoOp]:
        judged = Judged(case)
        return [
            NoOp(step=self._step, target=one.id, reason=keep) if keep else self.stop(one, judged)
            for one, keep in self.of(case)
        ]

    def stop(self, one: Compute, judged: Judged, after: Sequence[str] = ()) -> Action:
        """The action that stops one of them; `after` are ids of actions that must have ended well before."""
        way, cost = self._ways[one.kind], judged.per_hour(one.id)
        spot = ("Spot capacity: started again it may get none.",) if one.priority.lower() in ("spot", "low") else ()
        return Action(
            id=id_of_this_time(judged.case, self._step, way.off, one.id),
            step=self._step,
            kind=way.off,
            target=one.id,
            title=f"{_word(way.off)} {CALLED[one.kind]} {plain(one.name, 60)} ({_size(one)}){per_hour(cost, judged.currency)}",
            effect=Effect.REVERSIBLE,
            reasons=(*judged.reasons(one.id), way.warning, *spot, *one.caveats),
            fingerprint=known({"created": moment(one.created_at)}),
            params={"kind": str(one.kind), "version": one.version},
            after=tuple(after),
            per_hour=cost,
            region=one.region,
        )

    async def look(self, actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
        documents = await documents_of(actions, eyes)
        created = await created_in_list([a for a in actions if documents[a.id] is not None], eyes)
        return {a.id: self._judge(a, documents[a.id], created.get(a.target.lower(), "")) for a in actions}

    def _judge(self, action: Action, document: Document | None, listed: str) -> Target:
        way = self._ways[Kind(action.params["kind"])]
        stopping = action.kind == way.off
        if document is None:
            return absent(action) if stopping else Target(exists=False, already_so=False, state="absent")
        one = described({**document, "id": action.target}, like(action))
        if one is None:
            return Target(exists=True, already_so=False, state="another kind", fingerprint={"created": "another kind"})
        if stopping:
            settled, on_the_way = one.power is Power.STOPPED, one.power is Power.STOPPING
        elif way.nothing:
            settled, on_the_way = covers(action.params["settings"], one.settings) and not one.is_resizing, False
            on_the_way = not settled and covers(action.params["settings"], one.settings)
        else:
            settled, on_the_way = one.power is Power.RUNNING, one.power is Power.STARTING
        return Target(
            exists=True,
            already_so=settled,
            in_progress=on_the_way,
            state=str(one.power) + (f", {one.nodes} nodes" if way.nothing and one.nodes else ""),
            fingerprint=known({"created": moment(listed or at(document))}),
            prior={"power": str(one.power), "settings": one.settings},
        )

    async def apply(self, action: Action, hands: Hands) -> Sent:
        way, version = self._ways[Kind(action.params["kind"])], str(action.params["version"])
        if not way.nothing:
            return await hands.arm.post(
                f"{action.target}/{'stop' if action.kind == way.off else 'start'}", version, None
            )
        wanted = way.nothing if action.kind == way.off else _body(way, action.params["settings"])
        return await hands.arm.patch(action.target, version, wanted)

    def undo(self, action: Action, prior: Mapping[str, Any]) -> Action | NoOp | None:
        """Start it, or give it the size it had, when it was on before; stop it again when it was off."""
        way, power = self._ways[Kind(action.params["kind"])], str(prior.get("power") or Power.UNKNOWN)
        was_on = power in _ON
        if action.kind == way.off and not was_on:
            reason = f"It was {plain(power, 40)} before, not running: it is not started."
            return NoOp(step=self._step, target=action.target, reason=reason)
        if (action.kind == way.on) == was_on:
            return None
        kind = way.on if was_on else way.off
        settings = {"settings": prior.get("settings") or {}} if was_on and way.nothing else {}
        if was_on and way.nothing and not settings["settings"]:
            return None
        return Action(
            id=action_id(self._step, kind, action.target),
            step=self._step,
            kind=kind,
            target=action.target,
            title=f"{_word(kind)} {CALLED[way.kind]} {name_of(action.target)} again",
            effect=Effect.REVERSIBLE,
            reasons=("Puts it as it was before; it is billed again from then on." if was_on else "It was off before.",),
            fingerprint=action.fingerprint,
            params={"kind": action.params["kind"], "version": action.params["version"]} | settings,
            per_hour=action.per_hour,
            region=action.region,
        )


async def documents_of(actions: Sequence[Action], eyes: Eyes) -> dict[str, Document | None]:
    """Each action's target, read alone with the version that the action names; keyed by action id."""
    found: dict[str, Document | None] = {}
    for version in sorted({str(a.params["version"]) for a in actions}):
        mine = [a for a in actions if a.params["version"] == version]
        documents = await read_all(eyes, (a.target for a in mine), version)
        found |= {a.id: documents[a.target.lower()] for a in mine}
    return found


async def created_in_list(actions: Sequence[Action], eyes: Eyes) -> dict[str, str]:
    """When targets that stand in the list of all resources were made, by id in lower case: most services do not tell it themselves."""
    created: dict[str, str] = {}
    for kind in sorted({type_of(a.target) for a in actions if a.fingerprint and type_of(a.target).count("/") == 1}):
        wanted = {"$filter": f"resourceType eq '{kind}'", "$expand": "createdTime"}
        rows = await eyes.arm.list(f"/subscriptions/{eyes.arm.subscription_id}/resources", RESOURCES, wanted)
        created |= {text_at(row, "id").lower(): text_at(row, "createdTime") for row in rows}
    return created


def like(action: Action) -> Compute:
    """What the action was planned for, as far as its document must be read again."""
    return Compute(
        id=action.target,
        kind=Kind(action.params["kind"]),
        name=name_of(action.target),
        region=action.region,
        version=str(action.params["version"]),
    )


def _keep(one: Compute, judged: Judged) -> str:
    keep = judged.keep_out(one.id)
    if not keep and one.power in _OFF:
        keep = f"Already {one.power}: costs no compute."
    return keep


def _size(one: Compute) -> str:
    count = f"{one.nodes} of {one.size}" if one.nodes > 1 and one.size else one.size
    spot = "Spot" if one.priority.lower() in ("spot", "low") else ""
    return ", ".join(plain(part, 60) for part in (count, spot, one.region) if part) or str(one.power)


def _word(kind: str) -> str:
    return {"scale_to_zero": "Scale down to nothing:", "scale_back": "Scale back:"}.get(
        kind.rsplit(".", 1)[-1], kind.rsplit(".", 1)[-1].capitalize()
    )


def _body(way: Stop, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were read, at the place where the body of nothing has its own."""
    inner: Any = dict(settings)
    if "properties" in way.nothing["properties"]:
        inner = {"properties": inner}
    return {"properties": inner}
