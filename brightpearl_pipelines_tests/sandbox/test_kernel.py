import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from brightpearl_pipelines.sandbox.hosting import PortTakenError, address_of, bind, hosted
from brightpearl_pipelines.sandbox.kernel import Emulator, Fault, SandboxClock

INSTANT = datetime(2026, 1, 1, tzinfo=UTC)


class Notebook(Emulator):
    """The smallest system: notes that are written and counted."""

    name = "notebook"

    def routes(self):
        async def write(request):
            key = self.next_id("notes")
            self.put("notes", key, {"id": key, "text": request.query_params.get("text", "")})
            return JSONResponse({"id": key, "padding": "x" * 50}, status_code=201)

        return [Route("/notes", write, methods=["POST", "GET"])]

    def credentials(self):
        return {"system": self.name}


def talking(conversation, notebook=None):
    """Serve a notebook on a real port and run `conversation(notebook, client)` against it."""
    notebook = notebook or Notebook()

    async def main():
        listening = bind(0)
        notebook.base_url = address_of(listening)
        async with hosted([(notebook, listening)]), httpx.AsyncClient(base_url=notebook.base_url) as client:
            return await conversation(notebook, client)

    return asyncio.run(main())


def notes(notebook):
    return len(notebook.collection("notes"))


@pytest.mark.parametrize(("kind", "applied"), [("refuse", 0), ("drop", 0), ("apply_then_drop", 1), ("truncate", 1)])
def test_a_cut_connection_is_seen_as_a_broken_answer_and_applies_or_not(kind, applied, caplog):
    async def conversation(notebook, client):
        notebook.faults.append(Fault(kind, path="/notes", count=1))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/notes")
        after_the_fault = notes(notebook)
        assert (await client.post("/notes")).status_code == 201
        return after_the_fault

    assert talking(conversation) == applied
    assert not caplog.records


def test_a_status_fault_answers_in_place_of_the_system():
    async def conversation(notebook, client):
        rule = {
            "kind": "status",
            "method": "POST",
            "status": 503,
            "body": {"busy": True},
            "headers": {"Retry-After": "3"},
        }
        assert (await client.post("/_sandbox/faults", json=[rule])).status_code == 200
        answer = await client.post("/notes")
        assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"busy": True}, "3")
        assert (await client.get("/notes")).status_code == 201
        await client.delete("/_sandbox/faults")
        assert (await client.post("/notes")).status_code == 201

    talking(conversation)


def test_a_throttle_fault_answers_as_the_system_does_when_it_is_asked_too_much():
    async def conversation(notebook, client):
        notebook.faults.append(Fault("throttle", count=1))
        return [(await client.post("/notes")).status_code for _ in range(2)]

    assert talking(conversation) == [429, 201]


def test_a_delay_applies_late():
    async def conversation(notebook, client):
        notebook.faults.append(Fault("delay", seconds=0.2))
        began = time.monotonic()
        assert (await client.post("/notes")).status_code == 201
        return time.monotonic() - began

    assert talking(conversation) >= 0.2


def test_a_fault_lets_some_pass_first_and_strikes_so_often():
    notebook = Notebook()
    notebook.faults.append(Fault("drop", path="notes", skip=1, count=2))
    struck = [notebook.fault_for("POST", "/notes") is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]
    assert notebook.fault_for("POST", "/other") is None


