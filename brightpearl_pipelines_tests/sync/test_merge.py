"""The laws of the merge (X-03, X-50, I8, I9, I10), for two made-up systems that both know customers."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store import conflicts, crosswalk, dead_letters, goldens, records
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import SourceRecord
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.merge import merge
from brightpearl_pipelines.sync.scope import Scope
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source, System
from brightpearl_pipelines_tests.clocks import TestClock
from brightpearl_pipelines_tests.sync.harness import fresh_store

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
_numbers = itertools.count(1)

texts = st.text(alphabet="abcdefg 123", min_size=1, max_size=5).map(str.strip).filter(bool)


def read(record, _settings):
    """What a record of either system means: itself."""
    if record.payload.get("leave_out"):
        return [Ignored(record.id, "left_out")]
    as_of = record.payload.get("as_of")
    return [
        Mapped(
            record.payload["key"],
            record.payload["fields"],
            keys=[MatchKey("email", record.payload["fields"]["email"])],
            as_of=datetime.fromisoformat(as_of) if as_of else None,
            shared=bool(record.payload.get("shared")),
        )
    ]


async def nobody(*_):
    """Merging asks no system anything."""
    return []


def made_up(name):
    people = Source("people", "customer", read)
    system = System(name, Settings, nobody, streams=(), sources=(people,), targets=(), examine=nobody)
    return Connection(name, system, Settings(system=name))


CONFIGURATION = Configuration(
    {"shop": made_up("shop"), "erp": made_up("erp")},
    {"customer": {"phone": ("shop", "erp"), "*": ("erp", "shop")}},
)


@dataclass
class World:
    """A store in which two systems say things about people."""

    store: Store
    clock: TestClock

    def say(self, connection, email, *, key=None, as_of=None, **fields):
        """A system's record of a person, as read; it is merged at once. Without a key, the e-mail address is it."""
        self.tell(connection, email, key=key, as_of=as_of, **fields)
        self.merge()

    def tell(self, connection, email, *, key=None, as_of=None, **more):
        payload = {"key": key or email, "fields": {"email": email, **more}, "as_of": as_of and as_of.isoformat()}
        with self.store.transaction() as tx:
            records.upsert(tx, connection, "people", [SourceRecord(f"{key or email}", payload)])

    def merge(self, **scope):
        async def go():
            async with Engine(self.store, CONFIGURATION, clock=self.clock) as engine:
                return await merge(engine, "customer", Scope(**scope))

        return asyncio.run(go())

    def golden(self, connection, key):
        with self.store.transaction() as tx:
            (found,) = crosswalk.golden_ids(tx, "customer", connection, [key]).values()
            return goldens.by_ids(tx, "customer", [found])[found]

    def fields(self, connection, key):
        return self.golden(connection, key).content

    def conflicts(self, golden):
        with self.store.transaction() as tx:
            return [each for each in conflicts.recent(tx, limit=1000) if each.golden_id == golden.id]


@pytest.fixture(scope="module")
def world(embedded_server, encryption_key):
    clock = TestClock()
    with fresh_store(embedded_server, encryption_key, clock) as store:
        yield World(store, clock)


def somebody():
    """An e-mail address that nobody has used."""
    return f"n{next(_numbers)}@example.com"


@given(texts, texts, st.permutations(["shop", "erp"]))
@LAWS
def test_of_two_systems_the_one_with_the_word_wins_whoever_is_read_first(world, ours, theirs, order):
    email, said = somebody(), {"shop": ours, "erp": theirs}
    for connection in order:
        world.say(connection, email, phone=said[connection], company=said[connection])
    fields = world.fields("shop", email)
    assert world.golden("erp", email).id == world.golden("shop", email).id
    assert (fields["phone"], fields["company"]) == (ours, theirs)


@given(texts, texts)
@LAWS
def test_a_field_that_one_system_changed_is_changed_whatever_its_rank(world, before, after):
    """The other has not touched it since both agreed, so there is nothing to decide."""
    email = somebody()
    for connection in ("shop", "erp"):
        world.say(connection, email, phone=before, company=before)
    world.say("erp", email, phone=after, company=before)
    assert world.fields("shop", email)["phone"] == after
    world.say("shop", email, phone=after, company=after)
    assert world.fields("shop", email)["company"] == after


@given(texts, texts, texts)
@LAWS
def test_what_both_changed_goes_by_rank_and_is_recorded(world, before, one, other):
    email = somebody()
    for connection in ("shop", "erp"):
        world.say(connection, email, phone=before)
    world.say("shop", email, phone=one)
    world.say("erp", email, phone=other)
    golden = world.golden("shop", email)
    found = [(each.winner_connection, each.winner_value, each.loser_value) for each in world.conflicts(golden)]
    if len({before, one, other}) == 3:
        assert golden.content["phone"] == one
        assert found == [("shop", one, other)]
    elif one == other or other == before:
        assert golden.content["phone"] == one
        assert found == []


@given(texts, texts)
@LAWS
def test_an_echo_changes_nothing_and_causes_no_new_version(world, before, after):
    """I10: what we wrote to the other side comes back from there."""
    email = somebody()
    for connection in ("shop", "erp"):
        world.say(connection, email, phone=before)
    world.say("shop", email, phone=after)
    version = world.golden("shop", email).version
    world.say("erp", email, phone=after)
    assert world.golden("shop", email).version == version
    assert world.conflicts(world.golden("shop", email)) == []
    world.say("shop", email, phone=after, last_name="")
    assert world.fields("shop", email)["phone"] == after


