"""Alerts: what is wrong now, what people were told of it, and who keeps watch."""

from alembic import op

revision = "0002_alerts"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE sync.alert (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
        connection text COLLATE "C",
        entity text COLLATE "C",
        facts jsonb NOT NULL,
        since timestamptz NOT NULL,
        opened_at timestamptz NOT NULL,
        seen_at timestamptz NOT NULL,
        told_at timestamptz NOT NULL,
        cleared_at timestamptz,
        closed_at timestamptz
    )
    """,
    "CREATE UNIQUE INDEX alert_open ON sync.alert (key) WHERE closed_at IS NULL",
    "CREATE INDEX alert_key ON sync.alert (key, closed_at)",
    "CREATE INDEX alert_closed ON sync.alert (closed_at) WHERE closed_at IS NOT NULL",
    """
    CREATE TABLE sync.alert_message (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        alert_id bigint NOT NULL REFERENCES sync.alert (id) ON DELETE CASCADE,
        channel text COLLATE "C" NOT NULL,
        what text NOT NULL CHECK (what IN ('opened', 'escalated', 'repeated', 'recovered')),
        due_at timestamptz NOT NULL,
        queued_at timestamptz NOT NULL,
        sent_at timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        error text
    )
    """,
    "CREATE INDEX alert_message_due ON sync.alert_message (channel, due_at) WHERE sent_at IS NULL",
    "CREATE INDEX alert_message_alert ON sync.alert_message (alert_id)",
    'CREATE TABLE sync.heartbeat (name text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL)',
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
