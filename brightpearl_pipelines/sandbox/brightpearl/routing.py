"""Which handler answers which method and path."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from brightpearl_pipelines.sandbox.brightpearl.wire import Call, Reply

Handler = Callable[..., Reply]

_PLACE = re.compile(r"\{(\w+)(\?)?\}")


@dataclass(frozen=True)
class Endpoint:
    """`template` has places: `{id}`-like ones named `…_id` or `id` take digits, others anything up to the next slash;
    a trailing `{name?}` may be absent. Places are handed to the handler by name, after the call."""

    method: str
    template: str
    handler: Handler
    message_type: str

    def pattern(self) -> re.Pattern[str]:
        parts = []
        for segment in self.template.split("/"):
            place = _PLACE.fullmatch(segment)
            if place is None:
                parts.append("/" + re.escape(segment))
                continue
            name, optional = place[1], place[2]
            what = r"\d+" if name == "id" or name.endswith("_id") else r"[^/]+"
            group = f"/(?P<{name}>{what})"
            parts.append(f"(?:{group})?" if optional else group)
        return re.compile("".join(parts))


class Router:
    """Finds endpoints by method and service, then by path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._table: dict[tuple[str, str], list[tuple[re.Pattern[str], Endpoint]]] = defaultdict(list)
        for endpoint in endpoints:
            service = endpoint.template.split("/")[0]
            self._table[endpoint.method, service].append((endpoint.pattern(), endpoint))

    def find(self, call: Call) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint and the values of its places; None for an unknown URI."""
        service = call.path.split("/")[1]
        for pattern, endpoint in self._table.get((call.method, service), ()):
            match = pattern.fullmatch(call.path)
            if match:
                return endpoint, match.groupdict()
        return None
