"""`bpp alerts` and `bpp watch` as a person runs them."""

import json
import os
import signal
import subprocess
import time

import psycopg
import pytest

from brightpearl_pipelines.configuration import configuration_path
from brightpearl_pipelines_tests.alerts.ears import listener
from brightpearl_pipelines_tests.commands.conftest import BPP

HOOK = "\nalerts:\n  channels:\n    chat: {kind: slack, url_env: TEAM_CHAT}\n    log: {kind: log}\n"


@pytest.fixture
def heard(tmp_path):
    """A listener, and the environment of a configuration that tells it."""
    path = tmp_path / "connections.yaml"
    path.write_text(configuration_path().read_text() + HOOK)
    with listener() as ear:
        yield ear, {"BPP_CONNECTIONS": str(path), "TEAM_CHAT": ear.url}


def test_a_test_message_goes_out_on_every_channel(bpp, heard):
    ear, given = heard
    result = bpp("alerts", "test", **given)
    assert result.exit_code == 0, result.output
    assert "This is a test of the alerts" in ear.texts[0]
    assert "chat" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if "taken" in line] == ["│", "│"]


def test_a_channel_that_does_not_work_is_told_with_why(bpp, heard):
    ear, given = heard
    ear.status = 410
    result = bpp("alerts", "test", "--channel", "chat", **given)
    assert result.exit_code == 1
    assert "the address in TEAM_CHAT answered 410" in result.output
    assert "hunter2" not in result.output
    assert bpp("alerts", "test", "--channel", "pager", **given).exit_code == 2


def test_what_is_open_is_listed_until_it_is_closed(bpp, heard, database_url):
    ear, given = heard
    assert bpp.json("alerts", "list") == {"open": [], "closed": [], "unsent": []}
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO sync.api_budget (account, paused_reason) VALUES ('brightpearl', 'refused')")
    assert bpp("watch", "--once", **given).exit_code == 3
    (told,) = ear.texts
    assert "brightpearl: its credentials are not accepted" in told
    listed = bpp("alerts", "list")
    assert listed.exit_code == 3
    assert "critical" in listed.stdout
    (alert,) = bpp.json("alerts", "list", exit_code=3)["open"]
    assert alert["alert"]["connection"] == "brightpearl"
    assert bpp("alerts", "close", str(alert["id"])).exit_code == 0
    assert bpp("alerts", "list").stdout == "No alert is open.\n"
    assert "over" in bpp("alerts", "list", "--closed", "5").stdout
    assert bpp("alerts", "close", str(alert["id"])).exit_code == 1


def test_what_a_channel_has_not_taken_is_listed_with_why(bpp, heard, database_url):
    ear, given = heard
    ear.status = 500
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO sync.api_budget (account, paused_reason) VALUES ('brightpearl', 'refused')")
    assert bpp("watch", "--once", **given).exit_code == 3
    listed = bpp("alerts", "list")
    assert listed.exit_code == 1
    assert "channel chat: 1 not taken since" in listed.stdout
    assert "answered 500" in listed.stdout


def test_every_budget_is_shown_with_how_old_its_stream_is(bpp):
    found = bpp.json("alerts", "budgets")["budgets"]
    assert {"stream", "in_full", "flow"} == {each["kind"] for each in found}
    orders = next(each for each in found if (each["connection"], each["name"]) == ("bigcommerce", "orders"))
    assert (orders["allowed_seconds"], orders["over"]) == (600, False)
    shown = bpp("alerts", "budgets")
    assert shown.exit_code == 0
    assert "never" in shown.stdout


def test_the_doctor_names_what_a_channel_lacks(bpp, heard):
    _, given = heard
    found = json.loads(bpp("doctor", "--json", **{**given, "TEAM_CHAT": ""}).stdout)["findings"]
    said = {(each["state"], each["what"]) for each in found if each["check"] == "alerts"}
    assert ("fail", "the channel chat cannot send: TEAM_CHAT is not set") in said


def test_the_watch_ends_in_good_order_when_it_is_told_to(environment, database_url):
    given = {**os.environ, **{name: value for name, value in environment.items() if value is not None}}
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        subprocess.Popen([*BPP, "watch", "--every", "1"], env=given, stderr=subprocess.DEVNULL) as process,
    ):
        try:
            _until_it_beats(connection, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert connection.execute("SELECT name FROM sync.heartbeat").fetchall() == [("resumed",)]
        finally:
            process.kill()


def _until_it_beats(connection, process):
    deadline = time.monotonic() + 60
    while not connection.execute("SELECT 1 FROM sync.heartbeat WHERE name = 'watch'").fetchone():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
