"""Records of a system become fields of our entities."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines_tests.mapping.files import mapping_of

STATUSES = {"order_statuses": {"11": "open", "5": "cancelled"}}


def read(fields, payload, tables=None, **rest):
    return mapping_of(fields, **rest).read(payload, tables or {})


def errors_of(fields, payload, tables=None, **rest):
    with pytest.raises(MappingErrors) as caught:
        read(fields, payload, tables, **rest)
    return caught.value.errors


def test_a_bare_path_passes_the_value_as_it_is():
    assert read("currency: default_currency_code", {"default_currency_code": "GBP"}) == {"currency": "GBP"}


@pytest.mark.parametrize(
    ("declaration", "given", "expected"),
    [
        ("type: string", 101, "101"),
        ("type: string", True, "true"),
        ("type: string", Decimal("1.50"), "1.50"),
        ("type: integer", "2.0000", 2),
        ("type: integer", Decimal(7), 7),
        ("type: decimal", "69.8400", Decimal("69.8400")),
        ("type: decimal", 5, Decimal(5)),
        ("type: boolean", "False", False),
        ("type: boolean", 1, True),
        (
            "type: datetime, format: rfc2822",
            "Thu, 20 Apr 2017 11:32:00 -0400",
            datetime(2017, 4, 20, 15, 32, tzinfo=UTC),
        ),
        ("type: datetime", "2022-01-26T10:39:46.000-06:00", datetime(2022, 1, 26, 16, 39, 46, tzinfo=UTC)),
        ("type: datetime, format: epoch_seconds", 1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (
            "type: datetime, format: '%d/%m/%Y %H:%M', timezone: Europe/London",
            "01/07/2026 12:00",
            datetime(2026, 7, 1, 11, tzinfo=UTC),
        ),
        ("type: date", "2026-02-03", date(2026, 2, 3)),
        ("type: date, timezone: Europe/London", "2026-07-01T23:30:00Z", date(2026, 7, 2)),
        ("type: date, format: '%d.%m.%Y'", "03.02.2026", date(2026, 2, 3)),
    ],
)
def test_values_are_converted_to_the_declared_type(declaration, given, expected):
    value = read(f"x: {{from: a, {declaration}}}", {"a": given})["x"]
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("declaration", "given"),
    [
        ("type: integer", "2.5"),
        ("type: integer", True),
        ("type: decimal", "£5"),
        ("type: decimal", "1,000"),
        ("type: decimal", "NaN"),
        ("type: decimal", "1e9999"),
        ("type: boolean", "Y"),
        ("type: string", {"a": 1}),
        ("type: datetime", "2026-02-03T10:00:00"),
        ("type: datetime", "yesterday"),
        ("type: datetime, format: rfc2822", "2026-02-03"),
        ("type: date", 20260203),
    ],
)
def test_a_value_of_another_type_is_an_error_with_its_place_and_a_suggestion(declaration, given):
    (error,) = errors_of(f"x: {{from: a.b, {declaration}}}", {"a": {"b": given}})
    assert (error.field, error.path, error.value) == ("x", "a.b", given)
    assert error.rule.startswith(("type ", declaration.split(",")[0].removeprefix("type: ")))
    assert error.suggestion
    assert error.waiting_for is None


def test_a_float_is_refused_wherever_it_hides():
    (error,) = errors_of("options: raw", {"raw": {"sizes": [{"width": 0.1}]}})
    assert error.rule == "numbers are never floats"


@pytest.mark.parametrize("record", [{}, {"note": None}])
def test_a_missing_or_null_value_takes_the_default_or_is_left_out_or_is_an_error(record):
    assert read('note: {from: note, default: ""}', record) == {"note": ""}
    assert read("note: {from: note, default: null}", record) == {"note": None}
    assert read("note: {from: note, optional: true}", record) == {}
    (error,) = errors_of("note: note", record)
    assert error.rule == "a value must be there"


def test_a_default_has_the_declared_type():
    value = read("fee: {from: fee, type: decimal, default: 0.10}", {})["fee"]
    assert (value, type(value)) == (Decimal("0.10"), Decimal)


def test_an_empty_text_is_no_date_and_no_number_but_still_a_text():
    shipped = "shipped_at: {from: date_shipped, type: datetime, format: rfc2822, optional: true}"
    assert read(shipped, {"date_shipped": ""}) == {}
    assert read("note: note", {"note": ""}) == {"note": ""}


def test_defaults_are_not_shared_between_records():
    mapping = mapping_of("options: {from: options, default: {}}\ntags: {from: tags, default: []}")
    mapping.read({}, {})["options"]["colour"] = "red"
    mapping.read({}, {})["tags"].append("new")
    assert mapping.read({}, {}) == {"options": {}, "tags": []}


def test_a_lookup_compares_keys_as_text():
    field = "status: {from: status_id, lookup: order_statuses}"
    assert read(field, {"status_id": 11}, STATUSES) == {"status": "open"}
    assert read(field, {"status_id": "5"}, STATUSES) == {"status": "cancelled"}


def test_an_unknown_key_is_an_error_unless_otherwise_is_given():
    (error,) = errors_of("status: {from: status_id, lookup: order_statuses}", {"status_id": 99}, STATUSES)
    assert (error.value, error.rule) == (99, "lookup order_statuses")
    assert "'99'" in error.suggestion
    field = "status: {from: status_id, lookup: order_statuses, otherwise: open}"
    assert read(field, {"status_id": 99}, STATUSES) == {"status": "open"}


def test_a_table_that_the_connection_lacks_is_an_error_of_the_field():
    (error,) = errors_of("status: {from: status_id, lookup: order_statuses}", {"status_id": 99})
    assert "no such table" in error.rule


def test_a_table_of_the_file_may_be_written_with_yaml_words():
    field = "taxed: {from: taxed, lookup: words, type: boolean}"
    mapping = mapping_of(field, tables="words: {YES: true, NO: false}")
    assert mapping.read({"taxed": "NO"}, {}) == {"taxed": False}


def test_several_values_are_joined_without_gaps_for_the_blank_ones():
    field = "name: {from: [first, last], join: ' '}"
    assert read(field, {"first": " Ann ", "last": "Example"}) == {"name": "Ann Example"}
    assert read(field, {"first": "", "last": "Example"}) == {"name": "Example"}
    (error,) = errors_of(field, {"first": None})
    assert error.path == "first, last"


@pytest.mark.parametrize(
    ("split", "name", "expected"),
    [
        ("first_rest", "Ann Mary Example", ("Ann", "Mary Example")),
        ("last", "Ann Mary Example", ("Ann Mary", "Example")),
        ("first_rest", "Cher", ("Cher", "")),
        ("last", "Cher", ("", "Cher")),
    ],
)
def test_one_value_is_split_into_several(split, name, expected):
    entity = read(f"names: {{from: full, to: [first_name, last_name], split: {split}}}", {"full": name})
    assert (entity["first_name"], entity["last_name"]) == expected


def test_several_declarations_fill_one_object():
    fields = """
        billing.name: {from: [address.first, address.last], join: " "}
        billing:
          from: address
          fields: {line1: street_1, city: city}
    """
    address = {"first": "Ann", "last": "Example", "street_1": "1 Sample St", "city": "Bristol"}
    expected = {"name": "Ann Example", "line1": "1 Sample St", "city": "Bristol"}
    assert read(fields, {"address": address}) == {"billing": expected}


CONSIGNMENTS = {
    "currency": "GBP",
    "consignments": {
        "shipping": [
            {"line_items": [{"id": 1, "qty": 2, "type": "physical"}, {"id": 2, "qty": 1, "type": "digital"}]},
            {"line_items": [{"id": 3, "qty": 4, "type": "physical"}]},
        ]
    },
}


def test_nested_lists_are_flattened_to_one_list_of_lines():
    fields = """
        lines:
          each: consignments.shipping.*.line_items.*
          when: {path: type, is: physical}
          fields: {key: {from: id, type: string}, quantity: qty, currency: $root.currency, place: $key.0}
    """
    assert read(fields, CONSIGNMENTS)["lines"] == [
        {"key": "1", "quantity": 2, "currency": "GBP", "place": "0"},
        {"key": "3", "quantity": 4, "currency": "GBP", "place": "1"},
    ]


def test_the_values_of_an_object_are_a_list_too_and_their_key_is_known():
    fields = "lines: {each: orderRows.*, fields: {key: $key, quantity: {from: quantity.magnitude, type: integer}}}"
    rows = {"9101": {"quantity": {"magnitude": "2.0000"}}, "9102": {"quantity": {"magnitude": "1.0000"}}}
    assert read(fields, {"orderRows": rows})["lines"] == [
        {"key": "9101", "quantity": 2},
        {"key": "9102", "quantity": 1},
    ]


def test_a_list_of_single_values_is_converted_item_by_item():
    assert read("tags: {each: tags.*, type: string}", {"tags": [1, "b"]}) == {"tags": ["1", "b"]}
    (error,) = errors_of("tags: {each: tags.*, type: integer}", {"tags": [1, "b"]})
    assert (error.field, error.path) == ("tags.1", "tags.1")


def test_an_empty_list_is_a_list_and_a_missing_one_is_not():
    assert read("tags: {each: tags.*}", {"tags": []}) == {"tags": []}
    (error,) = errors_of("tags: {each: tags.*}", {})
    assert error.path == "tags"
    assert read("tags: {each: tags.*, default: []}", {}) == {"tags": []}
    assert read("tags: {each: tags.*, optional: true}", {}) == {}


def test_a_list_that_is_a_link_in_one_of_the_branches_is_an_error_not_a_shorter_list():
    record = {"shipping": [{"items": [{"id": 1}]}, {"items": {"url": "https://shop/items", "resource": "/items"}}]}
    errors = errors_of("lines: {each: shipping.*.items.*, fields: {key: id}}", record)
    assert [error.path for error in errors] == ["shipping.1.items.url", "shipping.1.items.resource"]


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("is: 0", "0.0000", True),
        ("is: 0", 0, True),
        ("is: 0", "none", False),
        ("is_not: 0", 7, True),
        ("is: true", True, True),
        ("is: 'yes'", "yes", True),
        ("in: [a, b]", "b", True),
        ("in: [a, b]", "c", False),
        ("present: true", "x", True),
        ("present: true", None, False),
        ("missing: true", None, True),
        ("is: null", None, True),
        ("is_not: x", None, True),
        ("is: x", ["x"], False),
    ],
)
def test_a_condition_decides_between_the_value_and_the_default(condition, value, holds):
    field = f"group: {{from: group, when: {{path: a, {condition}}}, default: none}}"
    assert read(field, {"group": "trade", "a": value}) == {"group": "trade" if holds else "none"}


def test_a_condition_that_fails_without_a_default_leaves_the_field_out():
    assert read("group: {from: group, when: {path: a, present: true}}", {"group": "trade"}) == {}


def test_a_calculation_works_on_decimals_in_the_record():
    record = {"totals": {"net": "0.10", "tax": Decimal("0.20")}}
    value = read("gross: {calculate: totals.net + totals.tax, type: decimal}", record)["gross"]
    assert (value, type(value)) == (Decimal("0.30"), Decimal)


def test_a_calculation_without_a_result_names_the_values():
    (error,) = errors_of("unit: {calculate: net / quantity}", {"net": "5.00", "quantity": 0})
    assert error.value == "net = 5.00, quantity = 0"


def test_a_calculation_with_a_word_for_a_number_names_its_path():
    (error,) = errors_of("unit: {calculate: net / quantity}", {"net": "5.00", "quantity": "many"})
    assert (error.path, error.value) == ("quantity", "many")


def test_a_named_function_gets_the_record_and_the_tables():
    def both(payload, tables):
        return f"{payload['id']} {tables['order_statuses']['11']}"

    assert read("x: {function: both}", {"id": 5}, STATUSES, functions={"both": both}) == {"x": "5 open"}


def test_a_function_may_refuse_a_record_but_its_bugs_are_not_hidden():
    def refusing(payload, tables):
        raise ValueError("no lines")

    (error,) = errors_of("x: {function: refusing}", {}, functions={"refusing": refusing})
    assert error.rule == "function refusing: no lines"
    with pytest.raises(KeyError):
        read("x: {function: broken}", {}, functions={"broken": lambda payload, tables: payload["id"]})


def test_a_constant_is_the_same_for_every_record():
    assert read('kind: {value: "SO"}', {}) == {"kind": "SO"}


def test_all_errors_of_a_record_are_reported_together():
    fields = """
        number: id
        placed_at: {from: created, type: datetime}
        lines: {each: rows.*, fields: {net: {from: net, type: decimal}, tax: {from: tax, type: decimal}}}
    """
    record = {"created": "?", "rows": [{"net": "x", "tax": "1"}, {"net": "1"}]}
    errors = errors_of(fields, record)
    assert [(error.field, error.path) for error in errors] == [
        ("number", "id"),
        ("placed_at", "created"),
        ("lines.0.net", "rows.0.net"),
        ("lines.1.tax", "rows.1.tax"),
    ]


def test_keys_with_dots_are_quoted():
    record = {"@odata.etag": "W/1", "a": {"b.c": 1}}
    fields = """
        etag: '"@odata.etag"'
        x: 'a."b.c"'
    """
    assert read(fields, record) == {"etag": "W/1", "x": 1}


def test_the_sources_list_every_field_with_its_paths_and_line():
    fields = """
        number: id
        gross: {calculate: net + tax}
        lines:
          each: consignments.*.items.*
          when: {path: type, is: physical}
          fields:
            price: {from: price.value, type: decimal}
            currency: $root.currency
        kind: {write: {to: orderType, value: SO}}
    """
    sources = mapping_of(fields).sources()
    assert [(source.field, source.paths, source.line) for source in sources] == [
        ("number", ("id",), 5),
        ("gross", ("net", "tax"), 6),
        ("lines", ("consignments.*.items.*", "consignments.*.items.*.type"), 7),
        ("lines.price", ("consignments.*.items.*.price.value",), 11),
        ("lines.currency", ("currency",), 12),
        ("kind", ("orderType",), 13),
    ]
