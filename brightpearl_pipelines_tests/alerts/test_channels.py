"""How alerts reach people: real servers listen. X-46, X-53."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from brightpearl_pipelines.alerts import channels, watch
from brightpearl_pipelines.alerts.channels import ChannelError
from brightpearl_pipelines.alerts.conditions import DAGSTER, WATCH
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.store import alerts, budget, dead_letters
from brightpearl_pipelines.store.alerts import Alert, Message, Raised, Severity, What
from brightpearl_pipelines.store.types import DeadLetter
from brightpearl_pipelines_tests.alerts.ears import certificate, listener, post_office
from brightpearl_pipelines_tests.clocks import TestClock

ALERT = Alert("k", "stale", Severity.ERROR, "shop: orders were last read <b> ago", "Look.", ("bpp why",), count=3)


def channel_of(kind: str, **fields):
    return AlertSettings.model_validate({"channels": {"it": {"kind": kind, **fields}}}).channels["it"]


def mail(port: int, **fields):
    given = {"host": "127.0.0.1", "port": port, "from": "bpp@shop.test", "to": ["ops@shop.test", "it@shop.test"]}
    return channel_of("email", **{**given, **fields})


def message(what: What = What.OPENED, alert: Alert = ALERT, number: int = 1) -> Message:
    now = TestClock().now()
    return Message(number, what, 0, Raised(number, alert, now, now, now, None))


# -- e-mail -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pem(tmp_path, monkeypatch):
    made = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


@pytest.mark.parametrize(("security", "at_once"), [("starttls", False), ("tls", True)])
def test_a_mail_goes_out_encrypted_with_the_password_from_the_environment(pem, monkeypatch, security, at_once):
    """X-46: what, since when, how many, what to do, where to look."""
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    with post_office(pem, tls_at_once=at_once) as office:
        channels.send(mail(office.port, security=security, user="bpp", password_env="MAIL_PASSWORD"), [message()])
    (sent,) = office.mails
    assert office.encrypted == [True]
    assert office.logins == [("bpp", "hunter2")]
    assert sent["subject"] == "[error] shop: orders were last read <b> ago"
    assert sent["to"] == "ops@shop.test, it@shop.test"
    assert sent["auto-submitted"] == "auto-generated"
    text = sent.get_content()
    for line in ("records: 3", "since: 2026-03-02 09:00:00 UTC", "what to do: Look.", "look: bpp why"):
        assert line in text
    assert "hunter2" not in sent.as_string()


def test_nothing_goes_out_in_the_clear_when_the_server_offers_no_encryption():
    with post_office() as office, pytest.raises(ChannelError, match="STARTTLS"):
        channels.send(mail(office.port), [message()])
    assert office.mails == []


def test_a_server_with_a_certificate_of_nobody_gets_no_mail(tmp_path):
    with post_office(certificate(tmp_path)) as office, pytest.raises(ChannelError, match="certificate"):
        channels.send(mail(office.port), [message()])
    assert office.mails == []


def test_to_this_very_machine_mail_may_go_unencrypted():
    with post_office() as office:
        channels.send(mail(office.port, security="none"), [message()])
    assert len(office.mails) == 1


def test_a_refusal_is_told_without_anybodys_address():
    with post_office() as office:
        office.down = True
        with pytest.raises(ChannelError) as caught:
            channels.send(mail(office.port, security="none"), [message()])
    assert "451" in str(caught.value)
    assert "shop.owner@" not in str(caught.value)


def test_a_password_that_is_not_set_is_told_by_its_name(monkeypatch):
    monkeypatch.delenv("MAIL_PASSWORD", raising=False)
    with post_office() as office, pytest.raises(ChannelError, match="MAIL_PASSWORD is not set"):
        channels.send(mail(office.port, security="none", user="bpp", password_env="MAIL_PASSWORD"), [message()])


# -- Slack ------------------------------------------------------------------------------------------------------------


def test_a_post_is_slacks_own_markup_and_says_all_of_several_at_once(monkeypatch, caplog):
    with listener() as ear, caplog.at_level(logging.INFO):
        monkeypatch.setenv("TEAM_CHAT", ear.url)
        channels.send(channel_of("slack", url_env="TEAM_CHAT"), [message(), message(What.RECOVERED, number=2)])
    (text,) = ear.texts
    assert text.startswith("*[error] shop: orders were last read &lt;b&gt; ago*")
    assert "*[over] shop: orders" in text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://chat.example.com/services/hunter2", "holds no https address"),
        ("https://chat.example.com:hunter2/", "holds no https address"),
        ("http://127.0.0.1:1/hunter2", "does not answer: ConnectError"),
        ("", "is not set"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_and_never_repeated(monkeypatch, url, told):
    monkeypatch.setenv("TEAM_CHAT", url)
    with pytest.raises(ChannelError) as caught:
        channels.send(channel_of("slack", url_env="TEAM_CHAT"), [message()])
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


# -- log --------------------------------------------------------------------------------------------------------------


def test_the_log_gets_each_alert_at_the_level_of_its_severity(caplog):
    with caplog.at_level(logging.INFO):
        channels.send(channel_of("log"), [message(), message(What.RECOVERED)])
    assert [(each.levelname, each.message.partition(" | ")[0]) for each in caplog.records] == [
        ("ERROR", "[error] shop: orders were last read <b> ago"),
        ("INFO", "[over] shop: orders were last read <b> ago"),
    ]


# -- who gets what ----------------------------------------------------------------------------------------------------


def test_severity_and_connection_decide_who_is_told():
    """X-46 to the right team, X-53 configurable."""
    settings = AlertSettings.model_validate(
        {
            "channels": {name: {"kind": "log"} for name in ("all", "pager", "warehouse")},
            "routes": [
                {"channels": ["all"]},
                {"at_least": "critical", "channels": ["pager"]},
                {"at_least": "error", "entities": ["stock_level"], "connections": ["uk"], "channels": ["warehouse"]},
            ],
        }
    )
    assert settings.channels_for(Severity.WARNING, "uk", "order") == ["all"]
    assert settings.channels_for(Severity.CRITICAL, "uk", "order") == ["all", "pager"]
    assert settings.channels_for(Severity.ERROR, "uk", "stock_level") == ["all", "warehouse"]
    assert settings.channels_for(Severity.ERROR, "us", "stock_level") == ["all"]
    # What is about nobody in particular is everybody's affair.
    assert settings.channels_for(Severity.CRITICAL, None, None) == ["all", "pager", "warehouse"]


# -- a channel that fails ---------------------------------------------------------------------------------------------


def _pause_brightpearl(house):
    with house.store.transaction() as tx:
        budget.pause(tx, "brightpearl", reason="token refused", probe_at=house.clock.now())


def test_what_a_channel_does_not_take_stays_due_and_goes_when_it_can(running, caplog):
    running.ear.status = 503
    _pause_brightpearl(running)
    running.look()
    with running.store.transaction() as tx:
        (waiting,) = alerts.backlog(tx)
    assert (waiting.channel, waiting.messages) == ("chat", 1)
    assert waiting.error == "the address in TEAM_CHAT answered 503"
    assert "chat has not taken 1 message(s)" in caplog.text
    running.pass_time(timedelta(minutes=20), syncing=True)
    assert running.ear.posts == []
    running.ear.status = 200
    (told,) = running.pass_time(timedelta(minutes=20), syncing=True)
    assert "brightpearl: its credentials are not accepted" in told
    with running.store.transaction() as tx:
        assert alerts.backlog(tx) == []


def test_one_channel_that_fails_holds_up_no_other(running):
    chat = {"kind": "slack", "url_env": "TEAM_CHAT"}
    running.settle(
        channels={"broken": {"kind": "slack", "url_env": "NOWHERE"}, "chat": chat},
        routes=[{"channels": ["broken", "chat"]}],
    )
    _pause_brightpearl(running)
    running.look()
    assert len(running.ear.posts) == 1


def test_what_a_channel_missed_from_beginning_to_end_is_told_in_one(running):
    running.ear.status = 503
    _pause_brightpearl(running)
    running.look()
    with running.store.transaction() as tx:
        budget.resume(tx, "brightpearl")
    running.pass_time(timedelta(minutes=5), syncing=True)
    running.ear.status = 200
    (told,) = running.pass_time(timedelta(minutes=10), syncing=True)
    assert told.count("its credentials are not accepted") == 1
    assert told.startswith("*[over]")


def test_an_alert_goes_out_once_with_two_watchers_at_once(running):
    """Two processes look at the same time, again and again: rows are claimed."""
    _pause_brightpearl(running)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(running.look, name) for name in (WATCH, DAGSTER) * 4]:
            done.result()
    assert len(running.ear.posts) == 1


def test_a_message_that_a_dead_process_had_claimed_goes_out_after_its_lease(running):
    _pause_brightpearl(running)
    with running.store.transaction() as tx:
        watch.raise_alert(tx, running.configuration.alerts, ALERT)
        assert len(alerts.claim(tx, "chat", watch.LEASE, 10)) == 1
    watch.send_due(running.store, running.configuration.alerts)
    assert running.ear.posts == []
    running.clock.advance(watch.LEASE.total_seconds() + 1)
    watch.send_due(running.store, running.configuration.alerts)
    assert len(running.ear.posts) == 1


def test_messages_for_a_channel_that_is_configured_no_more_are_dropped(running):
    running.ear.status = 503
    _pause_brightpearl(running)
    running.look()
    running.settle(channels={"log": {"kind": "log"}}, routes=[{"channels": ["log"]}])
    running.look()
    with running.store.transaction() as tx:
        assert alerts.backlog(tx) == []


# -- what is held -----------------------------------------------------------------------------------------------------


def _hold(house, subject: str, reason: str = "unmapped_value", **more) -> None:
    given = {
        "sentence": "status of jane@example.com is 'odd'",
        "suggestion": "Map it.",
        "value": "jane@example.com",
        "payload": {"name": "Jane"},
    }
    with house.store.transaction() as tx:
        dead_letters.hold(tx, DeadLetter("bigcommerce", "merge", "order", subject, reason, **{**given, **more}))


def test_a_cause_is_told_when_it_is_first_met_however_many_records_it_holds(running):
    """X-46: one message a cause, with the number of records and no word of what they say."""
    for number in range(30):
        _hold(running, str(number), field=f"lines.{number}.tax")
    running.look()
    (told,) = running.ear.texts
    assert "[error] bigcommerce: 30 order records are held: unmapped value (lines.tax)" in told
    assert "bpp dead-letters list --connection bigcommerce --entity order --reason unmapped_value" in told
    assert "ane" not in told.replace("channel", "")
    for number in range(30, 60):
        _hold(running, str(number), field=f"lines.{number}.tax")
    assert running.pass_time(timedelta(minutes=30), syncing=True) == []
    _hold(running, "99", reason="invalid_field", field="total")
    (other,) = running.pass_time(timedelta(minutes=1))
    assert "1 order record is held: invalid field (total)" in other


def test_what_waits_for_something_to_arrive_is_told_when_it_waits_for_long(running):
    _hold(running, "1", reason="reference_not_found", waiting_for=["product:brightpearl:HAT"])
    assert running.pass_time(timedelta(minutes=10), syncing=True) == []
    (told,) = running.pass_time(timedelta(minutes=10), syncing=True)
    assert "[warning] bigcommerce: 1 order record is held: reference not found" in told
    with running.store.transaction() as tx:
        dead_letters.release_waiting(tx, ["product:brightpearl:HAT"])
    (over,) = running.pass_time(timedelta(minutes=5), syncing=True)
    assert "[over]" in over


# -- without the database ---------------------------------------------------------------------------------------------


def test_a_watch_whose_database_goes_away_tells_it_and_lives_on(running, embedded_server, database_url, caplog):
    name = database_url.split("?")[0].rsplit("/", 1)[1]

    @contextmanager
    def down():
        with psycopg.connect(embedded_server % "postgres", autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
            yield
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    async def go() -> None:
        watching = asyncio.create_task(
            watch.keep_watch(running.store, running.configuration, running.clock, WATCH, 15.0)
        )
        with down():
            for _ in range(60):
                await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(go())
    about = [text for text in running.ear.texts if "The database does not answer" in text]
    assert ["[critical]" in about[0], "[over]" in about[1]] == [True, True]
    assert len(about) == 2
    with running.store.transaction() as tx:
        assert WATCH not in alerts.beats(tx)
