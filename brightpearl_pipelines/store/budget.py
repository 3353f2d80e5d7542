"""What each account may still send, shared by all processes: permits given out, what its server said, its circuit.

`sync.api_permit` holds one row per permit of the recent window; `sync.api_budget` one row per account that has
something to remember. Instants come from the injected clock, never from the database, so that virtual time works.

An account is *closed* while its circuit is open (`opened_at`) or it is paused (`paused_reason`). Once `probe_until` has
passed, one caller is let through to probe; taking the probe moves `probe_until` on, so that the others stay out.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg.rows import class_row

from brightpearl_pipelines.store.database import Transaction

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When an account is probed that a person paused."""
MARGIN = timedelta(seconds=1)
"""Added to every window: requests do not travel equally fast, so the server may see them closer together than we do."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may be sent: `limit` in any `window`, of which `kept` are not for this caller."""

    limit: int
    kept: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to "may I send now?": granted, or wait, or closed."""

    granted_at: datetime | None
    """The instant of the permit, unique per account; None when it was not given."""
    wait_until: datetime | None
    """When it makes sense to ask again; None when nothing but a closed account stands in the way."""
    closed_until: datetime | None
    """Until when the account is closed to this caller."""
    paused_reason: str | None
    probing: bool
    """The permit is the probe of a closed account."""
    failures: int
    """Consecutive failures so far."""
    left: int
    """Permits left after this one as far as is known here."""


# The lock is a statement of its own, so that the one after it sees what the holder before us committed. Losing permits
# in a crash of the database server costs at worst a throttle answer, hence no waiting for the disk.
_LOCK = """
SELECT set_config('synchronous_commit', 'off', true),
       pg_advisory_xact_lock(hashtextextended('api_budget:' || %s::text, 0))
"""
_ACQUIRE = """
WITH budget AS MATERIALIZED (
    SELECT b.*, (b.opened_at IS NOT NULL OR b.paused_reason IS NOT NULL) AND NOT %(probing)s AS closed,
           b.resets_at > %(now)s AS observed
    FROM (SELECT 1) AS one LEFT JOIN sync.api_budget AS b ON b.account = %(account)s
), live AS MATERIALIZED (
    SELECT granted_at FROM sync.api_permit WHERE account = %(account)s AND granted_at > %(horizon)s
), used AS (
    SELECT (SELECT count(*) FROM live) AS grants,
           (SELECT max(granted_at) FROM live) AS newest,
           (SELECT count(*) FROM sync.api_permit
            WHERE account = %(account)s AND granted_at > (SELECT observed_at FROM budget)) AS since
), expired AS (
    DELETE FROM sync.api_permit
    WHERE account = %(account)s
      AND granted_at <= least(%(horizon)s, (SELECT observed_at FROM budget WHERE observed))
), verdict AS (
    SELECT coalesce(closed, false) AS closed, probe_until, paused_reason, coalesce(failures, 0) AS failures,
           newest, coalesce(probe_until <= %(now)s, true) AS probe_due,
           least(%(limit)s - grants, CASE WHEN observed THEN remaining - since END) - 1 AS left_after,
           greatest(
               CASE WHEN blocked_until > %(now)s THEN blocked_until END,
               CASE WHEN grants >= %(limit)s - %(kept)s THEN
                   (SELECT granted_at FROM live ORDER BY granted_at
                    OFFSET greatest(grants - (%(limit)s - %(kept)s), 0) LIMIT 1) + %(window)s END,
               CASE WHEN observed AND since >= remaining - %(kept)s THEN resets_at END
           ) AS wait_until
    FROM budget, used
), granted AS (
    INSERT INTO sync.api_permit (account, granted_at)
    SELECT %(account)s, greatest(%(now)s, newest + interval '1 microsecond')
    FROM verdict WHERE wait_until IS NULL AND (NOT closed OR probe_due)
    RETURNING granted_at
), probe AS (
    UPDATE sync.api_budget SET probe_until = %(now)s + %(lease)s
    WHERE account = %(account)s AND EXISTS (SELECT 1 FROM verdict, granted WHERE closed)
)
SELECT (SELECT granted_at FROM granted) AS granted_at, wait_until,
       CASE WHEN closed AND NOT probe_due THEN probe_until END AS closed_until, paused_reason,
       %(probing)s OR closed AND EXISTS (SELECT 1 FROM granted) AS probing, failures, left_after::int AS left
