"""The commands as a person runs them: against emulators in a process of their own, over a database of their own."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from brightpearl_pipelines.cli import app

BPP = [sys.executable, "-m", "brightpearl_pipelines.cli"]
PATIENCE_SECONDS = 60
SETTINGS = ("DATABASE_URL", "BPP_DATA_DIR", "BPP_CONNECTIONS", "BPP_SANDBOX_BASE_PORT", "BPP_WEBHOOK_PORT")

ORDER_LINES = """InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country
536365,85123A,HOLDER,6,2.55,17850,United Kingdom
536365,71053,LANTERN,6,3.39,17850,United Kingdom
536366,22423,STAND,4,12.75,13047,United Kingdom
536367,22423,STAND,2,12.75,12583,France
"""


@dataclass(frozen=True)
class Served:
    """A sandbox in a process of its own."""

    base_port: int

    def url(self, system: str) -> str:
        return f"http://127.0.0.1:{self.base_port + {'brightpearl': 1, 'bigcommerce': 2}[system]}"

    def state(self) -> dict[str, dict[str, int]]:
        """How much there is of what, by system; tokens aside, since signing in makes one."""
        found = {name: httpx.get(f"{self.url(name)}/_sandbox/state").json() for name in ("brightpearl", "bigcommerce")}
        return {name: {kind: n for kind, n in counts.items() if kind != "tokens"} for name, counts in found.items()}

    def objects(self, system: str, collection: str) -> list[dict]:
        return httpx.get(f"{self.url(system)}/_sandbox/state/{collection}").json()

    def writes(self) -> list[str]:
        """Every API call so far that was neither reading nor signing in."""
        return [
            f"{call['method']} {call['path']}"
            for name in ("brightpearl", "bigcommerce")
            for call in httpx.get(f"{self.url(name)}/_sandbox/calls").json()
            if call["method"] not in ("GET", "OPTIONS") and not call["path"].startswith("/token/")
        ]

    def calls(self, system: str) -> list[dict]:
        """Every API call so far."""
        return httpx.get(f"{self.url(system)}/_sandbox/calls").json()

    def fault(self, system: str, **rule) -> None:
        httpx.post(f"{self.url(system)}/_sandbox/faults", json=rule).raise_for_status()

    def mended(self) -> None:
        for name in ("brightpearl", "bigcommerce"):
            httpx.delete(f"{self.url(name)}/_sandbox/faults").raise_for_status()


def two_free_ports() -> int:
    """A base port above which two ports are free now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port - 1


@contextmanager
def sandbox_of(orders: Path) -> Iterator[Served]:
    """A sandbox filled with order lines, whose warehouse stands still."""
    for _ in range(10):
        base = two_free_ports()
        command = [*BPP, "sandbox", "serve", "--base-port", str(base), "--orders", str(orders)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                lines = [process.stdout.readline() for _ in range(2)]
                if not all(lines):
                    continue  # another test took a port between our look and its start
                assert [json.loads(line)["system"] for line in lines] == ["brightpearl", "bigcommerce"]
                served = Served(base)
                httpx.post(f"{served.url('brightpearl')}/_sandbox/settings", json={"warehouse_enabled": False})
                yield served
            finally:
                process.terminate()
                process.wait(PATIENCE_SECONDS)
            return
    pytest.fail("no two ports in a row stayed free")


@pytest.fixture
def sandbox(tmp_path) -> Iterator[Served]:
    orders = tmp_path / "lines.csv"
    orders.write_text(ORDER_LINES)
    with sandbox_of(orders) as served:
        yield served


@dataclass(frozen=True)
class Bpp:
    """Runs commands in this process, with the environment that a person would have set."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={**self.environment, **more})

    def json(self, *arguments: str, exit_code: int = 0) -> dict:
        result = self(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def environment(database_url) -> dict[str, str | None]:
    """Our own database and no sandbox; None unsets what the machine may have set."""
    key = Fernet.generate_key().decode()
    unused = dict.fromkeys(SETTINGS)
    return {**unused, "DATABASE_URL": database_url, "BPP_ENCRYPTION_KEY": key, "BPP_SANDBOX_BASE_PORT": "1"}


@pytest.fixture
def bpp(environment) -> Bpp:
    """Commands without a sandbox: where one would be, nobody listens."""
    return Bpp(environment)


@pytest.fixture
def bpp_sandbox(environment, sandbox) -> Bpp:
    """Commands with the sandbox."""
    return Bpp({**environment, "BPP_SANDBOX_BASE_PORT": str(sandbox.base_port)})


def rows(database_url: str) -> dict[str, int]:
    """Rows per table of what a sync knows. Not counted: the audit and the limits, since a dry run really reads."""
    tables = ("record", "golden", "crosswalk", "match_key", "agreed", "delivery", "dead_letter", "event", "position")
    with psycopg.connect(database_url) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM sync.{name}").fetchone()[0] for name in tables}
