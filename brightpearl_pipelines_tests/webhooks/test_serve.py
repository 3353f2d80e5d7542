"""The receiver as a process of its own."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.webhooks.serve import listen, webhook_port
from brightpearl_pipelines.webhooks.shared_secret import shared_secret
from brightpearl_pipelines_tests.webhooks.receiving import (
    Receiver,
    brightpearl_body,
    listening_port,
    stored,
)

PROGRAM = """
import logging, sys
from pathlib import Path
from brightpearl_pipelines.clock import SystemClock
from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.webhooks.serve import serve
logging.basicConfig(level=logging.DEBUG)
url, key, connections = sys.argv[1:]
with Store(url, Cipher([key]), SystemClock()) as store:
    serve(store, load_configuration(Path(connections)), port=0, dagster_url="http://127.0.0.1:1")
print("ended in order")
"""


CONNECTIONS = Path(__file__).parents[2] / "connections.yaml"


def test_it_serves_until_it_is_interrupted_and_logs_no_secret(store, database_url, encryption_key):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, database_url, encryption_key, str(CONNECTIONS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        receiver = Receiver(f"http://127.0.0.1:{listening_port(process)}", store)
        assert receiver.from_brightpearl(brightpearl_body()).status_code == 200
        assert len(stored(store)) == 1
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert output.endswith("ended in order\n")
    assert shared_secret(store, "brightpearl") not in output


def test_a_port_that_is_taken_is_told_with_the_setting_that_changes_it():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} .*BPP_WEBHOOK_PORT"):
            listen(port)


def test_the_port_is_8990_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("BPP_WEBHOOK_PORT", raising=False)
    assert webhook_port() == 8990
    monkeypatch.setenv("BPP_WEBHOOK_PORT", "9001")
    assert webhook_port() == 9001
    for wrong in ("http", "0", "70000", "-1"):
        monkeypatch.setenv("BPP_WEBHOOK_PORT", wrong)
        with pytest.raises(ConfigurationError, match="BPP_WEBHOOK_PORT"):
            webhook_port()
