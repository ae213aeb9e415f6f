"""What must hold between the parts of a playbook: names that exist, gates before changes, the order that promises need.

Each rule works on what could be read, so that a file with a typing error at the top still has its other problems reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from firebreak.model.plan import UNDO
from firebreak.model.playbook import Gate
from firebreak.model.step import Effect, Step
from firebreak.playbook.forms import Path, Reading, nearest

_EXPIRES = Gate(id="", title="", approvers=()).expires_after_minutes  # when a file does not say

Placed = tuple[Path, str]
Stages = Sequence[tuple[Path, dict[str, Any]]]


def check(values: dict[str, Any], reading: Reading, steps: Mapping[str, Step] | None) -> None:
    """Add to `reading` what is wrong between the parts; `steps` None leaves out what needs the declared steps."""
    stages: Stages = [(("stages", i), s) for i, s in enumerate(values.get("stages") or []) if isinstance(s, dict)]
    gates = values.get("gates") or {}
    _unique_stage_ids(stages, reading)
    _gates_fit(stages, gates, reading)
    _times_fit(gates, reading)
    if steps is not None:
        _steps_exist(stages, reading, steps)
        _changes_are_gated(stages, gates, reading, steps)
        _only_the_reversible_is_pre_authorised(stages, gates, reading, steps)
        _what_goes_first_may(stages, gates, reading, steps)
        _order_is_kept(stages, reading, steps)
        _facts_come_first(stages, reading, steps)
        _parameters_are_known(values.get("parameters") or {}, reading, steps)


def _unique_stage_ids(stages: Stages, reading: Reading) -> None:
    seen: set[str] = set()
    for path, stage in stages:
        name = stage.get("id")
        if name == UNDO:
            place = reading.places[(*path, "id")]
            reading.problem(place, f"{UNDO!r} is the stage of `firebreak incidents undo`.", "Choose another id.")
        elif name in seen:
            reading.problem(reading.places[(*path, "id")], f"Stage {name!r} is defined twice.", "Rename one.")
        elif name is not None:
            seen.add(name)


def _gates_fit(stages: Stages, gates: dict[str, Any], reading: Reading) -> None:
    used = set()
    for path, stage in stages:
        gate = stage.get("gate")
        if gate is None:
            if (stage.get("rounds") or 1) > 1:
                reading.problem(reading.places[(*path, "rounds")], "Only a stage with a gate has rounds.", "Remove it.")
            continue
        used.add(gate)
        if gate not in gates:
            reading.problem(reading.places[(*path, "gate")], f"Gate {gate!r} is not defined.", nearest(gate, gates))
    for name, gate in gates.items():
        if name not in used and name != UNDO:
            reading.problem(
                reading.keys.get(("gates", name)),
                f"Gate {name!r} is used by no stage.",
                "Remove it or name it in a stage.",
            )
        if isinstance(gate, dict) and gate.get("requester_may_approve") and (gate.get("required") or 1) > 1:
            place = reading.places[("gates", name, "requester_may_approve")]
            reading.problem(
                place, f"Gate {name!r} needs several people; the requester is not one of them.", "Set it to false."
            )


def _times_fit(gates: dict[str, Any], reading: Reading) -> None:
    """Reminder and escalation come before the question expires, and an escalation says when and to whom."""
    for name, gate in gates.items():
        if not isinstance(gate, dict):
            continue
        expires = gate.get("expires_after") or _EXPIRES
        for key in ("remind_after", "escalate_after"):
            if (gate.get(key) or 0) >= expires:
                place = reading.places[("gates", name, key)]
                reading.problem(place, f"{key!r} of gate {name!r} is not before it expires.", "Make it shorter.")
        pair = {"escalate_after", "escalate_to"} & set(gate)
        if len(pair) == 1:
            (given,) = pair
            other = "escalate_to" if given == "escalate_after" else "escalate_after"
            place = reading.places[("gates", name, given)]
            reading.problem(place, f"Gate {name!r} has {given!r} and no {other!r}.", f"Add {other!r}.")
        again = sorted(set(gate.get("escalate_to") or ()) & set(gate.get("approvers") or ()))
        if again:
            place = reading.places[("gates", name, "escalate_to")]
            reading.problem(place, f"Role {again[0]!r} may answer gate {name!r} from the beginning.", "Remove it here.")


def _only_the_reversible_is_pre_authorised(
    stages: Stages, gates: dict[str, Any], reading: Reading, steps: Mapping[str, Step]
) -> None:
    """P6: what may go without people is a step of a stage behind that gate, and can be taken back."""
    for name, gate in gates.items():
        given = gate.get("pre_authorised") if isinstance(gate, dict) else None
        if not isinstance(given, dict):
            continue
        behind = {step for _, stage in stages if stage.get("gate") == name for step in stage.get("steps") or []}
        for index, step in enumerate(given.get("steps") or []):
            place = reading.places.get(("gates", name, "pre_authorised", "steps", index))
            if step not in behind:
                reading.problem(
                    place, f"No stage with gate {name!r} has the step {step!r}.", nearest(str(step), behind)
                )
            elif step in steps and steps[step].effect is not Effect.REVERSIBLE:
                message = f"{step} is {steps[step].effect.value}; only what can be taken back may go without people."
                reading.problem(place, message, "Remove it.")


def _what_goes_first_may(stages: Stages, gates: dict[str, Any], reading: Reading, steps: Mapping[str, Step]) -> None:
    """A stage that may go first has stages to go before, looks at nothing, and has no step that must come after one of theirs."""
    for name, gate in gates.items():
        given = gate.get("pre_authorised") if isinstance(gate, dict) else None
        if not isinstance(given, dict) or given.get("goes_first") is not True:
            continue
        place = reading.places.get(("gates", name, "pre_authorised", "goes_first"))
        for index, (_, stage) in enumerate(stages):
            if stage.get("gate") != name:
                continue
            passed = _passed(stages[:index], gates, steps)
            own = [step for step in stage.get("steps") or [] if step in steps]
            if not passed or any(steps[step].effect is Effect.READ for step in own):
                why = "looks at something" if passed else "has no stage right before it whose gate may be skipped"
                reading.problem(place, f"Stage {stage.get('id')!r} cannot go first: it {why}.", "Remove it.")
            theirs = {step for one in passed for step in one.get("steps") or []}
            for step in own:
                for earlier in theirs.intersection(steps[step].comes_after):
                    reading.problem(place, f"{step} must come after {earlier}, which it would go before.", "Remove it.")


def _passed(before: Stages, gates: dict[str, Any], steps: Mapping[str, Step]) -> list[dict[str, Any]]:
    """The stages right before a place whose gates may be skipped and which look at nothing."""
    found: list[dict[str, Any]] = []
    for _, stage in reversed(before):
        gate = gates.get(str(stage.get("gate")))
        reads = any(steps[name].effect is Effect.READ for name in stage.get("steps") or [] if name in steps)
        if reads or not isinstance(gate, dict) or gate.get("optional") is not True:
            break
        found.append(stage)
    return found


def _named_steps(stages: Stages) -> Iterator[Placed]:
    for path, stage in stages:
        for index, name in enumerate(stage.get("steps") or []):
            if isinstance(name, str):
                yield (*path, "steps", index), name


def _steps_exist(stages: Stages, reading: Reading, steps: Mapping[str, Step]) -> None:
    for path, name in _named_steps(stages):
        if name not in steps:
            hint = nearest(name, steps) or "`firebreak playbooks show --steps` lists all steps."
            reading.problem(reading.places[path], f"Unknown step {name!r}.", hint)


def _changes_are_gated(stages: Stages, gates: dict[str, Any], reading: Reading, steps: Mapping[str, Step]) -> None:
    """P1 and P6: what changes anything has a gate, what cannot be taken back needs two people."""
    for path, stage in stages:
        effects = {name: steps[name].effect for name in stage.get("steps") or [] if name in steps}
        changing = [name for name, effect in effects.items() if effect is not Effect.READ]
        final = [name for name, effect in effects.items() if effect is Effect.IRREVERSIBLE]
        gate = stage.get("gate")
        if changing and gate is None:
            reading.problem(
                reading.places[path],
                f"Stage {stage.get('id')!r} changes things ({changing[0]}) and has no gate.",
                "Add 'gate:' with one of the names under gates.",
            )
        answer = gates.get(gate) if gate is not None else None
        needs_two = final and isinstance(answer, dict) and (answer.get("required") or 1) < 2
        if needs_two:
            reading.problem(
                reading.places[(*path, "gate")],
                f"Stage {stage.get('id')!r} has steps that cannot be taken back ({final[0]}); gate {gate!r} asks one person.",
                "Set 'required: 2' in that gate.",
            )


def _order_is_kept(stages: Stages, reading: Reading, steps: Mapping[str, Step]) -> None:
    """P9 and its kin: a step says which steps must stand before it."""
    before: set[str] = set()
    for path, name in _named_steps(stages):
        for earlier in steps[name].comes_after if name in steps else ():
            if earlier not in before:
                reading.problem(
                    reading.places[path], f"{name} must come after {earlier}.", f"Name {earlier} before it."
                )
        before.add(name)


def _facts_come_first(stages: Stages, reading: Reading, steps: Mapping[str, Step]) -> None:
    """What a step needs must have been collected by a step before it."""
    makers = {step.produces: name for name, step in steps.items() if step.produces is not None}
    before: set[object] = set()
    for path, name in _named_steps(stages):
        if name not in steps:
            continue
        for kind in steps[name].needs:
            if kind not in before and kind in makers:
                message = f"{name} needs what {makers[kind]} finds out."
                reading.problem(reading.places[path], message, f"Name {makers[kind]} before it.")
        before.add(steps[name].produces)


def _parameters_are_known(parameters: dict[str, Any], reading: Reading, steps: Mapping[str, Step]) -> None:
    for step, given in parameters.items():
        if step not in steps:
            reading.problem(reading.keys.get(("parameters", step)), f"Unknown step {step!r}.", nearest(step, steps))
            continue
        known = steps[step].parameters
        for name in given if known and isinstance(given, dict) else ():
            if name not in known:
                place = reading.keys.get(("parameters", step, name))
                reading.problem(place, f"{step} has no parameter {name!r}.", nearest(name, known))
