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
        """Read the file. Raises MappingFileError for what is not plain YAML or has a key twice, and OSError."""
        self.path = path
        content = path.read_bytes()
        try:
            loader = _Loader(content.decode())
            self._root = self._composed(loader)
            self.value: Any = loader.construct_document(self._root)
        except UnicodeDecodeError as error:
            raise self._not_yaml(content, error.start, "not UTF-8 text") from error
        except yaml.reader.ReaderError as error:
            before = content.decode()[: error.position].encode()
            raise self._not_yaml(content, len(before), "a control character") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            before = b"" if mark is None else content.decode()[: mark.index].encode()
            raise self._not_yaml(content, len(before), error.problem or "not YAML") from error

    def _composed(self, loader: _Loader) -> yaml.Node:
        root: yaml.Node | None = loader.get_single_node()
        if root is None:
            raise MappingFileError(self.path, 1, 1, text="", problem="the file is empty", allowed="a mapping")
        met: set[int] = set()
        for node in _walk(root):
            if id(node) in met:
                raise self._at(node, "an anchor with an alias", "everything written out", text="&")
            met.add(id(node))
            if isinstance(node, yaml.MappingNode):
                self._refuse_doubles(node)
            if isinstance(node, yaml.ScalarNode) and node.tag != _plain_tag(loader, node):
                raise self._at(node, f"the tag {node.tag}", "values without a tag")
        return root

    def _refuse_doubles(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._at(key, "a key that is no text", "one word as the key", text="?")
            if key.value in seen:
                raise self._at(key, f"already declared in line {seen[key.value]}", "every key once")
            seen[key.value] = key.start_mark.line + 1

    def _not_yaml(self, content: bytes, offset: int, problem: str) -> MappingFileError:
        before, found = content[:offset].decode(), content[offset:].decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        text = (before.rpartition("\n")[2] + found.partition("\n")[0]).strip()
        return MappingFileError(self.path, line, column, text=text, problem=problem, allowed="YAML")

    def _at(self, node: yaml.Node, problem: str, allowed: str, text: str | None = None) -> MappingFileError:
        mark = node.start_mark
        shown = _text(node) if text is None else text
        return MappingFileError(self.path, mark.line + 1, mark.column + 1, text=shown, problem=problem, allowed=allowed)

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
                continue  # pydantic's locations also name alternatives, which are not in the file
            key_node, node = found
        return key_node if key else node


def _walk(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node, an aliased one as often as it is named; the caller stops at the first repetition."""
    pending = [root]
    while pending:
        node = pending.pop(0)
        yield node
        if isinstance(node, yaml.MappingNode):
            pending.extend(inner for pair in node.value for inner in pair)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)


def _plain_tag(loader: _Loader, node: yaml.ScalarNode) -> str:
    tag = loader.resolve(yaml.ScalarNode, node.value, (not node.style, bool(node.style)))  # type: ignore[no-untyped-call]
    return str(tag)


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
