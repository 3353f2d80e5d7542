"""HTTP PATCH: JSON Patch with the operations that each field allows (brightpearl.md §4.3)."""

import re
from collections.abc import Sequence

import jsonpatch

from brightpearl_pipelines.sandbox.brightpearl.wire import ApiError, Json, JsonObject

Allowed = Sequence[tuple[re.Pattern[str], Sequence[str]]]


def apply_patch(document: JsonObject, operations: Json, allowed: Allowed) -> JsonObject:
    """The changed copy of a document. A path or operation that is not allowed is a 500 with CMNC-044."""
    if not isinstance(operations, list) or not operations or not all(isinstance(item, dict) for item in operations):
        raise ApiError(400, ("CMNC-010", "You must supply a JSON formatted body with your request"))
    for operation in operations:
        _check(operation, allowed)
    try:
        changed: JsonObject = jsonpatch.apply_patch(document, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        # E.g. `replace` on a field without a value, or a failed `test`; the code's number is not documented.
        raise ApiError(400, ("CMNC-045", f"The patch cannot be applied: {error}")) from error
    return changed


def paths(operations: Sequence[JsonObject]) -> set[str]:
    """The paths that the operations write."""
    return {item["path"] for item in operations if item["op"] != "test"}


def _check(operation: JsonObject, allowed: Allowed) -> None:
    op, path = operation.get("op"), operation.get("path")
    places = [path, operation["from"]] if op in ("move", "copy") and "from" in operation else [path]
    for place in places:
        fitting = (ops for pattern, ops in allowed if isinstance(place, str) and pattern.fullmatch(place))
        if not any(op in ops for ops in fitting):
            raise ApiError(500, ("CMNC-044", f"Invalid patch operation ({op}) for given path ({path})"))
