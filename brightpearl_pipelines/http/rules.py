"""What a system tells the transport about its server: its limit, and how its answers are to be read."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Observation:
    """What the server's own headers say: so many requests are left, and in so many seconds the count starts anew."""

    remaining: int
    resets_in_seconds: float


@dataclass(frozen=True, slots=True)
class ServerRules:
    """The rules of one account's server."""

    limit: int
    """Requests allowed in any `window_seconds`."""
    window_seconds: float
    observe: Callable[[httpx.Response], Observation | None]
    """Reads the limit headers of an answer; None where there are none."""
    throttled: Callable[[httpx.Response], float | None]
    """Seconds to wait when the answer says "too many requests" (nothing was applied); 0.0 when it does not say how
    long; None when the answer is no throttle."""
    transient: Callable[[httpx.Response], bool]
    """True when the answer is a fault of the server, worth another try, and not of the request."""
    request_id: Callable[[httpx.Response], str | None]
    """The server's id of the exchange."""
    reserve: float = 0.25
    """The share of the limit that backfills leave to deltas."""

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_seconds <= 0 or not 0 <= self.reserve < 1:
            raise ValueError("a limit is at least 1, its window longer than nothing, the reserve in [0, 1)")
