"""What a mapping file may say: pydantic models of it, and errors with the line for what it may not.

    entity: order               our entity
    system: bigcommerce
    record: orders              the stream that is read, or the resource that is written
    direction: both             read, write or both; what the fields are where they do not say it themselves
    tables:                     lookup tables: the system's value to ours
      yes_no: {Y: "true", N: "false"}
    fields:
      number: {from: id, type: string}      our field, and how it comes from the record

What each key of a field means is said on the models below.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from brightpearl_pipelines.mapping import calculate
from brightpearl_pipelines.mapping.calculate import Calculation, CalculationSyntaxError, parse_calculation
from brightpearl_pipelines.mapping.convert import INSTANT_FORMATS, NAMED_FORMATS, TypeName, WrittenAs
from brightpearl_pipelines.mapping.errors import MappingFileError
from brightpearl_pipelines.mapping.paths import SYNTAX, FieldPath, PathSyntaxError, parse_path
from brightpearl_pipelines.mapping.yaml_lines import Location, YamlFile

Direction = Literal["read", "write", "both"]
Split = Literal["first_rest", "last"]


def _path(value: object) -> FieldPath:
    if isinstance(value, str):
        return parse_path(value)
    raise PathSyntaxError(str(value), 0)


def _calculation(value: object) -> Calculation:
    # A bare number is a calculation too, and YAML has read it as one already.
    return parse_calculation(str(value))


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:  # all three, depending on how wrong the name is
        raise ValueError("not a time zone") from error


def _format(value: object) -> str:
    pattern = str(value)
    if pattern not in NAMED_FORMATS:
        sample = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
        try:
            read = datetime.strptime(sample.strftime(pattern), pattern)  # noqa: DTZ007 - only the day matters here
        except ValueError as error:
            raise ValueError("not a format") from error
        if read.month != sample.month:
            raise ValueError("not a format of days or instants")
    return pattern


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _spelled_out(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


def _words(value: object) -> object:
    """Tables hold text: `11: open` and `true: "Y"` are meant as "11" and "true"."""
    if not isinstance(value, dict):
        return value
    return {_word(key): _word(word) for key, word in value.items()}


def _word(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if value is not None and not isinstance(value, dict | list) else value


PathText = Annotated[FieldPath, PlainValidator(_path)]
Paths = Annotated[list[PathText], BeforeValidator(_listed), Field(min_length=1)]
Table = Annotated[dict[str, str], BeforeValidator(_words)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


class Condition(_Spec):
    """Whether the value at `path` is, is not, is one of, is there, or is missing (null counts as missing).

    Values are compared as numbers where the file gives a number ("0.0000" is 0), as text otherwise.
    """

    path: PathText
    is_: Any = Field(default=None, alias="is")
    is_not: Any = None
    in_: Annotated[list[Any] | None, Field(alias="in")] = None
    present: Literal[True] | None = None
    missing: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if len(self.model_fields_set) != 2:
            raise ValueError("a condition has a path and exactly one test")
        return self


class Rule(_Spec):
    """How one value is made. Exactly one of `from`, `each`, `calculate`, `function` and `value` says of what."""

    from_: Paths | None = Field(default=None, alias="from")
    """One path, or several that `join` puts together."""
    each: PathText | None = None
    """A path that ends in `*`: a list with one item per element, made by `fields` or converted by `type`."""
    calculate: Annotated[Calculation, PlainValidator(_calculation)] | None = None
    function: str | None = None
    """A named Python function, called with (document or element, tables)."""
    value: Any = None
    """A constant."""

    fields: dict[str, "FieldSpecText"] | None = None
    """Of `from` (an object) or `each`: the fields inside, with paths from there."""
    to: Paths | None = None
    """Of `split`: our fields that take the parts. In `write`: the system's paths that take the value."""
    join: str | None = None
    split: Split | None = None
    """`first_rest`: one word, then the rest; `last`: all but one word, then that."""
    when: Condition | None = None
    """If it does not hold: the default, or no field. With `each` it chooses the elements."""
    lookup: str | None = None
    otherwise: Any = None
    """What a value becomes that the table does not know; without it such a value is an error."""
    default: Any = None
    """What a missing or null value becomes: a value of ours, of the declared `type`, not looked up.

    For the types other than string "" counts as missing. Turned round, the default is written as it is, or left out
    where a table has no key for it.
    """
    optional: bool = False
    """A missing value leaves the field out."""
    type: TypeName | None = None
    format: Annotated[str, PlainValidator(_format)] | None = None
    timezone: Zone | None = None
    scale: Annotated[int, Field(ge=0, le=12)] | None = None
    """Decimals to write; more decimals than that are an error, not rounded."""
    write_as: WrittenAs | None = None
    """The JSON type to write, where it is not that of `type` (decimals are written as text)."""

    def has(self, key: str) -> bool:
        """Whether the file gives this key."""
        return key in self.model_fields_set


