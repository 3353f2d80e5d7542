"""Reading the body of a webhook call whose sender writes JSON."""

import json
from typing import Any, NoReturn

from brightpearl_pipelines.systems.contract import MalformedNoticeError

MOST_LEVELS = 20


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises MalformedNoticeError for anything else, and for one nested absurdly deep."""
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise MalformedNoticeError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise MalformedNoticeError("the body is not a JSON object")
    if _levels(found) > MOST_LEVELS:
        raise MalformedNoticeError(f"the body is nested more than {MOST_LEVELS} levels deep")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _levels(value: object) -> int:
    """How deep lists and objects lie in each other; stops counting beyond what is allowed."""
    level, layer = 0, [value]
    while layer and level <= MOST_LEVELS:
        containers = [each for each in layer if isinstance(each, dict | list)]
        layer = [item for each in containers for item in (each.values() if isinstance(each, dict) else each)]
        level += bool(containers)
    return level
