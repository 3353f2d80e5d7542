"""One command starts everything against the emulators, and stops it again (X-71)."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from brightpearl_pipelines.cli import app
from brightpearl_pipelines_tests.commands.conftest import BPP, two_free_ports

UP = "Ctrl-C stops everything."
PATIENCE_SECONDS = 240


@pytest.fixture
def ports():
    """Two ports that are free now, beside those of the sandbox."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture
def surroundings(data_folder_factory, ports):
    """The environment of a first start: a data folder with nothing in it, ports of its own; None is not set."""
    unset = ("DATABASE_URL", "BPP_CONNECTIONS", "BPP_WEBHOOK_URL", "ORDERS", "BPP_SANDBOX_RATE", "DAGSTER_HOME")
    return {
        **os.environ,
        **dict.fromkeys(unset),
        "BPP_DATA_DIR": str(data_folder_factory("run")),
        "BPP_SANDBOX_BASE_PORT": str(two_free_ports()),
        "BPP_WEBHOOK_PORT": str(ports[0]),
        "BPP_DAGSTER_PORT": str(ports[1]),
        "BPP_SANDBOX_RATE": "0",
    }


def refused(surroundings):
    result = CliRunner().invoke(app, ["run"], env=surroundings)
    assert list(Path(surroundings["BPP_DATA_DIR"]).iterdir()) == []
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("setting", "above", "what"),
    [
        ("BPP_SANDBOX_BASE_PORT", 2, "bigcommerce"),
        ("BPP_WEBHOOK_PORT", 0, "webhook receiver"),
        ("BPP_DAGSTER_PORT", 0, "Dagster UI"),
    ],
)
def test_a_port_that_is_taken_is_told_with_its_setting_before_anything_starts(surroundings, setting, above, what):
    with socket.socket() as rival:
        port = int(surroundings[setting]) + above
        rival.bind(("127.0.0.1", port))
        rival.listen()
        code, message = refused(surroundings)
    assert code == 2
    assert f"port {port}, for" in message
    assert what in message
    assert f"set {setting}" in message


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("BPP_DAGSTER_PORT", "http", "BPP_DAGSTER_PORT is 'http'"),
        ("BPP_SANDBOX_RATE", "often", "BPP_SANDBOX_RATE is 'often'"),
        ("ORDERS", "/nowhere/lines.csv", "ORDERS names /nowhere/lines.csv"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_starts(surroundings, setting, value, told):
    code, message = refused({**surroundings, setting: value})
    assert code == 2
    assert told in message


def test_one_port_for_two_is_told(surroundings):
    code, message = refused({**surroundings, "BPP_DAGSTER_PORT": surroundings["BPP_WEBHOOK_PORT"]})
    assert code == 2
    assert "is meant for the webhook receiver and for the Dagster UI" in message


# -- the real thing -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(surroundings):
    """`bpp run`, once it says that it is up; yields the process and what it printed so far."""
    environment = {name: value for name, value in surroundings.items() if value is not None}
    with subprocess.Popen(
        [*BPP, "run"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        family = []
        try:
            lines = []
            while UP not in (line := process.stdout.readline()):
                assert line, "".join(lines)
                lines.append(line)
            family = psutil.Process(process.pid).children(recursive=True)
            yield process, "".join(lines)
        finally:
            process.kill()
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()


def left_over(surroundings):
    """Processes that still run with the data folder of this test."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mine = each.environ().get("BPP_DATA_DIR") == surroundings["BPP_DATA_DIR"]
            if (mine or surroundings["BPP_DATA_DIR"] in " ".join(each.cmdline())) and each.pid != os.getpid():
                found.append(each.cmdline())
    return found


def stopped(process):
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, rest


def orders_of(surroundings):
    port = int(surroundings["BPP_SANDBOX_BASE_PORT"]) + 1
    return httpx.get(f"http://127.0.0.1:{port}/_sandbox/state").json()["orders"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_everything_starts_syncs_stops_by_ctrl_c_and_is_found_again(surroundings):
    with started(surroundings) as (process, printed):
        total = re.search(r"total .*", printed)[0]
        assert int(re.findall(r"\d+", total)[2]) > 100  # created
        for setting, path in (("BPP_DAGSTER_PORT", "/server_info"), ("BPP_WEBHOOK_PORT", "/health")):
            assert httpx.get(f"http://127.0.0.1:{surroundings[setting]}{path}").status_code == 200
            assert surroundings[setting] in printed
        orders = orders_of(surroundings)
        assert orders > 100
        code, rest = stopped(process)
    assert code == 0, rest
    assert "Traceback" not in printed + rest
    assert left_over(surroundings) == []

    with started(surroundings) as (process, printed):
        assert orders_of(surroundings) >= orders
        assert re.search(r"published .* brightpearl .* order .*", printed)
        code, rest = stopped(process)
    assert code == 0, rest
    assert left_over(surroundings) == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_child_that_dies_is_named_and_the_others_are_stopped(surroundings):
    with started(surroundings) as (process, _):
        receiver = next(
            each
            for each in psutil.Process(process.pid).children(recursive=True)
            if each.cmdline()[-2:] == ["webhooks", "serve"]
        )
        receiver.kill()
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "webhooks was ended by SIGKILL" in rest
    assert left_over(surroundings) == []
