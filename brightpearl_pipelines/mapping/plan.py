"""From a mapping file to steps: what is done, in order, to read a record and to write an entity.

A declaration is turned round where it can be: one value, an object, a list, a join with its split. The steps of both
directions are of one kind, and `apply.py` runs them without knowing which declaration they came from.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from brightpearl_pipelines.mapping.calculate import Calculation
from brightpearl_pipelines.mapping.convert import Conversion, ConversionError
from brightpearl_pipelines.mapping.paths import (
    KEY,
    MISSING,
    ROOT,
    SYNTAX,
    WILDCARD,
    FieldPath,
    PathSyntaxError,
    parse_path,
)
from brightpearl_pipelines.mapping.spec import Condition, Direction, FieldSpec, MappingSpec, Rule, Split
from brightpearl_pipelines.mapping.yaml_lines import Location, YamlFile

Json = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, str]]
Function = Callable[[Json, Tables], Any]
Mode = Literal["read", "write"]

_KINDS: Final = ("from", "each", "calculate", "function", "value")
_ATTRIBUTES: Final = {"from": "from_"}
_TIMES: Final = ("datetime", "date")


@dataclass(frozen=True, slots=True)
class From:
    """Values at paths; several are joined, or are parts."""

    paths: tuple[FieldPath, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """The elements at a path with wildcards."""

    path: FieldPath


@dataclass(frozen=True, slots=True)
class Call:
    """A named function."""

    name: str
    function: Function


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same value, already converted."""

    value: Any


Take = From | Each | Call | Constant | Calculation


@dataclass(frozen=True, slots=True)
class Step:
    """One value on its way: taken from the source document, converted, put at the targets."""

    name: str
    """The field of the file, for messages."""
    location: Location
    take: Take
    targets: tuple[FieldPath, ...]
    conversion: Conversion = field(default_factory=Conversion)
    children: tuple["Step", ...] | None = None
    when: Condition | None = None
    lookup: str | None = None
    otherwise: Any = MISSING
    default: Any = MISSING
    optional: bool = False
    left_out: Any = MISSING
    """A value of ours that the table need not know: the record says it by lacking the field."""
    separator: str = " "
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field lives in the system's record: `paths` from the record's root, `line` in the mapping file."""

    field: str
    paths: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of both directions, and where each field comes from."""

    read: tuple[Step, ...]
    write: tuple[Step, ...]
    sources: tuple[Source, ...]


def make_plan(
    spec: MappingSpec, file: YamlFile, functions: Mapping[str, Function], tables: Collection[str] | None
) -> Plan:
    """Work out the steps. `tables` are the names known at run time, `None` if that is not known yet.

    Raises MappingFileError for declarations that contradict themselves or each other.
    """
    known = None if tables is None else {*tables, *spec.tables}
    planner = _Planner(file, functions, known, spec.tables)
    at: Location = ("fields",)
    read = tuple(planner.readers(spec.fields, at, spec.direction))
    write = tuple(planner.writers(spec.fields, at, spec.direction, keyed=False))
    planner.refuse_overlaps(read, "sets")
    planner.refuse_overlaps(write, "writes")
    return Plan(read, write, tuple(planner.sources(spec.fields, at, "", "")))


