"""The first tables: everything that the engine remembers."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Names and ids of other systems sort by bytes, so that every server, whatever its locale, reads rows in one order.
# Sealed columns are incompressible: EXTERNAL keeps Postgres from trying.
STATEMENTS = (
    "CREATE SCHEMA IF NOT EXISTS reports",
    "CREATE SEQUENCE sync.version_seq",
    # -- what the systems said
    """
    CREATE TABLE sync.record (
        connection text COLLATE "C" NOT NULL,
        stream text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        digest bytea NOT NULL,
        payload bytea NOT NULL,
        modified_at timestamptz,
        fetched_at timestamptz NOT NULL,
        day date,
        deleted boolean NOT NULL,
        PRIMARY KEY (connection, stream, id)
    )
    """,
    "ALTER TABLE sync.record ALTER COLUMN payload SET STORAGE EXTERNAL",
    "CREATE INDEX record_version ON sync.record (connection, stream, version)",
    "CREATE INDEX record_day ON sync.record (connection, stream, day, id)",
    # -- what we believe
    """
    CREATE TABLE sync.golden (
        entity text COLLATE "C" NOT NULL,
        id uuid NOT NULL,
        version bigint NOT NULL,
        digest bytea NOT NULL,
        content bytea NOT NULL,
        origin jsonb NOT NULL,
        day date,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (entity, id)
    )
    """,
    "ALTER TABLE sync.golden ALTER COLUMN content SET STORAGE EXTERNAL",
    "CREATE INDEX golden_version ON sync.golden (entity, version)",
    "CREATE INDEX golden_day ON sync.golden (entity, day, id)",
    """
    CREATE TABLE sync.crosswalk (
        entity text COLLATE "C" NOT NULL,
        connection text COLLATE "C" NOT NULL,
        external_id text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        linked_at timestamptz NOT NULL,
        PRIMARY KEY (entity, connection, external_id)
    )
    """,
    "CREATE INDEX crosswalk_golden ON sync.crosswalk (entity, golden_id, connection)",
    "CREATE INDEX crosswalk_search ON sync.crosswalk (entity, external_id)",
    """
    CREATE TABLE sync.match_key (
        entity text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        token text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        PRIMARY KEY (entity, kind, token, golden_id)
    )
    """,
    "CREATE INDEX match_key_golden ON sync.match_key (entity, golden_id)",
    """
    CREATE TABLE sync.agreed (
        entity text COLLATE "C" NOT NULL,
        connection text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        content bytea NOT NULL,
        agreed_at timestamptz NOT NULL,
        PRIMARY KEY (entity, connection, golden_id)
    )
    """,
    "ALTER TABLE sync.agreed ALTER COLUMN content SET STORAGE EXTERNAL",
    """
    CREATE TABLE sync.match_review (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        entity text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        candidate_id uuid NOT NULL,
        score numeric NOT NULL,
        evidence bytea NOT NULL,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'same', 'different')),
        note text,
        proposed_at timestamptz NOT NULL,
        decided_at timestamptz,
        UNIQUE (entity, golden_id, candidate_id)
    )
    """,
    """
    CREATE TABLE sync.conflict (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        entity text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        field text NOT NULL,
        winner_connection text NOT NULL,
        loser_connection text NOT NULL,
        facts bytea NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    # -- what we write
    """
    CREATE TABLE sync.delivery (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        connection text COLLATE "C" NOT NULL,
        entity text COLLATE "C" NOT NULL,
        golden_id uuid NOT NULL,
        kind text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        payload bytea NOT NULL,
        after text[] COLLATE "C" NOT NULL,
        state text NOT NULL CHECK (state IN ('pending', 'sent', 'confirmed', 'failed', 'dead', 'discarded')),
        attempts integer NOT NULL DEFAULT 0,
        external_id text,
        answer bytea,
        error bytea,
        note text,
        next_attempt_at timestamptz,
        created_at timestamptz NOT NULL,
        sent_at timestamptz,
        confirmed_at timestamptz,
        UNIQUE (connection, key)
    )
    """,
    "ALTER TABLE sync.delivery ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN answer SET STORAGE EXTERNAL",
    # The two partial indexes hold only what is unfinished: confirmed rows, however many, cost `due` nothing.
    """
    CREATE INDEX delivery_due ON sync.delivery (connection, entity, id)
    WHERE state IN ('pending', 'sent', 'failed')
    """,
    """
    CREATE INDEX delivery_unfinished ON sync.delivery (connection, golden_id, id)
    WHERE state IN ('pending', 'sent', 'failed', 'dead')
    """,
    "CREATE INDEX delivery_golden ON sync.delivery (golden_id, id)",
    # -- what is held
    """
    CREATE TABLE sync.dead_letter (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        connection text COLLATE "C" NOT NULL,
        stage text COLLATE "C" NOT NULL,
        entity text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL,
        field text,
        waiting_tokens text[] NOT NULL,
        facts bytea NOT NULL,
        golden_id uuid,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'released', 'resolved', 'discarded')),
        attempts integer NOT NULL DEFAULT 1,
        note text,
        first_seen timestamptz NOT NULL,
        last_seen timestamptz NOT NULL,
        history jsonb NOT NULL
    )
    """,
    "ALTER TABLE sync.dead_letter ALTER COLUMN facts SET STORAGE EXTERNAL",
    """
    CREATE UNIQUE INDEX dead_letter_held ON sync.dead_letter (connection, stage, entity, subject)
    WHERE state IN ('open', 'released')
    """,
    "CREATE INDEX dead_letter_waiting ON sync.dead_letter USING gin (waiting_tokens) WHERE state = 'open'",
    # -- what we heard, and how far we have read
    """
    CREATE TABLE sync.event (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        connection text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        topic text COLLATE "C" NOT NULL,
        payload bytea NOT NULL,
        subjects text[] NOT NULL,
        arrivals integer NOT NULL DEFAULT 1,
        received_at timestamptz NOT NULL,
        done boolean NOT NULL DEFAULT false,
        UNIQUE (connection, key)
    )
    """,
    "CREATE INDEX event_subjects ON sync.event USING gin (subjects)",
    "CREATE INDEX event_pending ON sync.event (connection, id) WHERE NOT done",
    "CREATE INDEX event_received ON sync.event (received_at)",
    """
    CREATE TABLE sync.position (
        consumer text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL DEFAULT 0,
        watermark timestamptz,
        token text,
        moved_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE sync.commitment (
        order_id uuid NOT NULL,
        connection text COLLATE "C" NOT NULL,
        sku text COLLATE "C" NOT NULL,
        quantity integer NOT NULL CHECK (quantity >= 0),
        settled_at timestamptz,
        version bigint NOT NULL,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (order_id, connection, sku)
    )
    """,
    "CREATE INDEX commitment_sku ON sync.commitment (connection, sku) WHERE quantity > 0",
    "CREATE INDEX commitment_version ON sync.commitment (connection, version)",
    # -- the calls: audit, permits, secrets
    """
    CREATE TABLE sync.api_call (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        connection text COLLATE "C" NOT NULL,
        at timestamptz NOT NULL,
        method text NOT NULL,
        path text NOT NULL,
        status integer,
        duration_ms integer NOT NULL,
        attempt integer NOT NULL,
        error text,
        run text
    )
    """,
    "CREATE INDEX api_call_at ON sync.api_call (at, connection)",
    """
    CREATE TABLE sync.api_permit (
        account text COLLATE "C" NOT NULL,
        granted_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX api_permit_account ON sync.api_permit (account, granted_at)",
    """
    CREATE TABLE sync.api_budget (
        account text COLLATE "C" PRIMARY KEY,
        remaining integer,
        observed_at timestamptz,
        resets_at timestamptz,
        blocked_until timestamptz,
        failures integer NOT NULL DEFAULT 0,
        opened_at timestamptz,
        probe_until timestamptz,
        paused_reason text
    )
    """,
    """
    CREATE TABLE sync.vault (
        name text COLLATE "C" PRIMARY KEY,
        value bytea NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Create everything. There is no way back that would keep the data, hence no downgrade: restore a backup."""
    for statement in STATEMENTS:
        op.execute(statement)