FROM verdict
"""


def acquire(tx: Transaction, account: str, allowance: Allowance, *, lease: timedelta, probing: bool = False) -> Verdict:
    """Ask for one permit. `probing`: the caller already holds the probe; a new probe is held for `lease`."""
    now = tx.clock.now()
    window = allowance.window + MARGIN
    tx.connection.execute(_LOCK, (account,))
    with tx.connection.cursor(row_factory=class_row(Verdict)) as cursor:
        (verdict,) = cursor.execute(
            _ACQUIRE,
            {
                "account": account,
                "now": now,
                "horizon": now - window,
                "window": window,
                "limit": allowance.limit,
                "kept": allowance.kept,
                "lease": lease,
                "probing": probing,
            },
        )
    return verdict


def enter(tx: Transaction, account: str, *, lease: timedelta) -> Verdict:
    """Like `acquire` for a call that no limit counts, such as a token request; only a closed account stops it."""
    now = tx.clock.now()
    probe = tx.connection.execute(
        """UPDATE sync.api_budget SET probe_until = %s
           WHERE account = %s AND (opened_at IS NOT NULL OR paused_reason IS NOT NULL)
             AND coalesce(probe_until <= %s, true)""",
        (now + lease, account, now),
    )
    if probe.rowcount:
        return Verdict(now, None, None, None, True, 0, 0)
    found = tx.connection.execute(
        """SELECT probe_until, paused_reason, failures FROM sync.api_budget
           WHERE account = %s AND (opened_at IS NOT NULL OR paused_reason IS NOT NULL)""",
        (account,),
    ).fetchone()
    if found is None:
        return Verdict(now, None, None, None, False, 0, 0)
    probe_until, paused_reason, failures = found
    return Verdict(None, None, probe_until, paused_reason, False, failures, 0)


def observe(tx: Transaction, account: str, *, remaining: int, granted_at: datetime, resets_at: datetime) -> None:
    """Remember what the server said in its answer to the call of the permit `granted_at`; the latest permit wins.

    Counting from the permit rather than from the arrival of the answer counts calls in flight as not yet counted by the
    server: rather one too few than a throttle.
    """
    tx.connection.execute(
        """INSERT INTO sync.api_budget AS b (account, remaining, observed_at, resets_at) VALUES (%s, %s, %s, %s)
           ON CONFLICT (account) DO UPDATE SET remaining = excluded.remaining, observed_at = excluded.observed_at,
               resets_at = excluded.resets_at
           WHERE b.observed_at IS NULL OR b.observed_at < excluded.observed_at""",
        (account, remaining, granted_at, resets_at),
    )


def block(tx: Transaction, account: str, *, until: datetime) -> None:
    """No permits for anyone before `until`: the server answered that it had too many requests."""
    tx.connection.execute(
        """INSERT INTO sync.api_budget AS b (account, blocked_until) VALUES (%s, %s)
           ON CONFLICT (account) DO UPDATE SET blocked_until = greatest(b.blocked_until, excluded.blocked_until)""",
        (account, until),
    )


def failed(
    tx: Transaction, account: str, *, opens_at: int, first: timedelta, longest: timedelta, probing: bool
) -> datetime | None:
    """Count a failure; returns until when the circuit is open, None while it is not.

    It opens at the `opens_at`-th failure in a row, for `first`, doubling with every failed probe up to `longest`.
    Calls that were under way when it opened do not lengthen it.
    """
    now = tx.clock.now()
    failures, opened_at = tx.connection.execute(
        """INSERT INTO sync.api_budget AS b (account, failures) VALUES (%(account)s, 1)
           ON CONFLICT (account) DO UPDATE
           SET failures = b.failures + CASE WHEN b.opened_at IS NULL OR %(probing)s THEN 1 ELSE 0 END
           RETURNING b.failures, b.opened_at""",
        {"account": account, "probing": probing},
    ).fetchone() or (0, None)
    if failures < opens_at or (opened_at is not None and not probing):
        return None
    until: datetime = now + min(first * 2 ** min(failures - opens_at, 20), longest)
    tx.connection.execute(
        "UPDATE sync.api_budget SET opened_at = coalesce(opened_at, %s), probe_until = %s "
        "WHERE account = %s AND probe_until IS DISTINCT FROM %s",
        (now, until, account, NEVER),
    )
    return until


def succeeded(tx: Transaction, account: str, *, probing: bool) -> None:
    """The server answered: failures in a row end here. A successful probe opens the account for all again."""
    if probing:
        resume(tx, account)
    else:
        tx.connection.execute(
            "UPDATE sync.api_budget SET failures = 0 WHERE account = %s AND opened_at IS NULL AND failures > 0",
            (account,),
        )


def pause(tx: Transaction, account: str, *, reason: str, probe_at: datetime) -> None:
    """Hold all calls of the account: its credentials are not accepted. A probe may go at `probe_at`."""
    tx.connection.execute(
        """INSERT INTO sync.api_budget (account, paused_reason, probe_until) VALUES (%s, %s, %s)
           ON CONFLICT (account) DO UPDATE
           SET paused_reason = excluded.paused_reason, probe_until = excluded.probe_until
           WHERE api_budget.probe_until IS DISTINCT FROM %s""",
        (account, reason, probe_at, NEVER),
    )


def pause_by_hand(tx: Transaction, account: str, *, reason: str) -> None:
    """Hold all calls of the account until `resume`: no probe goes, and no refused credentials change the reason."""
    pause(tx, account, reason=reason, probe_at=NEVER)


def resume(tx: Transaction, account: str) -> None:
    """Let calls go again: the circuit is closed and the account not paused."""
    tx.connection.execute(
        """UPDATE sync.api_budget SET failures = 0, opened_at = NULL, probe_until = NULL, paused_reason = NULL
           WHERE account = %s""",
        (account,),
    )


def paused(tx: Transaction) -> dict[str, str]:
    """Why accounts are paused, by account."""
    return dict(
        tx.connection.execute(
            "SELECT account, paused_reason FROM sync.api_budget WHERE paused_reason IS NOT NULL ORDER BY account"
        ).fetchall()
    )
