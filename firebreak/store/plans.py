"""Plans by digest. What was shown to people is loaded, never rebuilt, and never silently replaced."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import Engine, delete, select

from firebreak import __version__
from firebreak.errors import IntegrityError, StalePlanError
from firebreak.model.canonical import canonical_bytes
from firebreak.model.ids import PlanDigest
from firebreak.model.plan import Plan
from firebreak.store.database import Clock, insert_once, reading, writing
from firebreak.store.schema import plans, stage_plans


class PlanRepository:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def save(self, incident_id: str, plan: Plan) -> PlanDigest:
        """Keep the plan of its stage and round and return its digest; saving the same plan again changes nothing.

        Raises:
            StalePlanError: another plan was saved for this stage and round first; `expected` is its digest.
        """
        digest = plan.digest
        row = {"digest": digest, "body": canonical_bytes(plan).decode(), "saved_at": self._clock()}
        place = {"incident": incident_id, "stage": plan.stage, "round": plan.round}
        with writing(self._engine) as tx:
            insert_once(tx, plans, row)
            insert_once(tx, stage_plans, {**place, "digest": digest})
            wanted = select(stage_plans.c.digest).where(*(stage_plans.c[k] == v for k, v in place.items()))
            kept = str(tx.execute(wanted).scalar_one())
            if kept != digest:
                raise StalePlanError(
                    f"{incident_id} has another plan for {plan.stage}, round {plan.round}: {kept[:12]}, not {digest[:12]}.",
                    expected=kept,
                    found=digest,
                    hint="Load the kept plan by its digest, or look again in the next round.",
                )
        return digest

    def load(self, digest: str) -> Plan:
        """Return the plan with this digest.

        Raises:
            IntegrityError: there is none, what is stored has another digest, or another version wrote it in a way this one does not.
        """
        with reading(self._engine) as tx:
            body = tx.execute(select(plans.c.body).where(plans.c.digest == digest)).scalar()
        if body is None:
            raise IntegrityError(f"There is no plan {digest[:12]} in the store.", hint="It was never saved here.")
        found = hashlib.sha256(body.encode()).hexdigest()
        if found != digest:
            raise _changed(digest, found)
        # The bytes are those that were saved, so what follows can only be another version's way of writing them.
        try:
            plan = msgspec.json.decode(body, type=Plan)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _of_another_version(digest, body) from error
        if plan.digest != digest:
            raise _of_another_version(digest, body)
        return plan

    def for_stage(self, incident_id: str, stage: str, round: int = 1) -> PlanDigest | None:  # noqa: A002
        """The digest of the plan kept for a stage and round, or None when none was made yet."""
        wanted = select(stage_plans.c.digest).where(
            stage_plans.c.incident == incident_id, stage_plans.c.stage == stage, stage_plans.c.round == round
        )
        with reading(self._engine) as tx:
            digest = tx.execute(wanted).scalar()
        return None if digest is None else PlanDigest(str(digest))

    def set_aside(self, incident_id: str, plan: Plan) -> None:
        """Free the stage and round of a plan that nobody was asked about, so that a better one can be made; its content stays.

        Raises:
            StalePlanError: the plan has actions; such a plan may have been shown to people.
        """
        if plan.actions:
            raise StalePlanError(
                f"Plan {plan.digest[:12]} for {plan.stage} has {len(plan.actions)} actions and is not set aside.",
                hint="Plan again in the next round.",
            )
        place = {"incident": incident_id, "stage": plan.stage, "round": plan.round, "digest": plan.digest}
        with writing(self._engine) as tx:
            tx.execute(delete(stage_plans).where(*(stage_plans.c[name] == value for name, value in place.items())))

    def list(self, incident_id: str) -> list[tuple[str, int, PlanDigest]]:
        """All plans of an incident as (stage, round, digest), in the order they were made."""
        wanted = (
            select(stage_plans.c.stage, stage_plans.c.round, stage_plans.c.digest)
            .join(plans, plans.c.digest == stage_plans.c.digest)
            .where(stage_plans.c.incident == incident_id)
            .order_by(plans.c.saved_at, stage_plans.c.round, stage_plans.c.stage)
        )
        with reading(self._engine) as tx:
            return [(row.stage, row.round, PlanDigest(row.digest)) for row in tx.execute(wanted)]


def _of_another_version(digest: str, body: str) -> IntegrityError:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        document = None
    wrote = str(document.get("engine_version") or "") if isinstance(document, dict) else ""
    if not wrote or wrote == __version__:
        by = "in a form that this Firebreak does not write"
    else:
        by = f"by version {wrote[:40]} of Firebreak; this is {__version__}, which writes plans differently"
    return IntegrityError(
        f"Stored plan {digest[:12]} is unchanged and was written {by}.",
        hint="Nothing was changed. Finish the incident with the version that wrote its plans: approvals are for exactly these.",
    )


def _changed(digest: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"Stored plan {digest[:12]} was changed: its content has the digest {found[:12]}.",
        hint="Do not carry it out. Make a new plan and find out who wrote to the database.",
    )
