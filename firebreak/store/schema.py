"""The tables. Migrations under `migrations/` build the same; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time as sortable text, to the microsecond, the same in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the store takes aware times only.")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData()

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("case_id", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("raw_alert_digest", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("stage", String(64), primary_key=True),
    Column("step", String(128), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", UtcTime),
    Column("seconds", Float),
    Column("note", Text, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("step", String(128), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("step", String(128), primary_key=True),
    Column("body", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)

stage_plans = Table(
    "stage_plans",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("stage", String(64), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
)

incident_values = Table(
    "incident_values",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("body", Text, nullable=False),
)

gates = Table(
    "gates",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("incident", String(64), nullable=False, index=True),
    Column("stage", String(64), nullable=False),
    Column("round", Integer, nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("definition", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ask", Integer, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("last_problem", Text, nullable=False),
    Column("closed_by", String(160), nullable=False),
    Column("closing_reason", Text, nullable=False),
)

asks = Table(
    "asks",
    metadata,
    Column("gate", String(160), primary_key=True),
    Column("ask", Integer, primary_key=True),
    Column("asked_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("outcome", String(32), nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("about", String(160), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("incident", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("told_at", UtcTime),
)

tellings = Table(
    "tellings",
    metadata,
    Column("about", String(160), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("channel", String(160), primary_key=True),
    Column("route", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("gate", String(160), primary_key=True),
    Column("ask", Integer, primary_key=True),
    Column("person", String(160), nullable=False),
    Column("body", Text, nullable=False),
    Column("seal", String(64), nullable=False),
    Column("void", String(64), nullable=False),
)

approvers = Table(
    "approvers",
    metadata,
    Column("person", String(160), primary_key=True),
    Column("name", String(160), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("enrolled_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

code_failures = Table(
    "code_failures",
    metadata,
    Column("person", String(160), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until", UtcTime),
)

used_codes = Table(
    "used_codes",
    metadata,
    Column("person", String(160), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("used_at", UtcTime, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("action_id", String(160), primary_key=True),
    Column("plan_digest", String(64), nullable=False),
    Column("stage", String(64), nullable=False),
    Column("round", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("prior", Text, nullable=False),
    Column("request_id", String(256), nullable=False),
    Column("operation_url", Text, nullable=False),
    Column("state_read_back", Text, nullable=False),
    Column("run_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("intended_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
)

journal_history = Table(
    "journal_history",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("action_id", String(160), primary_key=True),
    Column("plan_digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("run_id", String(128), nullable=False),
    Column("term", Integer, nullable=False),
    Column("acquired_at", UtcTime, nullable=False),
    Column("heartbeat_at", UtcTime, nullable=False),
    Column("released", Boolean, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("incident", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("settled_at", UtcTime),
)

incident_alerts = Table(
    "incident_alerts",
    metadata,
    Column("alert", String(64), primary_key=True),
    Column("incident", String(64), nullable=False, index=True),
    Column("alert_id", Text, nullable=False),
    Column("source", String(64), nullable=False),
    Column("raw_digest", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
)

subscription_cases = Table(
    "subscription_cases",
    metadata,
    Column("subscription", String(64), primary_key=True),
    Column("incident", String(64), nullable=False),
)

polls = Table(
    "polls",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("tried_at", UtcTime, nullable=False),
    Column("looked_until", UtcTime),
    Column("opens_from", UtcTime),
    Column("reason", Text, nullable=False),
)