@given(st.permutations(range(4)))
@LAWS
def test_an_older_view_never_overwrites_a_newer_one(world, order):
    """I8: orders of one customer come in any order; the latest checkout counts."""
    customer, email = f"c{next(_numbers)}", somebody()
    for age in order:
        world.say("shop", email, key=customer, as_of=FIRST + timedelta(days=age), phone=f"phone {age}")
    assert world.fields("shop", customer)["phone"] == "phone 3"


@given(texts, texts)
@LAWS
def test_the_same_record_read_again_by_a_repair_changes_nothing(world, ours, theirs):
    email = somebody()
    world.say("shop", email, phone=ours, company=ours)
    world.say("erp", email, phone=theirs, company=theirs)
    before = world.golden("shop", email)
    world.merge(ids=(email,))
    assert world.golden("shop", email) == before


@given(texts)
@LAWS
def test_never_having_said_anything_is_not_the_wish_to_blank_a_field(world, value):
    email = somebody()
    world.say("erp", email, phone=value, company=value)
    world.say("shop", email, phone="", company="")
    assert world.fields("shop", email)["phone"] == value


def test_blanking_a_field_that_one_has_filled_before_is_a_change(world):
    email = somebody()
    world.say("shop", email, phone="1")
    world.say("shop", email, phone="")
    assert world.fields("shop", email)["phone"] == ""


@given(st.lists(st.booleans(), min_size=2, max_size=8))
@LAWS
def test_a_bad_record_is_held_and_the_others_of_its_batch_go_through(world, good):
    """X-44, one bad record stops nothing."""
    emails = [somebody() for _ in good]
    for email, fine in zip(emails, good, strict=True):
        world.tell("shop", email, **({"phone": "1"} if fine else {"billing": {"line1": 5}, "phone": ["not", "text"]}))
    counts = world.merge()
    assert counts.held == good.count(False)
    with world.store.transaction() as tx:
        known = crosswalk.golden_ids(tx, "customer", "shop", emails)
        held = {each.subject for each in dead_letters.open_letters(tx, connection="shop", limit=10_000)}
    assert [email in known for email in emails] == good
    assert [email not in held for email in emails] == good


def test_a_record_that_was_bad_and_is_mended_at_its_source_lets_go_of_its_letter(world):
    email = somebody()
    world.tell("shop", email, phone=["not", "text"])
    world.merge()
    with world.store.transaction() as tx:
        (letter,) = [x for x in dead_letters.open_letters(tx, limit=10_000) if x.subject == email]
    assert (letter.reason, letter.field) == ("invalid_field", "phone")
    world.say("shop", email, phone="1")
    with world.store.transaction() as tx:
        assert dead_letters.get(tx, letter.id).state == "resolved"


def test_a_record_that_has_not_the_promised_shape_is_held_and_not_a_crash(world):
    email = somebody()
    with world.store.transaction() as tx:
        records.upsert(tx, "shop", "people", [SourceRecord(email, {"nothing": "of the kind"})])
    good = somebody()
    world.tell("shop", good, phone="1")
    world.merge()
    with world.store.transaction() as tx:
        (letter,) = [each for each in dead_letters.open_letters(tx, limit=10_000) if each.subject == email]
    assert letter.reason == "unexpected_shape"
    assert world.fields("shop", good)["phone"] == "1"


def test_what_was_merged_once_is_not_read_again(world):
    world.say("shop", somebody(), phone="1")
    assert world.merge().read == 0


def test_two_people_of_one_batch_with_one_email_address_are_two_for_a_system_that_numbers_its_people(world):
    """Only a record that says it may be shared is taken for another id of the same person."""
    email = somebody()
    world.tell("erp", email, key=f"first-{email}", phone="1")
    world.tell("erp", email, key=f"second-{email}", phone="2")
    world.merge()
    assert world.golden("erp", f"first-{email}").id != world.golden("erp", f"second-{email}").id


def test_who_shares_a_mailbox_never_changes_the_other_however_often_they_are_read(world):
    """A wrong merge shows one person's things to another (field-lessons §6.1)."""
    email = somebody()
    world.say("shop", email, key=f"maria-{email}", first_name="Maria", last_name="House", phone="1")
    for phone in ("2", "3"):
        world.tell("shop", email, key=f"mario-{email}", first_name="Mario", last_name="House", phone=phone)
        shared(world, f"mario-{email}")
        world.merge()
        assert world.golden("shop", f"mario-{email}").id == world.golden("shop", f"maria-{email}").id
        assert world.fields("shop", f"maria-{email}")["first_name"] == "Maria"
        assert world.fields("shop", f"maria-{email}")["phone"] == "1"
    world.merge(ids=(f"mario-{email}",))
    assert world.fields("shop", f"maria-{email}")["first_name"] == "Maria"


def test_who_shared_a_mailbox_and_has_one_of_their_own_now_is_somebody_of_their_own(world):
    email, own = somebody(), somebody()
    world.say("shop", email, key=f"maria-{email}", first_name="Maria", last_name="House")
    for address in (email, own):
        world.tell("shop", address, key=f"mario-{email}", first_name="Mario", last_name="House")
        shared(world, f"mario-{email}")
        world.merge()
    assert world.golden("shop", f"mario-{email}").id != world.golden("shop", f"maria-{email}").id
    assert world.fields("shop", f"mario-{email}")["email"] == own


def shared(world, key):
    """Make the record of that key say that several ids of its system may be one person."""
    with world.store.transaction() as tx:
        found = records.by_ids(tx, "shop", "people", [key])[key]
        records.upsert(tx, "shop", "people", [SourceRecord(key, {**found.payload, "shared": True})])
