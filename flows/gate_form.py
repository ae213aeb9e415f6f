"""The form of a gate in the Prefect UI, made from the plan it is about.

What the server can check it checks itself (JSON schema: required, enum, const, pattern), so that a slip leaves the run suspended; what it
cannot is checked by the gate desk after the resume, which asks again and says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from prefect.input import RunInput
from pydantic import Field, create_model

from firebreak.clients.policies.redaction import without_secrets
from firebreak.model.plan import Plan
from firebreak.model.playbook import Gate
from firebreak.report.gate_page import choice_label

MOST_CHOICES = 200
GATE_FIELDS = frozenset({"decision", "approver", "code", "confirm", "leave_out", "reason", "plan_digest", "question"})


def gate_form(
    plan: Plan,
    gate: Gate,
    *,
    page: str,
    approvers: Sequence[str],
    confirm: str = "",
    question: str = "",
    practice: bool = False,
) -> type[RunInput]:
    """Return the input type that `suspend_flow_run` waits for.

    Choices are JSON-schema enums on strings, not `Literal`: a Literal of one value becomes a const, which the UI disables, and a
    required const can never be submitted. The digest is meant to be one.

    The page stands in two places, since each UI shows only one of them whole. The new UI renders the form's description. The older UI
    squeezes that to nothing beside a long form, and renders a field's description instead, also one inherited through `allOf`, which
    the new UI passes over; it joins lines at line feeds, which would break tables, but not at carriage returns.

    `confirm` is the text that has to be typed to approve, "" when none. `approvers` are the names of people who may answer; with none
    enrolled the field is free text and the desk refuses every answer. `question` names the question: a constant, so that the server
    refuses a form that was opened for an earlier one. Secrets are taken out of the page. `practice` is a replay's: nothing comes of an
    answer, so that no code is asked for.
    """
    page = without_secrets(page)
    decisions = ("approve", "reject", "skip") if gate.optional else ("approve", "reject")
    labels = tuple(choice_label(action) for action in plan.actions[:MOST_CHOICES])
    fields: dict[str, Any] = {
        "decision": (
            Literal[decisions],
            Field(
                description=(
                    "approve: note this plan, nothing is sent. " if practice else "approve: carry out this plan. "
                )
                + "reject: stop the run."
                + (" skip: go on without this stage." if gate.optional else ""),
                json_schema_extra={"position": 1},
            ),
        ),
        "approver": (
            str,
            Field(
                description="Who you are, for the page at the end."
                if practice
                else "Who you are. Only people enrolled for this gate.",
                json_schema_extra={"position": 2, **({"enum": list(approvers)} if approvers else {})},
            ),
        ),
        "code": (
            str,
            Field(
                pattern=r"^\d{6}$",
                description="The six digits your authenticator shows now.",
                json_schema_extra={"position": 3},
            ),
        ),
        "reason": (
            str,
            Field(
                default="",
                max_length=2000,
                description="Why. Needed to reject; kept in the record.",
                json_schema_extra={"position": 6},
            ),
        ),
        "plan_digest": (
            Literal[plan.digest],
            Field(
                default=plan.digest,
                title="The plan you answer for",
                json_schema_extra={"position": 0, "allOf": [{"description": page.replace("\n", "\r")}]},
            ),
        ),
    }
    if practice:
        del fields["code"]
    if labels:
        fields["leave_out"] = (
            list[Annotated[str, Field(json_schema_extra={"enum": list(labels)})]],
            Field(
                default=[],
                description="What is NOT to be done, e.g. machines that go on running. Nothing chosen: all is done.",
                json_schema_extra={"position": 5},
            ),
        )
    if confirm:
        weighty = "what cannot be undone" if plan.is_irreversible else "what gives back to the attacker"
        what = "what is over the playbook's limits" if plan.over_limits else weighty
        fields["confirm"] = (
            str,
            Field(
                default="",
                pattern=f"^$|^{re.escape(confirm)}$",
                description=f"To approve {what}, type: {confirm}",
                json_schema_extra={"position": 4},
            ),
        )
    if question:
        fields["question"] = (
            Literal[question],
            Field(default=question, title="The question you answer", json_schema_extra={"position": 7}),
        )
    form = cast("type[RunInput]", create_model("Gate", __base__=RunInput, **fields))
    form._description = page
    return form


def left_out_ids(plan: Plan, labels: Sequence[str]) -> tuple[str, ...]:
    """The action ids behind the labels chosen in the form. A label that is none stays as it is, for the desk to refuse."""
    by_label = {choice_label(action): action.id for action in plan.actions}
    return tuple(by_label.get(label, label) for label in labels)
