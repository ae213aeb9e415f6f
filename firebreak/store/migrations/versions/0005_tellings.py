"""What people are told about incidents and deliveries as well as gates, and over which channel it went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases know these words; Alembic's own operation copies the table in SQLite.
    op.execute("ALTER TABLE notices RENAME COLUMN gate TO about")
    op.create_table(
        "tellings",
        sa.Column("about", sa.String(160), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("channel", sa.String(160), primary_key=True),
        sa.Column("route", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
