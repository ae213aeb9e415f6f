"""The first schema: incidents, evidence facts, plans, gates, approvers, journal, leases and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.String(32)


def upgrade() -> None:
    _incidents()
    _decisions()
    _execution()
    _audit_is_append_only()


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("raw_alert_digest", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "steps",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("stage", sa.String(64), primary_key=True),
        sa.Column("step", sa.String(128), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("seconds", sa.Float),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("step", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
    )
    op.create_table(
        "findings",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("step", sa.String(128), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
    )
    op.create_table(
        "plans",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
    )
    op.create_table(
        "stage_plans",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("stage", sa.String(64), primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "incident_values",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def _decisions() -> None:
    op.create_table(
        "gates",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("incident", sa.String(64), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ask", sa.Integer, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_problem", sa.Text, nullable=False),
        sa.Column("closed_by", sa.String(160), nullable=False),
        sa.Column("closing_reason", sa.Text, nullable=False),
    )
    op.create_index("ix_gates_incident", "gates", ["incident"])
    op.create_table(
        "asks",
        sa.Column("gate", sa.String(160), primary_key=True),
        sa.Column("ask", sa.Integer, primary_key=True),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("outcome", sa.String(32), nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("gate", sa.String(160), primary_key=True),
        sa.Column("ask", sa.Integer, primary_key=True),
        sa.Column("person", sa.String(160), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.Column("void", sa.String(64), nullable=False),
    )
    op.create_table(
        "approvers",
        sa.Column("person", sa.String(160), primary_key=True),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("enrolled_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
    )
    op.create_table(
        "code_failures",
        sa.Column("person", sa.String(160), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", TIME),
    )
    op.create_table(
        "used_codes",
        sa.Column("person", sa.String(160), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("used_at", TIME, nullable=False),
    )


def _execution() -> None:
    op.create_table(
        "journal",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("action_id", sa.String(160), primary_key=True),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("prior", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(256), nullable=False),
        sa.Column("operation_url", sa.Text, nullable=False),
        sa.Column("state_read_back", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("intended_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("answered_at", TIME),
        sa.Column("ended_at", TIME),
    )
    op.create_table(
        "journal_history",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("action_id", sa.String(160), primary_key=True),
        sa.Column("plan_digest", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("term", sa.Integer, nullable=False),
        sa.Column("acquired_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.Column("released", sa.Boolean, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_heads",
        sa.Column("incident", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _audit_is_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )
