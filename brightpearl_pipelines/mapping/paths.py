"""Paths into JSON documents: `billing_address.first_name`, `rows.*.net`, `addresses.0.city`, `"@odata.etag"`.

Segments are divided by dots; a segment in double quotes may itself hold dots. `*` stands for every element of a list
or every value of an object. Inside a list mapping a path starts at the element, `$root.x` starts at the whole
document, and `$key` is the key (in an object) or position (in a list) at which the innermost `*` found the element;
`$key.0` is that of the first `*`, `$key.1` of the second.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

WILDCARD: Final = "*"
ROOT: Final = "$root"
KEY: Final = "$key"
_SEGMENT = re.compile(r'"([^"*$]+)"|(\$?[^."*$\s]+|\*)')
SYNTAX: Final = 'names divided by dots, such as a.b, a.0.b, a.*.b, "a.b".c, $root.a, $key'


class Missing(Enum):
    """The type of `MISSING`, which says that a path leads nowhere or to null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class PathSyntaxError(ValueError):
    """A path that cannot be read; `offset` is where in the text, from 0."""

    def __init__(self, text: str, offset: int) -> None:
        self.offset = offset
        super().__init__(f"not a path at character {offset + 1}")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A parsed path. `start` is "", "$root" or "$key"; `segments` are what follows."""

    text: str
    start: str
    segments: tuple[str, ...]

    @property
    def wildcards(self) -> int:
        return self.segments.count(WILDCARD) if self.start != KEY else 0

    def child(self, segment: str) -> "FieldPath":
        return FieldPath(f"{self.text}.{segment}", self.start, (*self.segments, segment))

    @property
    def parent(self) -> "FieldPath":
        return FieldPath(self.text.rpartition(".")[0], self.start, self.segments[:-1])

    def overlaps(self, other: "FieldPath") -> bool:
        """Whether setting one would overwrite the other."""
        shorter = min(len(self.segments), len(other.segments))
        return self.start == other.start and self.segments[:shorter] == other.segments[:shorter]


def parse_path(text: str) -> FieldPath:
    """Read a path; raises PathSyntaxError."""
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(text, position)
        if match is None or (segments and (match[2] or "").startswith("$")):
            raise PathSyntaxError(text, position)
        segments.append(match[1] or match[2])
        position = match.end()
        if position == len(text):
            break
        if text[position] != ".":
            raise PathSyntaxError(text, position)
        position += 1
    start, rest = (segments[0], segments[1:]) if segments[0].startswith("$") else ("", segments)
    if start not in ("", ROOT, KEY) or (start == ROOT and not rest) or (start == KEY and not _is_key_number(rest)):
        raise PathSyntaxError(text, 0)
    return FieldPath(text, start, tuple(rest))


def _is_key_number(rest: Sequence[str]) -> bool:
    return not rest or (len(rest) == 1 and rest[0].isdecimal())


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in a document a rule works: the document, the element it stands on, the keys that led there."""

    root: Any
    here: Any
    keys: tuple[str, ...] = ()
    at: str = ""
    """The concrete path of `here`, ending in a dot, e.g. `rows.2.`; empty at the root."""

    def get(self, path: FieldPath) -> Any:
        """The value at `path`, or MISSING where there is none or null."""
        if path.start == KEY:
            index = int(path.segments[0]) if path.segments else -1
            return self.keys[index] if -len(self.keys) <= index < len(self.keys) else MISSING
        value = self.root if path.start == ROOT else self.here
        for segment in path.segments:
            value = step_into(value, segment)
            if value is MISSING:
                return MISSING
        return value

    def concrete(self, path: FieldPath) -> str:
        """`path` with the place of this scope before it, for messages."""
        return path.text if path.start else f"{self.at}{path.text}"

    def into(self, path: FieldPath, value: object) -> "Scope":
        """The scope of an object inside this one."""
        return Scope(self.root, value, self.keys, f"{self.concrete(path).removeprefix(ROOT + '.')}.")


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a path with wildcards leads to: the elements, and the concrete paths where the way broke off."""

    elements: tuple[Scope, ...]
    missing: tuple[str, ...]


def expand(scope: Scope, path: FieldPath) -> Expansion:
    """Follow `path`, every `*` in all its ways, in document order."""
    missing: list[str] = []
    base = Scope(scope.root, scope.root, (), "") if path.start == ROOT else scope
    frontier = [base]
    for segment in path.segments:
        following: list[Scope] = []
        for found in frontier:
            children = list(_children(found.here, segment))
            if not children and (segment != WILDCARD or not isinstance(found.here, Mapping | list | tuple)):
                missing.append(f"{found.at}{segment}")
            for key, value in children:
                keys = (*found.keys, key) if segment == WILDCARD else found.keys
                following.append(Scope(base.root, value, keys, f"{found.at}{key}."))
        frontier = following
    return Expansion(tuple(frontier), tuple(missing))


def _children(value: object, segment: str) -> Iterator[tuple[str, Any]]:
    if segment != WILDCARD:
        child = step_into(value, segment)
        if child is not MISSING:
            yield segment, child
    elif isinstance(value, Mapping):
        yield from ((str(key), child) for key, child in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(index), child) for index, child in enumerate(value))


def step_into(value: object, segment: str) -> Any:
    """One segment further: a key of an object or a position in a list; MISSING where there is none or null."""
    if isinstance(value, Mapping):
        child = value.get(segment)
    elif isinstance(value, list | tuple) and segment.isdecimal() and int(segment) < len(value):
        child = value[int(segment)]
    else:
        child = None
    return MISSING if child is None else child


def put(document: dict[str, Any], path: FieldPath, value: object) -> None:
    """Set `value` at `path`, making the objects (and, for numbers, the lists) on the way.

    An object put where one stands is merged into it. Raises ValueError if the way leads through something else, or
    if a position in a list leaves a gap before it.
    """
    here: Any = document
    for segment, following in zip(path.segments, path.segments[1:], strict=False):
        child = step_into(here, segment)
        if child is MISSING:
            child = [] if following.isdecimal() else {}
            _set(here, segment, child, path)
        here = child
    last = path.segments[-1]
    existing = step_into(here, last)
    if isinstance(existing, dict) and isinstance(value, Mapping):
        existing.update(value)
    else:
        _set(here, last, value, path)


def _set(container: object, segment: str, value: object, path: FieldPath) -> None:
    if isinstance(container, dict):
        container[segment] = value
    elif isinstance(container, list) and segment.isdecimal() and int(segment) <= len(container):
        container[int(segment) : int(segment) + 1] = [value]
    else:
        raise ValueError(f"cannot set {path.text}: {segment!r} has no place in {type(container).__name__}")
