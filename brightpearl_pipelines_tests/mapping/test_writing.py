"""Entities become documents of a system, and what is turned round says the same in both directions."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightpearl_pipelines.entities.models import Customer, OrderStatus
from brightpearl_pipelines.mapping import MappingErrors, MappingFileError
from brightpearl_pipelines_tests.mapping.files import HEAD, mapping_of

TABLES = {
    "statuses": {"11": "open", "5": "cancelled", "2": "shipped"},
    "colours": {"1": "red", "2": "red", "3": "blue"},
}

texts = st.text(max_size=20)
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
names = st.lists(words, min_size=1, max_size=4).map(" ".join)
amounts = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4)
instants = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
seconds = instants.map(lambda instant: instant.replace(microsecond=0))
days = st.dates(min_value=date(1000, 1, 1), max_value=date(9999, 12, 30))


def written(mapping, entity):
    """The document as it goes over the wire and comes back."""
    document = mapping.write(entity, TABLES)
    return json.loads(json.dumps(document, default=_number), parse_float=Decimal)


def _number(value):
    assert isinstance(value, Decimal)
    return int(value) if value == value.to_integral_value() else str(value)


KINDS = [
    ("x: a", texts),
    ("x: {from: a.b.c, type: string}", texts),
    ("x: {from: a, type: string, write_as: integer}", st.integers().map(str)),
    ("x: {from: a, type: integer}", st.integers()),
    ("x: {from: a, type: integer, write_as: string}", st.integers()),
    ("x: {from: a, type: decimal}", amounts),
    ("x: {from: a, type: decimal, scale: 4}", amounts),
    ("x: {from: a, type: decimal, write_as: number}", amounts),
    ("x: {from: a, type: boolean}", st.booleans()),
    ("x: {from: a, type: boolean, write_as: integer}", st.booleans()),
    ("x: {from: a, type: boolean, write_as: string}", st.booleans()),
    ("x: {from: a, type: datetime}", instants),
    ("x: {from: a, type: datetime, timezone: America/New_York}", instants),
    ("x: {from: a, type: datetime, format: rfc2822}", seconds),
    ("x: {from: a, type: datetime, format: epoch_seconds}", seconds),
    ("x: {from: a, type: datetime, format: '%Y/%m/%d %H:%M:%S', timezone: UTC}", seconds),
    ("x: {from: a, type: datetime, format: '%Y-%m-%dT%H:%M:%S%z', timezone: Europe/London}", seconds),
    ("x: {from: a, type: date}", days),
    ("x: {from: a, type: date, format: '%d/%m/%Y'}", days),
    ("x: {from: a, lookup: statuses}", st.sampled_from(["open", "cancelled", "shipped"])),
    ("x: {from: a, lookup: statuses, write_as: integer, otherwise: open}", st.sampled_from(["open", "shipped"])),
    ("x: {from: a, lookup: words, type: boolean}", st.booleans()),
    ("x: {from: [a, b], join: ' ', split: first_rest}", names),
    ("x: {from: [a, b.c, d], join: ' ', split: last}", names),
    ("x: {from: [a, b], join: ', ', split: last}", names),
    ("x: {from: a, fields: {y: {from: b, type: decimal}, z: c}}", st.fixed_dictionaries({"y": amounts, "z": texts})),
    ("x: {each: a.*, type: decimal}", st.lists(amounts)),
    (
        "x: {each: a.b.*, fields: {y: {from: c, type: integer}, z: d.e}}",
        st.lists(st.fixed_dictionaries({"y": st.integers(), "z": texts})),
    ),
    (
        "x: {each: a.*, fields: {id: $key, z: d}}",
        st.lists(st.fixed_dictionaries({"id": words, "z": texts}), unique_by=lambda item: item["id"]),
    ),
    ("x: {each: a.*, fields: {y: {each: b.*, type: string}}}", st.lists(st.fixed_dictionaries({"y": st.lists(texts)}))),
    ('x: {from: a, default: ""}', texts),
    ('x: {from: a, lookup: statuses, default: ""}', st.sampled_from(["open", "cancelled", ""])),
]


@pytest.mark.parametrize(("field", "values"), KINDS, ids=[field for field, _ in KINDS])
def test_reading_what_was_written_gives_the_same_value(field, values):
    mapping = mapping_of(field, tables="words: {INC: true, EXC: false}")

    @given(values)
    def law(value):
        read = mapping.read(written(mapping, {"x": value}), TABLES)["x"]
        assert (read, type(read)) == (value, type(value))

    law()


@given(st.lists(words, max_size=4).map(" ".join))
def test_splitting_after_joining_what_was_split_gives_the_same_parts(name):
    for way in ("first_rest", "last"):
        mapping = mapping_of(f"names: {{from: full, to: [first, last], split: {way}}}")
        parts = mapping.read({"full": name}, {})
        assert mapping.read(mapping.write(parts, {}), {}) == parts


@given(
    st.fixed_dictionaries(
        {"number": words, "placed_at": seconds, "status": st.sampled_from(["open", "cancelled"]), "total": amounts},
        optional={"note": texts},
    )
)
def test_a_whole_record_goes_out_and_comes_back(entity):
    fields = """
        number: {from: ref}
        placed_at: {from: dates.placed, type: datetime, format: rfc2822}
        status: {from: state.id, lookup: statuses, write_as: integer}
        total: {from: total, type: decimal, scale: 4}
        note: {from: note, optional: true}
    """
    mapping = mapping_of(fields)
    assert mapping.read(written(mapping, entity), TABLES) == entity


def test_values_are_written_alike_whether_python_or_as_the_store_keeps_them():
    fields = """
        at: {from: at, type: datetime, format: rfc2822}
        day: {from: day, type: date, format: '%d/%m/%Y'}
        net: {from: net, type: decimal, scale: 2}
        status: {from: status, lookup: statuses}
    """
    mapping = mapping_of(fields)
    python = {
        "at": datetime(2026, 2, 3, 11, tzinfo=ZoneInfo("Europe/Berlin")),
        "day": date(2026, 2, 3),
        "net": Decimal("1.5"),
        "status": OrderStatus.OPEN,
    }
    stored = {"at": "2026-02-03T10:00:00Z", "day": "2026-02-03", "net": "1.5", "status": "open"}
    expected = {"at": "Tue, 03 Feb 2026 10:00:00 +0000", "day": "03/02/2026", "net": "1.50", "status": "11"}
    assert mapping.write(python, TABLES) == mapping.write(stored, TABLES) == expected


def test_an_entity_of_ours_is_written_from_its_dump():
    customer = Customer(first_name="Ann", last_name="Example", email="ann@example.com")
    fields = """
        first_name: firstName
        last_name: lastName
        email: communication.emails.PRI.email
        tags: {direction: read, value: []}
    """
    assert mapping_of(fields).write(customer.model_dump(), {}) == {
        "firstName": "Ann",
        "lastName": "Example",
        "communication": {"emails": {"PRI": {"email": "ann@example.com"}}},
    }


def test_items_of_the_same_key_are_an_error_not_one_item():
    mapping = mapping_of("lines: {each: rows.*, fields: {id: $key, net: net}}")
    assert mapping.write({"lines": [{"id": 7, "net": "1"}]}, {}) == {"rows": {"7": {"net": "1"}}}
    with pytest.raises(MappingErrors) as caught:
        mapping.write({"lines": [{"id": 7, "net": "1"}, {"id": "7", "net": "2"}]}, {})
    assert [(error.field, error.value) for error in caught.value.errors] == [("lines.1", "7")]


def test_positions_in_a_path_make_a_list():
    fields = "line1: addresses.0.street\ncity: addresses.0.city\nother: addresses.1.street"
    assert mapping_of(fields).write({"line1": "1 St", "city": "Bath", "other": "2 St"}, {}) == {
        "addresses": [{"street": "1 St", "city": "Bath"}, {"street": "2 St"}]
    }


def test_more_decimals_than_the_scale_are_refused_not_rounded():
    with pytest.raises(MappingErrors) as caught:
        mapping_of("net: {from: net, type: decimal, scale: 2}").write({"net": Decimal("1.005")}, {})
    assert caught.value.errors[0].rule == "scale 2"


def test_an_ambiguous_value_cannot_be_written_and_both_keys_are_named():
    mapping = mapping_of("x: {from: a, lookup: colours}")
    assert mapping.write({"x": "blue"}, TABLES) == {"a": "3"}
    with pytest.raises(MappingErrors) as caught:
        mapping.write({"x": "red"}, TABLES)
    assert "'1' and '2'" in caught.value.errors[0].suggestion


def test_a_value_that_no_key_stands_for_cannot_be_written():
    with pytest.raises(MappingErrors) as caught:
        mapping_of("x: {from: a, lookup: statuses}").write({"x": "lost"}, TABLES)
    assert "'lost'" in caught.value.errors[0].suggestion


@pytest.mark.parametrize(
    "field",
    [
        "x: {from: [a, b], join: ' '}",
        "x: {calculate: a + b}",
        "x: {function: f}",
        "x: {value: 1}",
        "x: {from: a, when: {path: b, present: true}}",
        "x: {each: a.*.b.*}",
        "x: {each: a.*, when: {path: b, present: true}, fields: {y: c}}",
        "x: {from: a, lookup: shared}",
        "x: {each: a.*, fields: {y: $root.b}}",
    ],
)
def test_what_cannot_be_turned_round_is_read_only_and_an_error_where_writing_is_asked_for(field):
    rest = {"tables": "shared: {1: a, 2: a}", "functions": {"f": lambda payload, tables: 1}}
    assert mapping_of(field, **rest).write({"x": [{"y": 1}]}, {}) == {}
    if "$root" not in field:
        with pytest.raises(MappingFileError, match="cannot be turned round"):
            mapping_of(field[:-1] + ", direction: both}", **rest)
    with pytest.raises(MappingFileError, match="cannot be turned round"):
        mapping_of(field, head=HEAD + "direction: write\n", **rest)


def test_a_counterpart_writes_what_cannot_be_turned_round():
    fields = """
        group:
          from: customer_group_id
          when: {path: customer_id, is_not: 0}
          default: ""
          write: {from: group, lookup: statuses, otherwise: 0, write_as: integer}
        kind: {write: {to: orderTypeCode, value: SO}}
        gross: {write: {to: totals.gross, calculate: total_net + total_tax, type: decimal, scale: 2}}
        rows:
          write:
            to: rows
            each: lines.*
            when: {path: kind, is_not: rounding}
            fields:
              productSku: sku
              price.value: {calculate: "round(net / quantity, 4)", type: decimal}
              currency: $root.currency
    """
    entity = {
        "group": "open",
        "total_net": Decimal("1.10"),
        "total_tax": "0.2",
        "currency": "GBP",
        "lines": ({"sku": "HAT", "kind": "product", "net": "10", "quantity": 3}, {"kind": "rounding"}),
    }
    mapping = mapping_of(fields)
    assert mapping.write(entity, TABLES) == {
        "customer_group_id": 11,
        "orderTypeCode": "SO",
        "totals": {"gross": "1.30"},
        "rows": [{"productSku": "HAT", "price": {"value": "3.3333"}, "currency": "GBP"}],
    }
    assert mapping.write({**entity, "group": "?"}, TABLES)["customer_group_id"] == 0
    assert mapping.read({"customer_group_id": 4, "customer_id": 0}, TABLES) == {"group": ""}


def test_direction_read_keeps_a_field_from_being_written_and_write_from_being_read():
    fields = "number: {from: id, direction: read}\nname: {from: title, direction: write}"
    mapping = mapping_of(fields)
    assert mapping.read({"id": 1, "title": "a"}, {}) == {"number": 1}
    assert mapping.write({"number": 1, "name": "a"}, {}) == {"title": "a"}


def test_the_direction_of_the_file_holds_for_fields_that_say_nothing():
    mapping = mapping_of("number: id\nname: {from: id, direction: both}", head=HEAD + "direction: read\n")
    assert mapping.write({"number": 1, "name": "a"}, {}) == {"id": "a"}


def test_what_a_record_may_lack_the_entity_may_lack_and_the_rest_is_missed():
    fields = 'number: id\nnote: {from: note, default: ""}\ncoupon: {from: coupon, optional: true}'
    assert mapping_of(fields).write({"number": "7"}, {}) == {"id": "7"}
    with pytest.raises(MappingErrors) as caught:
        mapping_of(fields).write({"note": "x"}, {})
    assert [error.field for error in caught.value.errors] == ["number"]


def test_a_date_without_a_type_is_not_smuggled_into_json():
    with pytest.raises(MappingErrors, match="Declare the type"):
        mapping_of("at: at").write({"at": datetime.now(UTC) + timedelta(days=1)}, {})
