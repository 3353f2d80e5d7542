"""What the receiver takes: so many bytes a call, so many calls a second."""

from starlette.requests import Request

from brightpearl_pipelines.clock import Clock


class TooLargeError(Exception):
    """A body that exceeds what is allowed; it was not read to its end."""


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body, read no further than allowed. Raises TooLargeError, and ClientDisconnect when the sender goes away."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > most_bytes:
        raise TooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise TooLargeError
    return bytes(body)


class TokenBucket:
    """Lets `per_second` pass on average, and as many at once after a second of quiet."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._rate = per_second
        self._clock = clock
        self._left = per_second
        self._seen = clock.monotonic()

    def take(self) -> bool:
        """Whether one more may pass now."""
        now = self._clock.monotonic()
        self._left = min(self._rate, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
