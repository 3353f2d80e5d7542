"""The whole engine between two emulators: what really happens is what is told."""

import pytest

from brightpearl_pipelines.alerts import watch
from brightpearl_pipelines.alerts.conditions import WATCH
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines_tests.alerts.ears import listener
from brightpearl_pipelines_tests.sync.conftest import lone  # noqa: F401 - a fixture
from brightpearl_pipelines_tests.sync.harness import Harness


@pytest.fixture
def heard(monkeypatch):
    with listener() as ear:
        monkeypatch.setenv("TEAM_CHAT", ear.url)
        yield ear


SETTINGS = AlertSettings.model_validate({"channels": {"chat": {"kind": "slack", "url_env": "TEAM_CHAT"}}})


def look(harness: Harness) -> set[str]:
    """The keys of what is open after a look."""
    configuration = type(harness.configuration)(
        harness.configuration.connections, harness.configuration.survivorship, SETTINGS
    )
    watch.look(harness.store, configuration, WATCH)
    with harness.store.transaction() as tx:
        return {each.alert.key for each in alerts.open_alerts(tx) if each.cleared_at is None}


def later(harness: Harness, minutes: int, *, runs: bool) -> set[str]:
    """Minutes pass with a look in each, and with a run in every fifth where `runs` says so."""
    found: set[str] = set()
    for minute in range(minutes):
        if runs and minute % 5 == 0:
            harness.run()
        harness.pass_time(60)
        found |= look(harness)
    return found


def test_an_account_that_refuses_its_credential_is_critical_at_once_and_over_when_it_takes_it(lone, heard):  # noqa: F811
    """BP-03: only the Brightpearl connection pauses, the alert names it, and everything goes on by itself."""
    lone.run()
    assert look(lone) == set()
    lone.fault("brightpearl", "status", status=401)
    lone.place(("MUG", 1))
    lone.run()
    assert look(lone) == {"credentials:brightpearl"}
    (told,) = heard.texts
    assert told.startswith("*[critical] brightpearl: its credentials are not accepted")
    lone.calm()
    lone.pass_time(400)
    lone.run()
    assert later(lone, 5, runs=True) == set()
    assert "[over] brightpearl: its credentials" in heard.texts[-1]
    assert len(heard.texts) == 2


def test_runs_that_stop_are_noticed_within_the_budget_and_their_return_is_told_once(lone, heard):  # noqa: F811
    """X-58: the scheduler is killed: no run fails, no event comes, and the alarm still does."""
    assert later(lone, 10, runs=True) == set()
    assert heard.texts == []
    assert later(lone, 12, runs=False) == {"stopped"}
    assert len(heard.texts) == 1
    lone.run()
    assert look(lone) == set()
    later(lone, 5, runs=True)
    assert [text.partition("]")[0] for text in heard.texts] == ["*[critical", "*[over"]


def test_a_write_that_never_gets_through_makes_its_flow_late(lone, heard):  # noqa: F811
    """X-47: what waits keeps waiting, and people hear of it."""
    lone.run()
    look(lone)
    lone.fault("brightpearl", "status", "POST", "sales-order|multi-message", status=502)
    lone.place(("MUG", 1))
    found = later(lone, 15, runs=True)
    assert found & {"circuit_open:brightpearl", "stale:flow:brightpearl:orders"}
    lone.calm()
    lone.pass_time(400)
    assert later(lone, 5, runs=True) - found == set()
    assert look(lone) == set()
