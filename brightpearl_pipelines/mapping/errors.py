"""What can go wrong with a mapping: the file is wrong, or a record does not fit it.

MappingFileError   a mapping file; found when it is loaded, never while records flow
MappingErrors      a record; carries every MappingError of it, not only the first
MappingError       one field of a record
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class MappingFileError(Exception):
    """A mapping file says something that cannot be done. `line` and `column` count from 1."""

    def __init__(self, file: Path, line: int, column: int, *, text: str, problem: str, allowed: str) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.text = text
        self.problem = problem
        self.allowed = allowed
        super().__init__(f"{file}:{line}:{column}: {text!r}: {problem}. Allowed: {allowed}.")


class MappingError(Exception):
    """One field that could not be mapped.

    `field` is the field of our entity (`lines.2.net`), `path` where the value was looked for, `value` what was found
    there (`None` if nothing), `rule` the declaration that it failed, `suggestion` what a person can do.
    """

    waiting_for: str | None = None
    """A mapping waits for nothing: neither time nor another record mends the value."""

    def __init__(self, field: str, path: str, value: Any, rule: str, suggestion: str) -> None:
        self.field = field
        self.path = path
        self.value = value
        self.rule = rule
        self.suggestion = suggestion
        super().__init__(f"{field}: {value!r} at {path or 'no path'} fails the rule: {rule}. {suggestion}")


class MappingErrors(Exception):
    """Everything in one record that could not be mapped."""

    def __init__(self, errors: Sequence[MappingError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error) for error in self.errors))
