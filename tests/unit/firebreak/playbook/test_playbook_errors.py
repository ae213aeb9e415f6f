"""Every error of a playbook file is found at once, each at its line and column, and says what to do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from firebreak.errors import PlaybookError
from firebreak.model.facts import AccessFacts, Inventory
from firebreak.model.playbook import PreAuthorised
from firebreak.model.step import Effect, Step
from firebreak.playbook import InvalidPlaybookError, load_playbook, read_playbook

GOOD = """\
id: drill
version: "1.0"
title: A drill
description: For tests.
applies_to: [CryptoMining]
stages:
  - id: look
    title: Look
    steps: [investigate.inventory]
  - id: stop
    title: Stop
    gate: stopping
    rounds: 2
    steps: [contain.block, contain.stop]
  - id: remove
    title: Remove
    gate: removing
    steps: [eradicate.remove]
gates:
  stopping: {title: Stop them?, approvers: [lead], expires_after: 90m}
  removing: {title: Remove them?, approvers: [lead, responder], required: 2, confirm: true}
guard_rails:
  limits: {max_actions: 10, max_share: 0.25, max_per_hour: 99.95, max_regions: 3}
  protected_tags: [keep]
parameters:
  contain.stop: {head_room: 3, factor: 1.5}
"""


def _step(step_id: str, effect: Effect, **more: object) -> Step:
    return Step(id=step_id, title=step_id, effect=effect, description="For tests.", **more)  # type: ignore[arg-type]


STEPS = {
    step.id: step
    for step in (
        _step("investigate.inventory", Effect.READ, produces=Inventory),
        _step("investigate.access", Effect.READ, produces=AccessFacts),
        _step("contain.block", Effect.REVERSIBLE, needs=(Inventory,)),
        _step(
            "contain.stop",
            Effect.REVERSIBLE,
            comes_after=("contain.block",),
            parameters={"head_room": "", "factor": ""},
        ),
        _step("eradicate.remove", Effect.IRREVERSIBLE),
        _step("notify.tell", Effect.REVERSIBLE, needs=(AccessFacts,)),
    )
}


def problems(text: str) -> list[str]:
    playbook, found = read_playbook(text.encode(), file="p.yaml", steps=STEPS)
    assert (playbook is None) is bool(found)
    return [str(problem) for problem in found]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_a_good_playbook_becomes_values_without_floats() -> None:
    playbook = load_playbook(GOOD.encode(), file="p.yaml", steps=STEPS)
    assert playbook.guard_rails.limits.max_share == Decimal("0.25")
    assert playbook.guard_rails.limits.max_per_hour == Decimal("99.95")
    assert playbook.gates["stopping"].expires_after_minutes == 90
    assert playbook.gates["stopping"].required == 1
    assert playbook.gates["removing"].confirm is True
    assert playbook.gates["removing"].pre_authorised is None
    assert playbook.gates["removing"].remind_after_minutes == 0
    assert playbook.stage("stop").rounds == 2
    assert playbook.parameters["contain.stop"] == {"head_room": 3, "factor": Decimal("1.5")}
    assert len(playbook.digest) == 64


def test_a_gate_says_when_it_reminds_and_to_whom_it_escalates_and_what_needs_nobody() -> None:
    keys = "remind_after: 15m, escalate_after: 1h, escalate_to: [boss], pre_authorised: {steps: [contain.stop], min_score: 95}"
    playbook = load_playbook(changed("expires_after: 90m", f"expires_after: 90m, {keys}").encode(), steps=STEPS)
    gate = playbook.gates["stopping"]
    assert (gate.remind_after_minutes, gate.escalate_after_minutes, gate.escalate_to) == (15, 60, ("boss",))
    assert gate.pre_authorised == PreAuthorised(steps=("contain.stop",), min_score=95)


def test_the_digest_follows_the_content_and_not_the_layout() -> None:
    one = load_playbook(GOOD.encode(), steps=STEPS)
    same = load_playbook(("# a comment\n" + changed("[CryptoMining]", "\n  - CryptoMining")).encode(), steps=STEPS)
    other = load_playbook(changed("max_regions: 3", "max_regions: 4").encode(), steps=STEPS)
    assert one.digest == same.digest
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: A drill\n", "tilte: A drill\n", "p.yaml:3:1: Unknown key 'tilte'. Did you mean 'title'?"),
        ("title: A drill\n", "tilte: A drill\n", "p.yaml:1:1: Key 'title' is missing."),
        ('version: "1.0"', "version: 1.0", "p.yaml:2:10: 'version' must be text, not a number '1.0'. Put it in quotes."),
        ('version: "1.0"', 'version: "one"', "p.yaml:2:10: 'version' 'one' has the wrong form. Write it like \"1.2\"."),
        ("title: A drill\n", "title: A drill\ntitle: B\n", "p.yaml:4:1: Key 'title' stands twice, first on line 3. Remove one."),
        ("rounds: 2", "rounds: two", "p.yaml:13:13: 'rounds' must be a whole number, not text 'two'."),
        ("rounds: 2", "rounds: 0", "p.yaml:13:13: 'rounds' must be from 1 to 20, not 0."),
        ("expires_after: 90m", "expires_after: 90", "p.yaml:20:67: 'expires_after' must be a duration, not a whole number '90'."),
        ("expires_after: 90m", "expires_after: 1.5h", "p.yaml:20:67: 'expires_after' '1.5h' is not a duration. Write it like 90m, 24h or 2d."),
        ("max_share: 0.25", "max_share: 1.25", "p.yaml:23:40: 'max_share' must be over 0 and at most 1, not 1.25."),
        ("max_share: 0.25", "max_share: .nan", "p.yaml:23:40: 'max_share' must be a number, not '.nan'."),
        ("max_actions: 10, ", "", "p.yaml:23:11: Key 'max_actions' is missing."),
        ("steps: [investigate.inventory]", "steps: investigate.inventory", "p.yaml:9:12: 'steps' must be a list, not text. Begin each entry with '- '."),
        ("steps: [investigate.inventory]", "steps: [investigate.inventry]", "p.yaml:9:13: Unknown step 'investigate.inventry'. Did you mean 'investigate.inventory'?"),
        ("gate: stopping", "gate: stoping", "p.yaml:12:11: Gate 'stoping' is not defined. Did you mean 'stopping'?"),
        ("gate: stopping", "gate: stoping", "p.yaml:20:3: Gate 'stopping' is used by no stage. Remove it or name it in a stage."),
        ("    gate: stopping\n    rounds: 2\n", "", "p.yaml:10:5: Stage 'stop' changes things (contain.block) and has no gate. Add 'gate:' with one of the names under gates."),
        ("required: 2", "required: 1", "p.yaml:17:11: Stage 'remove' has steps that cannot be taken back (eradicate.remove); gate 'removing' asks one person. Set 'required: 2' in that gate."),
        ("[contain.block, contain.stop]", "[contain.stop, contain.block]", "p.yaml:14:13: contain.stop must come after contain.block. Name contain.block before it."),
        ("[contain.block, contain.stop]", "[contain.block, contain.block]", "p.yaml:14:28: 'contain.block' stands twice in 'steps'. Remove one."),
        ("[contain.block, contain.stop]", "[contain.block, notify.tell]", "p.yaml:14:28: notify.tell needs what investigate.access finds out. Name investigate.access before it."),
        ("head_room: 3", "headroom: 3", "p.yaml:26:18: contain.stop has no parameter 'headroom'. Did you mean 'head_room'?"),
        ("  contain.stop: {", "  contain.halt: {", "p.yaml:26:3: Unknown step 'contain.halt'. Did you mean 'contain.stop'?"),
        ("  - id: remove", "  - id: stop", "p.yaml:15:9: Stage 'stop' is defined twice. Rename one."),
        ("rounds: 2\n    steps", "steps", ""),
        ("steps: [investigate.inventory]", "rounds: 3\n    steps: [investigate.inventory]", "p.yaml:9:13: Only a stage with a gate has rounds. Remove it."),
        ("required: 2, confirm", "required: 2, requester_may_approve: true, confirm", "p.yaml:21:101: Gate 'removing' needs several people; the requester is not one of them. Set it to false."),
        ("expires_after: 90m", "expires_after: 90m, remind_after: 90m", "p.yaml:20:86: 'remind_after' of gate 'stopping' is not before it expires. Make it shorter."),
        ("expires_after: 90m", "expires_after: 90m, escalate_after: 2h, escalate_to: [boss]", "p.yaml:20:88: 'escalate_after' of gate 'stopping' is not before it expires. Make it shorter."),
        ("expires_after: 90m", "escalate_after: 25h, escalate_to: [boss]", "p.yaml:20:68: 'escalate_after' of gate 'stopping' is not before it expires. Make it shorter."),
        ("expires_after: 90m", "escalate_after: 1h", "p.yaml:20:68: Gate 'stopping' has 'escalate_after' and no 'escalate_to'. Add 'escalate_to'."),
        ("expires_after: 90m", "escalate_to: [boss]", "p.yaml:20:65: Gate 'stopping' has 'escalate_to' and no 'escalate_after'. Add 'escalate_after'."),
        ("expires_after: 90m", "escalate_after: 1h, escalate_to: [lead]", "p.yaml:20:85: Role 'lead' may answer gate 'stopping' from the beginning. Remove it here."),
        ("expires_after: 90m", "pre_authorised: {}", "p.yaml:20:68: Key 'steps' is missing."),
        ("expires_after: 90m", "pre_authorised: {steps: [contain.stop], min_score: 60}", "p.yaml:20:103: 'min_score' must be from 70 to 1000, not 60."),
        ("expires_after: 90m", "pre_authorised: {steps: [notify.tell]}", "p.yaml:20:77: No stage with gate 'stopping' has the step 'notify.tell'. Known here: contain.block, contain.stop."),
        ("confirm: true", "confirm: true, pre_authorised: {steps: [eradicate.remove]}", "p.yaml:21:118: eradicate.remove is irreversible; only what can be taken back may go without people. Remove it."),
        ("expires_after: 90m", "pre_authorised: {steps: [contain.stop], goes_first: true}", "p.yaml:20:104: Stage 'stop' cannot go first: it has no stage right before it whose gate may be skipped. Remove it."),
        ("confirm: true", "confirm: yes", "p.yaml:21:87: 'confirm' must be true or false, not text 'yes'."),
        ("title: Stop\n", "title: ''\n", "p.yaml:11:12: 'title' is empty."),
        ("protected_tags: [keep]", "protected_tags: [!!python/name:os.system keep]", "p.yaml:24:20: 'protected_tags' must be text, not a value tagged python/name:os.system 'keep'. Put it in quotes."),
        ("protected_tags: [keep]", "protected_tags: [&a keep, *a]", "p.yaml:24:20: Anchors and aliases are not used in playbooks. Write the value out."),
    ],
)  # fmt: skip
def test_an_error_is_told_at_its_place(old: str, new: str, expected: str) -> None:
    found = problems(changed(old, new))
    if expected:
        assert expected in "\n".join(found).splitlines(), found
    else:
        assert not found


def test_all_errors_of_a_file_are_told_in_the_order_of_the_file() -> None:
    text = (
        changed("title: A drill\n", "tilte: A drill\n")
        .replace("rounds: 2", "rounds: none")
        .replace("gate: removing", "gate: x")
    )
    with pytest.raises(InvalidPlaybookError) as caught:
        load_playbook(text.encode(), file="p.yaml", steps=STEPS)
    error = caught.value
    assert [(p.line, p.column) for p in error.problems] == sorted((p.line, p.column) for p in error.problems)
    assert len(error.problems) == 5
    assert error.file == "p.yaml"
    assert error.line == 1
    assert str(error).count("p.yaml:") == 5


def test_a_single_error_is_raised_as_itself() -> None:
    with pytest.raises(PlaybookError) as caught:
        load_playbook(changed("rounds: 2", "rounds: 0").encode(), file="p.yaml", steps=STEPS)
    assert not isinstance(caught.value, InvalidPlaybookError)
    assert (caught.value.line, caught.value.column) == (13, 13)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "The file is empty."),
        (b"\xff\xfe", "The file is not UTF-8"),
        (b"id: [1, 2\n", "Not valid YAML"),
        (b"id: a\n\tb: c\n", "Not valid YAML"),
        (b"- a list\n", "The file must be a mapping, not a list."),
        (b"x" * 1_000_001, "a playbook has at most"),
        (b"id: a\n---\nid: b\n", "Not valid YAML"),
        (b"? [a]\n: b\n", "A key must be text, not a list."),
    ],
)
def test_what_is_no_playbook_at_all_is_told(data: bytes, expected: str) -> None:
    playbook, found = read_playbook(data, file="p.yaml", steps=STEPS)
    assert playbook is None
    assert any(expected in str(problem) for problem in found), found


def test_a_file_that_is_not_there_is_told(tmp_path: object) -> None:
    with pytest.raises(PlaybookError, match="cannot be read"):
        load_playbook(f"{tmp_path}/missing.yaml", steps=STEPS)


def test_without_steps_only_the_file_itself_is_checked() -> None:
    assert load_playbook(changed("[investigate.inventory]", "[investigate.unheard_of]").encode()).id == "drill"


def _after(stage: str, *, optional: str = "true") -> str:
    """The good playbook, whose stage `stop` may go first, with another stage and its gate before it."""
    gate = f"  doors: {{title: Close?, approvers: [lead], optional: {optional}}}\n"
    text = changed(
        "  - id: stop\n", f"  - id: doors\n    title: Doors\n    gate: doors\n    steps: {stage}\n  - id: stop\n"
    )
    text = text.replace("steps: [investigate.inventory]", "steps: [investigate.inventory, investigate.access]")
    text = text.replace("expires_after: 90m", "pre_authorised: {steps: [contain.stop], goes_first: true}")
    return text.replace("  removing:", f"{gate}  removing:")


def test_what_needs_nobody_may_go_before_gates_that_may_be_skipped_and_no_others() -> None:
    assert problems(_after("[notify.tell]")) == []
    late = "contain.stop must come after contain.block, which it would go before."
    assert any(late in one for one in problems(_after("[contain.block]")))
    for wrong in (_after("[notify.tell]", optional="false"), _after("[investigate.access, notify.tell]")):
        assert any("has no stage right before it whose gate may be skipped" in one for one in problems(wrong))
