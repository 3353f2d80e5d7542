import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.clock import SystemClock
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store import embedded, positions

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh(monkeypatch, data_folder_factory):
    """A data folder of its own, nothing configured; what is started in it is stopped."""
    folder = data_folder_factory("embedded")
    monkeypatch.setenv("BPP_DATA_DIR", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BPP_ENCRYPTION_KEY", raising=False)
    yield folder
    embedded.stop_embedded()


@pytest.fixture
def unset(monkeypatch, tmp_path):
    """A data folder of its own in which no server will run."""
    monkeypatch.setenv("BPP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BPP_ENCRYPTION_KEY", raising=False)
    return monkeypatch


def move(version):
    with embedded.open_store() as store, store.transaction() as tx:
        positions.move(tx, "reader", version=version)


def version():
    with embedded.open_store() as store, store.transaction() as tx:
        return positions.get(tx, "reader").version


def test_data_outlives_the_server_even_if_its_process_id_became_somebody_elses(fresh):
    move(7)
    embedded.stop_embedded()
    # As after a power cut, in a container whose process ids start again from 1.
    (fresh / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert version() == 7


def test_processes_that_start_together_share_one_server_one_key_and_one_database(fresh):
    script = (
        "import sys; from brightpearl_pipelines.store import embedded, positions\n"
        "with embedded.open_store() as store, store.transaction() as tx: positions.move(tx, sys.argv[1], version=1)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, name], cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        for name in "abc"
    ]
    outputs = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    with embedded.open_store() as store, store.transaction() as tx:
        assert set(positions.all(tx)) == {"a", "b", "c"}


def test_database_url_is_used_as_it_is(unset):
    unset.setenv("DATABASE_URL", "postgresql://user@host/other")
    assert embedded.database_url() == "postgresql://user@host/other"
    assert not embedded.data_dir().exists()


def test_stopping_what_never_ran_does_nothing(unset):
    embedded.stop_embedded()
    assert not embedded.data_dir().exists()


def test_the_embedded_server_gets_a_key_file_that_only_its_owner_reads(unset):
    [key] = embedded.encryption_keys()
    file = embedded.data_dir() / "encryption.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert embedded.encryption_keys() == [key]
    assert [path.name for path in embedded.data_dir().iterdir()] == ["encryption.key"]
    assert Fernet(key)


def test_keys_are_given_newest_first_separated_by_commas(unset):
    unset.setenv("BPP_ENCRYPTION_KEY", "new, old,")
    assert embedded.encryption_keys() == ["new", "old"]


def test_a_server_of_ones_own_needs_a_key_of_ones_own(unset):
    unset.setenv("DATABASE_URL", "postgresql://user@host/other")
    with pytest.raises(ConfigurationError, match=r"BPP_ENCRYPTION_KEY is not set.*generate_key"):
        embedded.encryption_keys()


def test_opening_migrates_and_goes_by_the_machines_clock(unset, empty_database_url):
    unset.setenv("DATABASE_URL", empty_database_url)
    unset.setenv("BPP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    with embedded.open_store(run="first") as store:
        assert isinstance(store.clock, SystemClock)
        assert store.run == "first"
    move(3)
    assert version() == 3


def test_a_store_is_not_opened_with_a_wrong_key_or_without_the_oldest(unset, empty_database_url):
    oldest, newer = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    unset.setenv("DATABASE_URL", empty_database_url)
    unset.setenv("BPP_ENCRYPTION_KEY", oldest)
    embedded.open_store().close()
    unset.setenv("BPP_ENCRYPTION_KEY", newer)
    with pytest.raises(ConfigurationError, match="not at hand"):
        embedded.open_store()
    unset.setenv("BPP_ENCRYPTION_KEY", f"{oldest},{newer}")
    with pytest.raises(ConfigurationError, match="oldest encryption key is missing"):
        embedded.open_store()
    unset.setenv("BPP_ENCRYPTION_KEY", f"{newer},{oldest}")
    embedded.open_store().close()


def test_a_server_that_cannot_be_reached_is_named_with_the_variable_to_check(unset):
    unset.setenv("DATABASE_URL", "postgresql://user@127.0.0.1:1/other")
    unset.setenv("BPP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    with pytest.raises(ConfigurationError, match="cannot be reached, check DATABASE_URL"):
        embedded.open_store()
