"""YAML with lines: values as the file writes them, and the place of each.

Of YAML's guesses only true, false, null, whole and decimal numbers are kept: `NO` stays a country, `1.10` is a Decimal,
`007` and `2026-01-01` stay text.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from brightpearl_pipelines.mapping.errors import MappingFileError

Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


_TAG = "tag:yaml.org,2002:"
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-0123456789"))
_Loader.add_constructor(f"{_TAG}float", lambda _, node: Decimal(_text(node)))


class YamlFile:
    """A parsed file: its `value`, and errors that point into it."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises MappingFileError for what is not YAML, or has a key twice, and OSError."""
        self.path = path
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        try:
            root: yaml.Node | None = loader.get_single_node()
            if root is None:
                raise MappingFileError(path, 1, 1, text="", problem="the file is empty", allowed="a mapping")
            self._root = root
            self._refuse_doubles(root)
            self.value: Any = loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            lines = text.splitlines()
            found = lines[line].strip() if line < len(lines) else ""
            problem = error.problem or "not YAML"
            raise MappingFileError(path, line + 1, column + 1, text=found, problem=problem, allowed="YAML") from error
        finally:
            loader.dispose()

    def error(
        self, location: Location, problem: str, allowed: str, *, key: bool = False, offset: int = 0
    ) -> MappingFileError:
        """The error at a location (keys and positions from the root); `key` points at the key, not at its value."""
        node = self._node(location, key=key)
        column = node.start_mark.column + 1
        if offset and isinstance(node, yaml.ScalarNode):
            column += offset + (1 if node.style else 0)
        line = node.start_mark.line + 1
        return MappingFileError(self.path, line, column, text=_text(node), problem=problem, allowed=allowed)

    def line(self, location: Location) -> int:
        """The line, from 1, of the key at a location."""
        return int(self._node(location, key=True).start_mark.line) + 1

    def _node(self, location: Location, *, key: bool) -> yaml.Node:
        node: yaml.Node = self._root
        key_node = node
        for step in location:
            found = _child(node, step)
            if found is None:
                break  # pydantic's locations also name alternatives, which are not in the file
            key_node, node = found
        return key_node if key else node

    def _refuse_doubles(self, root: yaml.Node) -> None:
        for node in _walk(root):
            seen: dict[str, int] = {}
            for key_node, _ in node.value:
                name = _text(key_node)
                line = key_node.start_mark.line + 1
                if name in seen:
                    column = key_node.start_mark.column + 1
                    problem = f"already declared in line {seen[name]}"
                    allowed = "every key once"
                    raise MappingFileError(self.path, line, column, text=name, problem=problem, allowed=allowed)
                seen[name] = line


def _walk(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    pending = [root]
    met: set[int] = set()
    while pending:
        node = pending.pop(0)
        if id(node) in met:
            continue  # an alias of what was walked already, possibly of what holds it
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            pending.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
        return next(((key, value) for key, value in pairs if _text(key) == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.MappingNode):
        return "{" + ", ".join(_text(key) for key, _ in node.value) + "}"
    return "[" + ", ".join(_text(item) for item in node.value) + "]"