class FieldSpec(Rule):
    """A field of our entity: how it is read, and, where that cannot be turned round, how it is written."""

    direction: Direction | None = None
    write: Rule | None = None
    """The counterpart: `from` and the others are paths in our entity, `to` in the system's document."""


FieldSpecText = Annotated[FieldSpec, BeforeValidator(_spelled_out)]


class MappingSpec(_Spec):
    """A whole file."""

    entity: Annotated[str, Field(min_length=1)]
    system: Annotated[str, Field(min_length=1)]
    record: Annotated[str, Field(min_length=1)]
    direction: Direction = "both"
    tables: dict[str, Table] = {}
    fields: Annotated[dict[str, FieldSpecText], Field(min_length=1)]


def read_spec(path: Path) -> tuple[MappingSpec, YamlFile]:
    """Read and check a mapping file by itself. Raises MappingFileError for the first mistake in it."""
    file = YamlFile(path)
    if not isinstance(file.value, dict):
        raise file.error((), "not a mapping file", "the keys " + _keys(MappingSpec))
    try:
        return MappingSpec.model_validate(file.value), file
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise min((_explain(file, detail) for detail in details), key=_position) from error


def _position(error: MappingFileError) -> tuple[int, int]:
    return error.line, error.column


def _explain(file: YamlFile, detail: Any) -> MappingFileError:
    location: Location = tuple(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    match detail["type"]:
        case "extra_forbidden":
            return file.error(location, "unknown key", _keys(_model_at(location)), key=True)
        case "missing":
            return file.error(location[:-1], f"{location[-1]!r} is missing", _keys(_model_at(location)))
        case "literal_error":
            return file.error(location, "unknown word", str(detail["ctx"]["expected"]))
    if isinstance(cause, PathSyntaxError):
        return file.error(location, str(cause), SYNTAX, offset=cause.offset)
    if isinstance(cause, CalculationSyntaxError):
        return file.error(location, str(cause), calculate.ALLOWED, offset=cause.offset)
    return file.error(location, str(cause or detail["msg"]), _allowed(location))


def _allowed(location: Location) -> str:
    texts = {
        "when": "path with exactly one of is, is_not, in, present: true, missing: true",
        "format": INSTANT_FORMATS,
        "timezone": "names of the time zone database, such as Europe/London",
        "optional": "true or false",
        "scale": "a whole number from 0 to 12",
        "tables": "names of tables, each with pairs of the system's value and ours",
        "from": SYNTAX,
        "calculate": calculate.ALLOWED,
    }
    last = next((str(step) for step in reversed(location) if str(step) in texts), "")
    return texts.get(last, "a path, or the keys " + _keys(FieldSpec))


def _model_at(location: Location) -> type[BaseModel]:
    """The model whose key the last step of a location is; a name after `fields` is a field, whatever it is called."""
    model: type[BaseModel] = MappingSpec
    steps = iter(location[:-1])
    for step in steps:
        if step == "fields":
            model = FieldSpec if next(steps, None) is not None else model
        elif step == "write":
            model = Rule
        elif step == "when":
            model = Condition
    return model


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(field.alias or name for name, field in model.model_fields.items())