class _Planner:
    def __init__(
        self,
        file: YamlFile,
        functions: Mapping[str, Function],
        known_tables: Collection[str] | None,
        inline: Tables,
    ) -> None:
        self.file = file
        self.functions = functions
        self.known_tables = known_tables
        self.inline = inline

    def readers(self, fields: Mapping[str, FieldSpec], at: Location, direction: Direction) -> Iterator[Step]:
        """The steps that read; every declaration is checked here, in whichever direction it is used."""
        for name, spec in fields.items():
            here = (*at, name)
            self.check(spec, here)
            effective = spec.direction or direction
            if _kind(spec) is None:
                continue
            step = self.forward(name, spec, self.targets(name, spec, here), here, mode="read", way=effective)
            if effective != "write":
                yield step

    def writers(
        self, fields: Mapping[str, FieldSpec], at: Location, direction: Direction, *, keyed: bool
    ) -> Iterator[Step]:
        """The steps that write: the counterparts, and what can be turned round. `keyed`: a `$key` can be written."""
        for name, spec in fields.items():
            here = (*at, name)
            effective = spec.direction or direction
            if effective == "read":
                continue
            if spec.write is not None:
                yield self.counterpart(name, spec, spec.write, here)
                continue
            obstacle = self.obstacle(spec, keyed=keyed)
            if obstacle is None:
                step = self.inverse(name, spec, here, effective)
                if step.children != ():
                    yield step
            elif spec.direction == "both" or effective == "write":
                allowed = "direction: read, or a counterpart under `write:`"
                raise self.file.error(here, f"this cannot be turned round for writing: {obstacle}", allowed)

    def forward(
        self, name: str, rule: Rule, targets: tuple[FieldPath, ...], at: Location, *, mode: Mode, way: Direction
    ) -> Step:
        """The step that does what a rule says, as it is written."""
        children = None
        if rule.fields is not None:
            inner = (*at, "fields")
            children = tuple(
                self.readers(rule.fields, inner, way) if mode == "read" else self.turned(rule.fields, inner)
            )
        conversion = _conversion(rule)
        return Step(
            name=name,
            location=at,
            take=self.take(rule, at, conversion, mode),
            targets=targets,
            conversion=conversion,
            children=children,
            when=rule.when,
            lookup=rule.lookup,
            otherwise=self.fitting(rule, "otherwise", at, conversion, mode),
            default=self.fitting(rule, "default", at, conversion, mode),
            optional=rule.optional,
            separator=" " if rule.join is None else rule.join,
            split=rule.split if rule.has("to") else None,
        )

    def turned(self, fields: Mapping[str, FieldSpec], at: Location) -> Iterator[Step]:
        """The fields inside a `write:`: their names are the system's paths."""
        for name, spec in fields.items():
            here = (*at, name)
            for key in ("write", "direction"):
                if spec.has(key):
                    raise self.file.error((*here, key), "this is inside `write:` already", "no such key", key=True)
            self.check(spec, here)
            yield self.forward(name, spec, self.targets(name, spec, here), here, mode="write", way="write")

    def counterpart(self, name: str, spec: FieldSpec, rule: Rule, at: Location) -> Step:
        """The step of a `write:`; it writes at its `to`, or else where the field is read."""
        here = (*at, "write")
        self.check(rule, here)
        targets = tuple(rule.to or spec.from_ or ())
        if len(targets) != 1 and rule.split is None:
            raise self.file.error(here, "where to write is not clear", "one path under `to`, several with `split`")
        for target in targets:
            if target.start or target.wildcards:
                raise self.file.error(here, f"nothing can be written at {target.text}", "a path under `to` without *")
        return self.forward(name, rule, targets, here, mode="write", way="write")

    def take(self, rule: Rule, at: Location, conversion: Conversion, mode: Mode) -> Take:
        if rule.from_ is not None:
            return From(tuple(rule.from_))
        if rule.each is not None:
            return Each(rule.each)
        if rule.calculate is not None:
            return rule.calculate
        if rule.function is not None:
            return Call(rule.function, self.functions[rule.function])
        convert = conversion.read if mode == "read" else conversion.write
        try:
            return Constant(convert(rule.value))
        except ConversionError as error:
            raise self.file.error((*at, "value"), error.rule, error.suggestion) from error

    def fitting(self, rule: Rule, key: str, at: Location, conversion: Conversion, mode: Mode) -> Any:
        """A `default` or `otherwise` as the result has it; MISSING if the file gives none."""
        if not rule.has(key):
            return MISSING
        value = getattr(rule, key)
        if value is None or mode == "write":
            return value
        try:
            return conversion.read(value)
        except ConversionError as error:
            raise self.file.error((*at, key), f"not a value of {error.rule}", error.suggestion) from error

    def inverse(self, name: str, spec: FieldSpec, at: Location, direction: Direction) -> Step:
        """The step that undoes the reading of a field. What reading may leave out or default, writing may leave out."""
        ours = self.targets(name, spec, at)
        children: tuple[Step, ...] | None = None
        if spec.fields is not None:
            inner = (*at, "fields")
            children = tuple(self.writers(spec.fields, inner, direction, keyed=spec.each is not None))
        if spec.each is not None:
            take: Take = Each(ours[0].child(WILDCARD))
            targets: tuple[FieldPath, ...] = (spec.each.parent,)
        else:
            take = From(ours)
            targets = tuple(spec.from_ or ())
        return Step(
            name=name,
            location=at,
            take=take,
            targets=targets,
            conversion=_conversion(spec),
            children=children,
            lookup=spec.lookup,
            optional=spec.optional or spec.has("default"),
            left_out=spec.default if spec.has("default") else MISSING,
            separator=" " if spec.join is None else spec.join,
            split=spec.split if len(targets) > 1 else None,
        )

    def obstacle(self, spec: FieldSpec, *, keyed: bool) -> str | None:
        """Why a declaration cannot be turned round; None if it can."""
        if spec.when is not None:
            return "a condition on the record says nothing about our values"
        if spec.each is not None:
            path = spec.each
            if path.wildcards > 1 or path.start or len(path.segments) < 2:
                return "only a list at one plain path can be written back"
        elif spec.from_ is None:
            return f"`{_kind(spec)}` works one way"
        elif len(spec.from_) > 1 and spec.split is None:
            return "several paths are joined and no `split` is declared"
        for path in spec.from_ or ():
            if path.start and not (keyed and path.start == KEY and not path.segments):
                return f"{path.text} lies outside of what is written here"
        doubles = ambiguous(self.inline.get(spec.lookup or "", {}))
        shared = next(iter(doubles.values()), None)
        return None if shared is None else f"in table {spec.lookup} the keys {' and '.join(shared)} mean the same"

    def targets(self, name: str, spec: Rule, at: Location) -> tuple[FieldPath, ...]:
        """Where the result of a field is put: at its own name, or at `to`."""
        if spec.to is not None:
            targets = tuple(spec.to)
        else:
            try:
                targets = (parse_path(name),)
            except PathSyntaxError as error:
                raise self.file.error(at, str(error), SYNTAX, key=True, offset=error.offset) from error
        for target in targets:
            if target.start or target.wildcards:
                raise self.file.error(at, f"{target.text} is not one place", "a path without * and $", key=True)
        return targets

    def check(self, rule: Rule, at: Location) -> None:
        """Refuse keys that contradict each other."""
        kinds = [kind for kind in _KINDS if rule.has(_ATTRIBUTES.get(kind, kind))]
        only_written = isinstance(rule, FieldSpec) and rule.write is not None and not kinds
        if len(kinds) != 1 and not only_written:
            problem = f"{' and '.join(kinds)} together" if kinds else "nothing says where the value comes from"
            raise self.file.error(at, problem, "exactly one of " + ", ".join(_KINDS), key=bool(kinds))
        for key, fits, allowed in _demands(rule):
            if rule.has(_ATTRIBUTES.get(key, key)) and not fits:
                raise self.file.error((*at, key), f"`{key}` does not fit here", allowed, key=True)
        if rule.function is not None and rule.function not in self.functions:
            known = ", ".join(sorted(self.functions)) or "none is known"
            raise self.file.error((*at, "function"), "unknown function", known)
        if rule.lookup is not None and self.known_tables is not None and rule.lookup not in self.known_tables:
            known = ", ".join(sorted(self.known_tables)) or "none is known"
            raise self.file.error((*at, "lookup"), "unknown table", known)

    def refuse_overlaps(self, steps: tuple[Step, ...], verb: str) -> None:
        """No two steps may set the same place, nor one a place inside the other's."""
        for index, (target, step) in enumerate(places := list(_places(steps, ()))):
            for earlier, other in places[:index]:
                if target.overlaps(earlier):
                    line = self.file.line(other.location)
                    problem = f"{verb} {target.text}, which {other.name} in line {line} {verb} too"
                    allowed = "one field for each place; `direction: read` keeps a field from being written"
                    raise self.file.error(step.location, problem, allowed, key=True)
        for step in steps:
            if isinstance(step.take, Each) and step.children:
                self.refuse_overlaps(step.children, verb)

    def sources(self, fields: Mapping[str, FieldSpec], at: Location, name: str, base: str) -> Iterator[Source]:
        """Every field with the paths of the record that it touches, inner fields after their outer one."""
        for key, spec in fields.items():
            here, full = (*at, key), f"{name}{key}"
            way = spec.each or (spec.from_[0] if spec.from_ else None)
            inner = base if way is None else f"{_absolute(way, base)}."
            paths = [_absolute(path, base) for path in _own_paths(spec)]
            if spec.when is not None:
                paths.append(_absolute(spec.when.path, inner if spec.each else base))
            yield Source(full, tuple(dict.fromkeys(paths)), self.file.line(here))
            if spec.fields is not None:
                yield from self.sources(spec.fields, (*here, "fields"), f"{full}.", inner)


