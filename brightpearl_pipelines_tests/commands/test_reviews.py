"""Customers who may be one: what waits is listed, and a decision is carried out (BC-24, BC-25)."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.store import crosswalk, goldens, reviews
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import Golden
from brightpearl_pipelines_tests.clocks import TestClock

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def proposed(environment, database_url):
    """A store beside the one that the commands open: Ann Example, and Ann Exmaple who may be her."""
    environment["BPP_ENCRYPTION_KEY"] = key = Fernet.generate_key().decode()
    with Store(database_url, Cipher([key]), TestClock(datetime(2026, 11, 20, 9, tzinfo=UTC))) as store:
        with store.transaction() as tx:
            for id_, name, phone in ((ONE, "Example", ""), (OTHER, "Exmaple", "0117")):
                content = {"first_name": "Ann", "last_name": name, "phone": phone}
                goldens.put(tx, [Golden("customer", id_, content, dict.fromkeys(content, "bigcommerce"))])
                crosswalk.link(tx, "customer", [("bigcommerce", f"guest-{id_.int}", id_)])
            evidence = {
                "connection": "bigcommerce",
                "external_id": "guest-2",
                "rule": "alike",
                "identity": "ann|exmaple",
            }
            reviews.propose(tx, "customer", OTHER, ONE, evidence)
        yield store


def test_what_waits_for_a_decision_is_listed(proposed, bpp):
    result = bpp("reviews", "list")
    assert result.exit_code == 0
    for words in ("Ann Example", "Ann Exmaple", "nearly one name", "1 wait"):
        assert words in result.stdout
    listed = bpp.json("reviews", "list")
    assert (listed["total"], listed["reviews"][0]["joined"]) == (1, False)
    assert listed["reviews"][0]["candidate_is"] == ["bigcommerce: guest-1"]


def test_two_become_one(proposed, bpp):
    (review,) = bpp.json("reviews", "list")["reviews"]
    assert bpp("reviews", "same", str(review["id"]), "--note", "a typing error").exit_code == 0
    with proposed.transaction() as tx:
        assert crosswalk.golden_ids(tx, "customer", "bigcommerce", ["guest-1", "guest-2"]) == {
            "guest-1": ONE,
            "guest-2": ONE,
        }
        known = goldens.by_ids(tx, "customer", [ONE, OTHER])
        assert set(known) == {ONE}
        assert (known[ONE].content["last_name"], known[ONE].content["phone"]) == ("Example", "0117")
        assert reviews.get(tx, review["id"]).note == "a typing error"
    assert "Nothing waits" in bpp("reviews", "list").stdout


def test_two_stay_two_and_a_decision_is_final(proposed, bpp):
    (review,) = bpp.json("reviews", "list")["reviews"]
    assert bpp("reviews", "different", str(review["id"])).exit_code == 0
    with proposed.transaction() as tx:
        assert set(goldens.by_ids(tx, "customer", [ONE, OTHER])) == {ONE, OTHER}
    assert bpp("reviews", "same", str(review["id"])).exit_code == 1
