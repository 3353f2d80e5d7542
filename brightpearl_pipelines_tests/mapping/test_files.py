"""A mistake in a mapping file is found when it is loaded, and pointed at."""

import pytest

from brightpearl_pipelines.mapping import MappingFileError, load_mapping
from brightpearl_pipelines_tests.mapping.files import HEAD


def mistake(tmp_path, text, functions=(), tables=None):
    path = tmp_path / "orders.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        load_mapping(path, dict.fromkeys(functions, lambda payload, known: None), tables)
    assert caught.value.file == path
    assert caught.value.allowed
    assert str(caught.value).startswith(f"{path}:{caught.value.line}:{caught.value.column}: ")
    return caught.value


CASES = {
    "an unknown key of a field": ("  a: {from: b, tipe: string}", 5, 16, "tipe", "unknown key", "type"),
    "an unknown key of a nested field": (
        "  a:\n    from: b\n    fields:\n      c: {form: d}",
        8,
        11,
        "form",
        "unknown key",
        "from",
    ),
    "an unknown key of a condition": (
        "  a: {from: b, when: {path: c, equals: 1}}",
        5,
        32,
        "equals",
        "unknown key",
        "is_not",
    ),
    "an unknown key of a field called when": ("  when: {from: b, tipe: string}", 5, 19, "tipe", "unknown key", "type"),
    "an unknown type": ("  a: {from: b, type: text}", 5, 22, "text", "unknown word", "decimal"),
    "an unknown split": ("  a: {from: [b, c], join: ' ', split: words}", 5, 39, "words", "unknown word", "first_rest"),
    "an unknown time zone": (
        "  a: {from: b, type: date, timezone: Mars}",
        5,
        38,
        "Mars",
        "not a time zone",
        "Europe/London",
    ),
    "an unknown function": ("  a: {function: g}", 5, 17, "g", "unknown function", "f"),
    "an unknown table": ("  a: {from: b, lookup: t}", 5, 24, "t", "unknown table", "known"),
    "a path with a gap": ("  a: b..c", 5, 8, "b..c", "not a path", "divided by dots"),
    "a path in a list": ("  a:\n    from: [b, 'c d']\n    join: ''", 6, 17, "c d", "not a path", "divided by dots"),
    "a path with an unknown start": ("  a: $parent.b", 5, 6, "$parent.b", "not a path", "$root"),
    "a name with a gap": ("  a..b: c", 5, 5, "a..b", "not a path", "divided by dots"),
    "a name with a wildcard": ("  a.*: c", 5, 3, "a.*", "not one place", "without *"),
    "a wildcard outside of each": ("  a: {from: b.*.c}", 5, 7, "from", "does not fit", "each"),
    "an each that ends in no wildcard": ("  a: {each: b}", 5, 7, "each", "does not fit", "ends in *"),
    "a calculation that calls": ("  a: {calculate: b + open(c)}", 5, 22, "b + open(c)", "not part of", "max()"),
    "a calculation that does not parse": (
        "  a: {calculate: 2 * (b + c}",
        5,
        22,
        "2 * (b + c",
        "not a calculation",
        "max()",
    ),
    "two origins": ("  a: {from: b, value: c}", 5, 3, "a", "from and value together", "exactly one of"),
    "no origin": ("  a: {type: string}", 5, 6, "{type}", "nothing says", "exactly one of"),
    "several paths without join": ("  a: {from: [b, c]}", 5, 7, "from", "does not fit", "join"),
    "a scale of a text": ("  a: {from: b, scale: 2}", 5, 16, "scale", "does not fit", "type: decimal"),
    "a scale below zero": ("  a: {from: b, type: decimal, scale: -1}", 5, 38, "-1", "greater than or equal", "0 to 12"),
    "a format of a text": ("  a: {from: b, format: iso8601}", 5, 16, "format", "does not fit", "datetime"),
    "an unknown format": ("  a: {from: b, type: datetime, format: rfc822}", 5, 40, "rfc822", "not a format", "iso8601"),
    "a format that does not parse": (
        "  a: {from: b, type: date, format: '%d %Q'}",
        5,
        36,
        "%d %Q",
        "not a format",
        "strptime",
    ),
    "a format of instants for a day": (
        "  a: {from: b, type: date, format: rfc2822}",
        5,
        28,
        "format",
        "does not fit",
        "pattern",
    ),
    "an otherwise without lookup": ("  a: {from: b, otherwise: c}", 5, 16, "otherwise", "does not fit", "lookup"),
    "a to without split": ("  a: {from: b, to: [c, d]}", 5, 16, "to", "does not fit", "split"),
    "a condition with two tests": (
        "  a: {from: b, when: {path: c, is: 1, is_not: 2}}",
        5,
        22,
        "{path, is, is_not}",
        "exactly one",
        "missing: true",
    ),
    "a default of another type": (
        "  a: {from: b, type: integer, default: many}",
        5,
        40,
        "many",
        "not a value",
        "whole number",
    ),
    "the same field twice": ("  a: b\n  c: d\n  a: e", 7, 3, "a", "already declared in line 5", "once"),
    "the same place from two fields": (
        "  a.b: c\n  a: {from: d, fields: {e: f, b: g}}",
        6,
        31,
        "b",
        "a.b in line 5",
        "one field for each place",
    ),
    "a place inside the place of another": ("  a: b\n  a.c: d", 6, 3, "a.c", "a in line 5", "one field for each place"),
    "the same place to write twice": ("  a: b\n  c: b", 6, 3, "c", "a in line 5", "direction: read"),
    "the same place in a list twice": (
        "  a:\n    each: b.*\n    fields:\n      c: d\n      e: d",
        9,
        7,
        "e",
        "c in line 8",
        "direction: read",
    ),
    "a counterpart without a place": ("  a: {write: {value: 1}}", 5, 14, "{value}", "not clear", "to"),
    "a direction inside a counterpart": (
        "  a: {write: {to: b, each: c.*, fields: {d: {from: e, direction: read}}}}",
        5,
        55,
        "direction",
        "inside",
        "no such key",
    ),
    "yaml that ends too early": ("  a: {from: b", 6, 1, "", "expected", "YAML"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_mistake_is_named_with_line_column_text_and_what_is_allowed(tmp_path, case):
    fields, line, column, text, problem, allowed = CASES[case]
    error = mistake(tmp_path, f"{HEAD}fields:\n{fields}\n", functions=["f"], tables={"known"})
    assert (error.line, error.column, error.text) == (line, column, text)
    assert problem in error.problem
    assert allowed in error.allowed


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("", 1, 1, "empty"),
        ("- a\n", 1, 1, "not a mapping file"),
        ("entity: order\nsystem: shop\nfields: {a: b}\n", 1, 1, "'record' is missing"),
        (HEAD + "fields: {}\n", 4, 9, "at least 1 item"),
        (HEAD + "tabels: {}\nfields: {a: b}\n", 4, 1, "unknown key"),
        (HEAD + "direction: out\nfields: {a: b}\n", 4, 12, "unknown word"),
        (HEAD + "tables: {t: {1: [a]}}\nfields: {a: b}\n", 4, 17, "valid string"),
        ("entity: a\n  system: b\n", 2, 9, "not allowed"),
        ("entity: &a order\nsystem: *a\n", 1, 9, "alias"),
        ("entity: &a [*a]\n", 1, 9, "alias"),
        ("entity: !!timestamp order\n", 1, 9, "tag"),
        ("entity: order\nsystem: sh\x00op\n", 2, 11, "control character"),
        ("entity: order\n? [system]\n: shop\n", 2, 3, "no text"),
    ],
)
def test_a_mistake_in_the_frame_of_the_file_is_found_too(tmp_path, text, line, column, problem):
    error = mistake(tmp_path, text)
    assert (error.line, error.column) == (line, column)
    assert problem in error.problem


def test_a_file_in_another_encoding_is_pointed_at_where_it_stops_being_text(tmp_path):
    path = tmp_path / "orders.yaml"
    path.write_bytes("entity: order\nsystem: Café\n".encode("latin-1"))
    with pytest.raises(MappingFileError) as caught:
        load_mapping(path, {})
    assert (caught.value.line, caught.value.column, caught.value.problem) == (2, 12, "not UTF-8 text")


def test_of_several_mistakes_the_first_in_the_file_is_named(tmp_path):
    error = mistake(tmp_path, f"{HEAD}fields:\n  a: {{from: b, type: text}}\n  c: {{form: d}}\n")
    assert error.line == 5


def test_tables_known_only_at_run_time_are_not_asked_for_at_load(tmp_path):
    path = tmp_path / "orders.yaml"
    path.write_text(f"{HEAD}fields:\n  a: {{from: b, lookup: later}}\n")
    assert load_mapping(path, {}).read({"b": 1}, {"later": {"1": "one"}}) == {"a": "one"}