def ambiguous(table: Mapping[str, str]) -> dict[str, list[str]]:
    """The values that several keys of a table share, with those keys: such a value cannot be looked up backwards."""
    keys: dict[str, list[str]] = {}
    for key, value in table.items():
        keys.setdefault(value, []).append(key)
    return {value: shared for value, shared in keys.items() if len(shared) > 1}


def _kind(rule: Rule) -> str | None:
    return next((kind for kind in _KINDS if rule.has(_ATTRIBUTES.get(kind, kind))), None)


def _conversion(rule: Rule) -> Conversion:
    return Conversion(rule.type, rule.format, rule.timezone, rule.scale, rule.write_as)


def _demands(rule: Rule) -> Iterator[tuple[str, bool, str]]:
    """Keys, whether they may be given beside the others, and when they may."""
    single = rule.from_ is not None and len(rule.from_) == 1
    several = rule.from_ is not None and len(rule.from_) > 1
    textual = rule.type in (None, "string")
    parts = rule.has("to") and rule.split is not None
    from_paths = rule.from_ or []
    yield "from", all(not path.wildcards for path in from_paths), "paths without *; `each` makes a list"
    yield "from", single or rule.join is not None, "one path, or several with `join`"
    yield "from", not (several or parts) or (textual and rule.fields is None and rule.lookup is None), "texts to join"
    yield "each", rule.each is None or rule.each.segments[-1:] == (WILDCARD,), "a path that ends in *"
    yield "fields", (single and not parts) or rule.each is not None, "beside one path under `from`, or `each`"
    yield "fields", rule.type is None and rule.lookup is None, "without `type` and `lookup`, which go inside"
    yield "join", several or parts, "beside several paths under `from`, or `to` with `split`"
    yield "split", several or (single and parts), "beside several paths under `from`, or one with several under `to`"
    yield "otherwise", rule.lookup is not None, "beside `lookup`"
    yield "format", rule.type in _TIMES, "beside `type: datetime` or `type: date`"
    yield "format", rule.type != "date" or rule.format not in ("rfc2822", "epoch_seconds"), "iso8601 or a pattern"
    yield "timezone", rule.type in _TIMES, "beside `type: datetime` or `type: date`"
    yield "scale", rule.type == "decimal", "beside `type: decimal`"
    yield "default", not rule.has("value"), "beside a value that may be missing"
    yield "lookup", not rule.has("value"), "beside a value that varies"
    if isinstance(rule, FieldSpec):
        yield "to", rule.split is not None and single, "beside one path under `from` and `split`"


def _places(steps: tuple[Step, ...], before: tuple[str, ...]) -> Iterator[tuple[FieldPath, Step]]:
    """Every place that steps set: of an object its inner places, so that two declarations may fill one object."""
    for step in steps:
        for target in step.targets:
            place = FieldPath(".".join((*before, *target.segments)), target.start, (*before, *target.segments))
            if step.children is not None and not isinstance(step.take, Each):
                yield from _places(step.children, place.segments)
            else:
                yield place, step


def _own_paths(spec: FieldSpec) -> Iterator[FieldPath]:
    yield from spec.from_ or ()
    if spec.each is not None:
        yield spec.each
    if spec.calculate is not None:
        yield from spec.calculate.paths
    if spec.write is not None:
        yield from spec.write.to or ()


def _absolute(path: FieldPath, base: str) -> str:
    if path.start == KEY:
        return base.rstrip(".")
    return path.text.removeprefix(f"{ROOT}.") if path.start == ROOT else f"{base}{path.text}"
