from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.store import (
    agreed,
    conflicts,
    crosswalk,
    dead_letters,
    deliveries,
    events,
    goldens,
    records,
    vault,
)
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Event, Golden, SourceRecord

SECRET = "jane.doe@private.example"
A = UUID(int=1)


def fill(store):
    person = {"email": SECRET}
    with store.transaction() as tx:
        records.upsert(tx, "shop", "customers", [SourceRecord("1", person)])
        goldens.put(tx, [Golden("customer", A, person)])
        crosswalk.put_keys(tx, "customer", [("email", SECRET, A)])
        agreed.put(tx, "customer", "shop", {A: person})
        deliveries.plan(tx, [Delivery("brightpearl", "customer", A, "create", "customer/1", person)])
        [delivery] = deliveries.by_golden(tx, A)
        deliveries.confirm(tx, [(delivery.id, "207", person)])
        deliveries.plan(tx, [Delivery("brightpearl", "customer", A, "create", "customer/2", person)])
        deliveries.kill(tx, deliveries.by_golden(tx, A)[1].id, f"{SECRET} is taken")
        dead_letters.hold(
            tx,
            DeadLetter(
                connection="shop",
                stage="merge",
                entity="customer",
                subject="1",
                reason="invalid_field",
                sentence=f"{SECRET} is not an address",
                suggestion=f"Correct {SECRET}",
                value=SECRET,
                waiting_for=[f"customer:{SECRET}"],
                payload=person,
            ),
        )
        events.add(tx, Event("shop", "1", "store/customer/created", person))
        vault.put(tx, "token", {"access_token": SECRET})
        conflicts.record(tx, "customer", A, "email", "shop", SECRET, "brightpearl", SECRET)


def test_no_file_of_the_database_holds_personal_data_in_clear(store, database_url):
    fill(store)
    with store.transaction() as tx:
        # Proof that the search would find it: an external id is no secret.
        crosswalk.link(tx, "customer", [("shop", "an-id-in-clear", A)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        [folder, oid] = connection.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    content = b"".join(file.read_bytes() for file in (Path(folder) / "base" / str(oid)).iterdir())
    assert b"an-id-in-clear" in content
    assert SECRET.encode() not in content
    assert b"jane" not in content.lower()


def test_after_a_key_rotation_everything_is_read_and_found_and_nothing_looks_changed(
    store, database_url, clock, encryption_key
):
    fill(store)
    keys = [Fernet.generate_key().decode(), encryption_key]
    with Store(database_url, Cipher(keys), clock) as rotated, rotated.transaction() as tx:
        person = {"email": SECRET}
        assert records.upsert(tx, "shop", "customers", [SourceRecord("1", person)]).changed == []
        assert goldens.put(tx, [Golden("customer", A, person)]) == set()
        assert crosswalk.find_by_keys(tx, "customer", "email", [SECRET]) == {SECRET: [A]}
        assert [letter.value for letter in dead_letters.release_waiting(tx, [f"customer:{SECRET}"])] == [SECRET]
        assert vault.get(tx, "token") == {"access_token": SECRET}


def test_what_a_rotation_wrote_cannot_be_read_with_the_old_key_alone(store, database_url, clock, encryption_key):
    keys = [Fernet.generate_key().decode(), encryption_key]
    with Store(database_url, Cipher(keys), clock) as rotated:
        fill(rotated)
    with pytest.raises(Exception, match="BPP_ENCRYPTION_KEY"), store.transaction() as tx:
        goldens.by_ids(tx, "customer", [A])
