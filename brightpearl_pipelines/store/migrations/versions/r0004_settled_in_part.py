"""A promise may be settled in part: how many of its units Brightpearl's figures show."""

from alembic import op

revision = "0004_settled_in_part"
down_revision = "0003_reports"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE sync.commitment ADD COLUMN settled integer NOT NULL DEFAULT 0 CHECK (settled >= 0)",
    "UPDATE sync.commitment SET settled = quantity WHERE settled_at IS NOT NULL",
)


def upgrade() -> None:
    """Until now an order was settled as a whole."""
    for statement in STATEMENTS:
        op.execute(statement)
