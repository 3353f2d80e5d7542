"""Applies a mapping file: records of a system to our entities, and back."""

import copy
from collections import abc
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from brightpearl_pipelines.mapping.calculate import Calculation, CalculationError
from brightpearl_pipelines.mapping.convert import ConversionError, refuse_floats, to_decimal, to_text
from brightpearl_pipelines.mapping.errors import MappingError, MappingErrors
from brightpearl_pipelines.mapping.paths import KEY, MISSING, FieldPath, Scope, expand, put
from brightpearl_pipelines.mapping.plan import (
    Call,
    Constant,
    Each,
    From,
    Json,
    Mode,
    Plan,
    Source,
    Step,
    Tables,
    make_plan,
)
from brightpearl_pipelines.mapping.spec import Condition, read_spec

_CONVERTED: Final = ("integer", "decimal", "boolean", "datetime", "date")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping file, ready to be applied."""

    file: Path
    entity: str
    system: str
    record: str
    plan: Plan
    tables: Tables
    """The tables of the file itself; they go before those given at run time."""

    def read(self, payload: Json, tables: Tables) -> dict[str, Any]:
        """The fields of our entity from a record. Raises MappingErrors with everything that does not fit."""
        return self._run("read", self.plan.read, payload, tables)

    def write(self, entity: Json, tables: Tables) -> dict[str, Any]:
        """The system's document from the fields of our entity, python values or as the store keeps them.

        Fields that a record may lack may be absent. Raises MappingErrors with everything that does not fit.
        """
        return self._run("write", self.plan.write, entity, tables)

    def sources(self) -> list[Source]:
        """Every field with the paths of the system's record that it touches and its line, in the file's order."""
        return list(self.plan.sources)

    def _run(self, mode: Mode, steps: tuple[Step, ...], document: Json, tables: Tables) -> dict[str, Any]:
        run = _Run(mode, {**tables, **self.tables})
        result = run.fill(steps, Scope(document, document), "").document
        if run.errors:
            raise MappingErrors(run.errors)
        return result


def load_mapping(
    path: Path,
    functions: abc.Mapping[str, Callable[[Json, Tables], Any]],
    tables: Collection[str] | None = None,
) -> Mapping:
    """Read a mapping file.

    `functions` are those that it may name; `tables`, where given, the names of the tables that there will be at run
    time, so that an unknown one is found here. Raises MappingFileError for the first mistake in the file, and OSError.
    """
    spec, file = read_spec(path)
    plan = make_plan(spec, file, functions, tables)
    return Mapping(path, spec.entity, spec.system, spec.record, plan, spec.tables)


@dataclass
class _Output:
    """What the steps of one object made; `key` is where a list mapping puts it, if they say so."""

    document: dict[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass
class _Run:
    """One record on its way; collects the errors."""

    mode: Mode
    tables: Tables
    errors: list[MappingError] = field(default_factory=list)

    def fill(self, steps: tuple[Step, ...], scope: Scope, prefix: str) -> _Output:
        output = _Output()
        for step in steps:
            name = prefix + step.name
            try:
                self._apply(step, scope, name, output)
            except MappingError as error:
                self.errors.append(error)
            except MappingErrors as error:
                self.errors.extend(error.errors)
        return output

    def _apply(self, step: Step, scope: Scope, name: str, output: _Output) -> None:
        if step.when is not None and not isinstance(step.take, Each) and not _holds(step.when, scope):
            value = copy.deepcopy(step.default)
        else:
            value = self._value(step, scope, name)
        if value is MISSING:
            return
        targets = step.targets
        values = _parts(step, value, len(targets)) if step.split and len(targets) > 1 else [value]
        for target, part in zip(targets, values, strict=True):
            _set(output, target, part, name)

    def _value(self, step: Step, scope: Scope, name: str) -> Any:
        if isinstance(step.take, Each):
            return self._items(step, step.take.path, scope, name)
        taken = self._taken(step, scope, name)
        if taken is MISSING:
            return self._absent(step, scope, name, _where(step, scope))
        if step.children is not None:
            return self._inner(step, step.children, scope, taken, name)
        return taken if isinstance(step.take, Constant) else self._converted(step, taken, _where(step, scope), name)

    def _absent(self, step: Step, scope: Scope, name: str, where: str) -> Any:
        if step.default is not MISSING or step.optional:
            return copy.deepcopy(step.default)
        suggestion = "Give `default`, or `optional: true` to leave the field out, if this may happen."
        raise MappingError(name, where, None, "a value must be there", suggestion)

    def _inner(self, step: Step, children: tuple[Step, ...], scope: Scope, taken: object, name: str) -> dict[str, Any]:
        where = _where(step, scope)
        if not isinstance(taken, abc.Mapping):
            raise MappingError(name, where, taken, "`fields` need an object", "Map a single value without `fields`.")
        path = step.take.paths[0] if isinstance(step.take, From) else None
        inside = Scope(scope.root, taken, scope.keys, scope.at) if path is None else scope.into(path, taken)
        return self.fill(children, inside, f"{name}.").document

    def _items(self, step: Step, path: FieldPath, scope: Scope, name: str) -> Any:
        found = expand(scope, path)
        if found.missing and (not found.elements or not (step.optional or step.default is not MISSING)):
            return self._absent(step, scope, name, ", ".join(found.missing))
        keyed = any(target.start == KEY for child in step.children or () for target in child.targets)
        values: list[Any] = []
        by_key: dict[str, Any] = {}
        for element in found.elements:
            if step.when is not None and not _holds(step.when, element):
                continue
            inner = f"{name}.{'.'.join(element.keys[len(scope.keys) :])}"
            try:
                output = self._item(step, element, inner)
            except MappingError as error:
                self.errors.append(error)
                continue
            if not keyed:
                values.append(output.document)
            elif output.key is None or output.key in by_key:
                suggestion = "Every item needs a key of its own."
                self.errors.append(MappingError(inner, path.text, output.key, "items are put at their key", suggestion))
            else:
                by_key[output.key] = output.document
        return by_key if keyed else values

    def _item(self, step: Step, element: Scope, name: str) -> "_Output | _Scalar":
        where = element.at.rstrip(".")
        if step.children is None:
            return _Scalar(self._converted(step, element.here, where, name))
        if not isinstance(element.here, abc.Mapping):
            suggestion = "The path may lead to a link or a single value: look at the record."
            raise MappingError(name, where, element.here, "`fields` need an object", suggestion)
        return self.fill(step.children, element, f"{name}.")

    def _taken(self, step: Step, scope: Scope, name: str) -> Any:
        match step.take:
            case From(paths=(path,)):
                value = scope.get(path)
                # Shops give "" for a date that has not come and a number that nobody entered.
                blank = value == "" and step.conversion.type in _CONVERTED and step.lookup is None
                return MISSING if blank else value
            case From(paths=paths):
                return _joined(step, scope, paths, name)
            case Calculation() as calculation:
                return _calculated(calculation, scope, name)
            case Call(name=function_name, function=function):
                try:
                    value = function(scope.here, self.tables)
                except ValueError as error:
                    suggestion = "See the documentation of the function."
                    raise MappingError(
                        name, scope.at, None, f"function {function_name}: {error}", suggestion
                    ) from error
                return MISSING if value is None else value
            case Constant(value=value):
                return copy.deepcopy(value)
        raise AssertionError(f"lists are taken elsewhere: {step.take}")

    def _converted(self, step: Step, value: Any, where: str, name: str) -> Any:
        try:
            refuse_floats(value)
            if step.lookup is not None:
                table = self._table(step.lookup, where, name)
                look = _look_up if self.mode == "read" else _look_back
                return look(step, table, value)
            return step.conversion.read(value) if self.mode == "read" else step.conversion.write(value)
        except ConversionError as error:
            raise MappingError(name, where, value, error.rule, error.suggestion) from error

    def _table(self, table_name: str, where: str, name: str) -> abc.Mapping[str, str]:
        if table_name not in self.tables:
            suggestion = f"Declare a table {table_name} for this connection."
            raise MappingError(name, where, None, f"lookup {table_name}: there is no such table", suggestion)
        return self.tables[table_name]


def _look_up(step: Step, table: abc.Mapping[str, str], value: object) -> Any:
    known = table.get(to_text(value))
    if known is not None:
        return step.conversion.read(known)
    if step.otherwise is not MISSING:
        return step.otherwise
    suggestion = f"Add {to_text(value)!r} to the table {step.lookup}, or give `otherwise`."
    raise ConversionError(f"lookup {step.lookup}", suggestion)


def _look_back(step: Step, table: abc.Mapping[str, str], value: object) -> Any:
    text = to_text(value)
    keys = [key for key, known in table.items() if known == text]
    if len(keys) == 1:
        return step.conversion.wire(keys[0])
    rule = f"lookup {step.lookup}, backwards"
    if keys:
        shared = " and ".join(repr(key) for key in keys)
        raise ConversionError(rule, f"The keys {shared} share this value: leave it to one of them.")
    if step.otherwise is not MISSING:
        return step.otherwise
    if value == step.left_out:
        return MISSING
    raise ConversionError(rule, f"Give {text!r} a key in the table {step.lookup}.")


@dataclass
class _Scalar:
    """An element that is a single value."""

    document: Any
    key: str | None = None


def _set(output: _Output, target: FieldPath, value: Any, name: str) -> None:
    if target.start == KEY:
        output.key = to_text(value)
        return
    try:
        put(output.document, target, value)
    except ValueError as error:
        raise MappingError(name, target.text, value, str(error), "Declare positions in their order from 0.") from error


def _where(step: Step, scope: Scope) -> str:
    match step.take:
        case From(paths=paths) | Calculation(paths=paths):
            return ", ".join(scope.concrete(path) for path in paths)
    return scope.at.rstrip(".")


def _joined(step: Step, scope: Scope, paths: tuple[FieldPath, ...], name: str) -> Any:
    """The parts that are there and not blank, joined; a record that has none of the paths lacks the value."""
    parts = [(path, scope.get(path)) for path in paths]
    if all(part is MISSING for _, part in parts):
        return MISSING
    texts = []
    for path, part in parts:
        try:
            refuse_floats(part)
            texts.append("" if part is MISSING else to_text(part).strip())
        except ConversionError as error:
            raise MappingError(name, scope.concrete(path), part, error.rule, error.suggestion) from error
    return step.separator.join(text for text in texts if text)


def _parts(step: Step, value: str, count: int) -> list[str]:
    """Exactly `count` parts; where there are fewer words, blanks stand on the side of the rest."""
    text, most = value.strip(), count - 1
    found = text.split(step.separator, most) if step.split == "first_rest" else text.rsplit(step.separator, most)
    blanks = [""] * (count - len(found))
    parts = found + blanks if step.split == "first_rest" else blanks + found
    return [part.strip() for part in parts]


def _calculated(calculation: Calculation, scope: Scope, name: str) -> Any:
    values: dict[FieldPath, Decimal] = {}
    for path in calculation.paths:
        value = scope.get(path)
        if value is MISSING:
            return MISSING
        try:
            refuse_floats(value)
            values[path] = to_decimal(value)
        except ConversionError as error:
            raise MappingError(name, scope.concrete(path), value, error.rule, error.suggestion) from error
    try:
        return calculation.evaluate(values.__getitem__)
    except CalculationError as error:
        where = ", ".join(scope.concrete(path) for path in calculation.paths)
        shown = ", ".join(f"{path.text} = {value}" for path, value in values.items())
        raise MappingError(name, where, shown, str(error), "Guard it with `when`.") from error


def _holds(condition: Condition, scope: Scope) -> bool:
    value = scope.get(condition.path)
    if condition.present or condition.missing:
        return (value is MISSING) == bool(condition.missing)
    if "in_" in condition.model_fields_set:
        return any(_equals(value, expected) for expected in condition.in_ or ())
    if "is_" in condition.model_fields_set:
        return _equals(value, condition.is_)
    return not _equals(value, condition.is_not)


def _equals(value: object, expected: object) -> bool:
    if value is MISSING or expected is None:
        return value is MISSING and expected is None
    if isinstance(value, abc.Mapping | list | tuple):
        return False
    if isinstance(expected, int | Decimal) and not isinstance(expected, bool):
        try:
            return to_decimal(value) == expected
        except ConversionError:
            return False
    return to_text(value) == to_text(expected)