def test_faults_by_chance_strike_alike_for_one_seed():
    def strikes(seed):
        notebook = Notebook(seed=seed)
        notebook.faults.append(Fault("drop", probability=0.5))
        return [notebook.fault_for("GET", "/notes") is not None for _ in range(60)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 10 < sum(strikes(1)) < 50


def test_webhook_faults_strike_webhooks_only():
    notebook = Notebook()
    notebook.faults.append(Fault("lose_webhook"))
    assert notebook.fault_for("POST", "/notes") is None
    assert notebook.fault_for("POST", "order.created", webhook=True) is not None


@pytest.mark.parametrize(
    "rule", [{"kind": "explode"}, {"kind": "drop", "path": "("}, {"kind": "drop", "colour": "red"}]
)
def test_a_rule_that_makes_no_sense_is_refused(rule):
    async def conversation(notebook, client):
        answer = await client.post("/_sandbox/faults", json=rule)
        assert not notebook.faults
        return answer.status_code

    assert talking(conversation) == 400


def test_calls_are_logged_with_time_method_path_and_status_and_admin_calls_are_not():
    async def conversation(_, client):
        await client.post("/notes", params={"text": "a b"})
        await client.get("/nowhere")
        await client.get("/_sandbox/state")
        return (await client.get("/_sandbox/calls")).json()

    calls = talking(conversation)
    assert [(call["method"], call["path"], call["status"]) for call in calls] == [
        ("POST", "/notes?text=a+b", 201),
        ("GET", "/nowhere", 404),
    ]
    assert all(datetime.fromisoformat(call["time"]).tzinfo for call in calls)


def test_state_counts_collections_and_shows_their_objects():
    async def conversation(_, client):
        await client.post("/notes", params={"text": "first"})
        assert (await client.get("/_sandbox/state")).json() == {"notes": 1}
        unknown = await client.get("/_sandbox/state/books")
        assert (unknown.status_code, "there are: notes" in unknown.text) == (404, True)
        return (await client.get("/_sandbox/state/notes")).json()

    assert talking(conversation) == [{"id": 1, "text": "first"}]


def test_the_clock_is_set_moved_and_stopped_through_the_admin_api():
    async def conversation(notebook, client):
        done = []

        async def ring():
            done.append(notebook.clock.now())

        await client.post("/_sandbox/clock", json={"frozen": True, "now": INSTANT.isoformat()})
        notebook.after(60, ring)
        assert (await client.post("/_sandbox/clock", json={"advance": 59})).json()["timers_run"] == 0
        answer = await client.post("/_sandbox/clock", json={"advance": 1})
        assert answer.json() == {"now": "2026-01-01T00:01:00+00:00", "timers_run": 1}
        return done

    assert talking(conversation) == [INSTANT + timedelta(minutes=1)]


def test_a_borrowed_clock_goes_on_as_if_nobody_had_touched_it():
    clock = SandboxClock()
    before = clock.now()
    with clock.borrowed():
        clock.set(INSTANT)
        assert clock.now() == INSTANT
    assert timedelta() <= clock.now() - before < timedelta(minutes=1)
    clock.freeze(True)
    frozen = clock.now()
    with clock.borrowed():
        clock.set(INSTANT)
    assert clock.now() == frozen


def test_state_comes_back_from_disk_with_its_sequences(tmp_path):
    notebook = Notebook(settings={"colour": "red"})
    notebook.put("notes", notebook.next_id("notes"), {"id": 1})
    notebook.save(tmp_path)
    again = Notebook(settings={"colour": "blue"})
    assert again.restore(tmp_path)
    assert (again.collections, again.next_id("notes"), again.settings) == (notebook.collections, 2, {"colour": "red"})
    assert not Notebook().restore(tmp_path / "elsewhere")


def test_only_what_changed_is_written_again(tmp_path):
    notebook = Notebook()
    notebook.save(tmp_path)
    written = tmp_path / "notebook.json"
    written.unlink()
    notebook.save(tmp_path)
    assert not written.exists()
    notebook.put("notes", 1, {"id": 1})
    notebook.save(tmp_path)
    assert written.exists()


def test_a_port_that_is_taken_is_named():
    with bind(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            bind(port)


def test_a_timer_that_fails_ends_the_serving_loudly():
    async def conversation(notebook, client):
        async def fail():
            raise RuntimeError("the timer broke")

        notebook.after(0, fail)
        deadline = time.monotonic() + 10
        while notebook.next_due() and time.monotonic() < deadline:
            await client.get("/_sandbox/state")

    with pytest.raises(RuntimeError, match="the timer broke"):
        talking(conversation)
