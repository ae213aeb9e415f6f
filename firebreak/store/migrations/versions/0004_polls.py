"""Until when each source of alerts was polled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "polls",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("tried_at", sa.String(32), nullable=False),
        sa.Column("looked_until", sa.String(32)),
        sa.Column("opens_from", sa.String(32)),
        sa.Column("reason", sa.Text, nullable=False),
    )
