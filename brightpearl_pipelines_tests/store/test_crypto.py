from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store.crypto import Cipher, canonical

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CONTENT = {"email": "jane@example.com", "total": Decimal("12.50"), "rows": [{"sku": "HAT-1"}]}


def test_what_was_sealed_opens_again_with_decimals_exact():
    cipher = Cipher([OLD])
    opened = cipher.open(cipher.seal(CONTENT))
    assert opened == {"email": "jane@example.com", "total": "12.50", "rows": [{"sku": "HAT-1"}]}
    assert Decimal(opened["total"]).as_tuple() == CONTENT["total"].as_tuple()


def test_sealing_twice_gives_different_bytes_that_do_not_hold_the_text():
    cipher = Cipher([OLD])
    first, second = cipher.seal(CONTENT), cipher.seal(CONTENT)
    assert first != second
    assert b"jane" not in first


def test_canonical_json_does_not_depend_on_order_kind_of_mapping_or_zone():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=5)))
    one = {"b": noon, "a": {"x": 1, "y": 2}}
    other = MappingProxyType({"a": MappingProxyType({"y": 2, "x": 1}), "b": there})
    assert canonical(one) == canonical(other) == b'{"a":{"x":1,"y":2},"b":"2026-03-01T12:00:00+00:00"}'


def test_canonical_json_takes_ids_days_and_what_real_apis_send():
    value = {"id": UUID(int=1), "day": date(2026, 3, 1), "broken": "\ud83d", "nul": "\x00"}
    opened = Cipher([OLD]).open(Cipher([OLD]).seal(value))
    assert opened == {
        "id": "00000000-0000-0000-0000-000000000001",
        "day": "2026-03-01",
        "broken": "\ud83d",
        "nul": "\x00",
    }


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="set cannot be stored"):
        canonical({"tags": {"a"}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"amount": float("nan")})


def test_after_a_rotation_old_rows_open_new_rows_need_the_new_key_and_hashes_stay():
    before, after = Cipher([OLD]), Cipher([NEW, OLD])
    assert after.open(before.seal(CONTENT)) == before.open(before.seal(CONTENT))
    assert after.digest(CONTENT) == before.digest(CONTENT)
    assert after.token("jane@example.com") == before.token("jane@example.com")
    with pytest.raises(ConfigurationError, match="BPP_ENCRYPTION_KEY"):
        before.open(after.seal(CONTENT))


def test_hashes_cannot_be_computed_without_the_key():
    one, other = Cipher([OLD]), Cipher([NEW])
    assert one.digest(CONTENT) != other.digest(CONTENT)
    assert one.token("jane@example.com") != other.token("jane@example.com")


@pytest.mark.parametrize("keys", [[], ["secret"], [OLD, ""]])
def test_a_missing_or_malformed_key_says_how_to_make_one(keys):
    with pytest.raises(ConfigurationError, match="generate_key"):
        Cipher(keys)
