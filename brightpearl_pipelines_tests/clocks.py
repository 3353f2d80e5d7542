"""Time as the tests want it."""

import asyncio
from datetime import UTC, datetime, timedelta


class TestClock:
    """Stands still until it is set, moved on, or slept on."""

    __test__ = False  # pytest takes classes of such a name for tests

    def __init__(self, now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._start = now
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)

    def set(self, now: datetime) -> None:
        """Make it this instant."""
        self._now = now

    def advance(self, seconds: float) -> None:
        """Let this much time pass."""
        self._now += timedelta(seconds=seconds)
