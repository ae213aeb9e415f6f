"""The shape of a playbook file, written once: the loader reads by it and the JSON schema for editors is made from it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from firebreak.playbook.forms import Duration, Each, Exact, Flag, Free, Named, Record, Text, Whole

NAME = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*"
STEP_ID = r"[a-z]+\.[a-z][a-z0-9_]*"

STAGE = Record(
    {
        "id": Text(NAME, "contain", doc="Name of the stage in the record, the gate and the report."),
        "title": Text(doc="What people read."),
        "steps": Each(Text(STEP_ID, "contain.deallocate_machines"), least=1, unique=True, doc="Steps, in order."),
        "gate": Text(NAME, "containment", doc="Gate that must be passed before anything of this stage is changed."),
        "rounds": Whole(1, 20, doc="How often the stage looks again, until nothing new is found."),
    },
    required=("id", "title", "steps"),
    doc="Steps that are carried out together.",
)

PRE_AUTHORISED = Record(
    {
        "steps": Each(
            Text(STEP_ID, "contain.deallocate_machines"),
            least=1,
            unique=True,
            doc="Steps whose actions need nobody; only steps that can be taken back.",
        ),
        "min_score": Whole(
            70,
            1000,
            doc="Points that attribution must give each target, and the attack, as the attacker's. 80 when not given.",
        ),
        "goes_first": Flag(
            doc="Whether the stage, when it needs nobody, goes before those right before it whose gates may be skipped."
        ),
    },
    required=("steps",),
    doc="What may be done without asking anybody; has no effect until the operator switches it on for this playbook.",
)

GATE = Record(
    {
        "title": Text(doc="The question, as people read it."),
        "approvers": Each(Text(NAME, "responder"), least=1, unique=True, doc="Roles that may answer."),
        "required": Whole(1, 10, doc="How many different people must approve."),
        "requester_may_approve": Flag(doc="Whether who started the run may approve it."),
        "optional": Flag(doc="Whether the gate may be answered with 'skip'."),
        "confirm": Flag(doc="Whether the subscription id must be typed."),
        "expires_after": Duration(doc="How long an answer may take before the gate is asked again: 90m, 24h, 2d."),
        "remind_after": Duration(doc="When people are reminded of a gate that still waits: 15m, 1h."),
        "escalate_after": Duration(doc="From when on the roles of 'escalate_to' may answer as well: 30m, 2h."),
        "escalate_to": Each(
            Text(NAME, "lead"), least=1, unique=True, doc="Further roles that may answer from then on."
        ),
        "pre_authorised": PRE_AUTHORISED,
    },
    required=("title", "approvers"),
    doc="Who must agree before a stage is carried out.",
)

LIMITS = Record(
    {
        "max_actions": Whole(1, 10**6, doc="Changes in one plan."),
        "max_share": Exact(
            Decimal(0), Decimal(1), doc="Share of the subscription's resources of the kinds acted on, from 0 to 1."
        ),
        "max_per_hour": Exact(Decimal(0), Decimal(10**9), doc="Money per hour that one plan may switch off."),
        "max_regions": Whole(1, 1000, doc="Regions that one plan may touch."),
    },
    required=("max_actions", "max_share", "max_per_hour", "max_regions"),
    doc="Blast radius of one plan; a plan over it is refused as a whole.",
)

GUARD_RAILS = Record(
    {
        "limits": LIMITS,
        "protected_tags": Each(
            Text(), unique=True, doc="`key` or `key=value`; resources that carry it are never touched."
        ),
        "protected_groups": Each(Text(), unique=True, doc="Resource groups whose contents are never touched."),
        "protected_resources": Each(Text(), unique=True, doc="ARM ids that are never touched."),
        "protected_principals": Each(
            Text(), unique=True, doc="Object ids or user names whose access is never removed."
        ),
        "respect_locks": Flag(doc="Whether locks that the attacker did not make are left alone."),
    },
    required=("limits",),
    doc="What no plan of this playbook may touch or exceed.",
)

PLAYBOOK = Record(
    {
        "id": Text(NAME, "compromised-subscription", doc="Name of the playbook and of its deployment."),
        "version": Text(r"[0-9]+\.[0-9]+(?:\.[0-9]+)?", '"1.2"', doc="Raise it with each change."),
        "title": Text(doc="What people read."),
        "description": Text(doc="When to use it and what it does."),
        "applies_to": Each(Text(), unique=True, doc="Alert types in any case; a trailing * matches a prefix."),
        "stages": Each(STAGE, least=1, doc="Stages, in order."),
        "gates": Named(GATE, NAME, doc="Gates by name."),
        "guard_rails": GUARD_RAILS,
        "parameters": Named(
            Named(Free(), r"[a-z][a-z0-9_]*"), STEP_ID, doc="Parameters of steps: step id, name, value."
        ),
    },
    required=("id", "version", "title", "description", "stages", "guard_rails"),
)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a playbook file, for editors; the loader checks more (gates, steps, order)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Firebreak playbook",
    } | PLAYBOOK.schema()
