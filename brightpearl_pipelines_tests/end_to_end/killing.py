"""Kills a run at a chosen moment: at its n-th call, as the emulators see it, or at a commit that follows."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines_tests.sync.harness import READS, Harness

SECONDS_TO_END = 60.0
KINDS = ("lost", "unheard", "answered", "before commit", "after commit")
"""The call never arrives; it is applied but not answered; it is answered but nothing is made of the answer; a commit
does not happen; a commit happens, but nothing after it."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """At the n-th write of a run (or the n-th read), or at one of the next commits: `commits` says which."""

    kind: str
    n: int
    reads: bool = False
    commits: int = 1

    @property
    def at_commit(self) -> bool:
        return self.kind.endswith("commit")


@dataclass(frozen=True)
class Ended:
    """How a run ended: -9 when it was killed. `during` is the last call that it made."""

    code: int
    during: str
    reads: int
    writes: int


class _Calls(deque):  # type: ignore[type-arg]
    """The log of an emulator, that tells of each call when it comes in."""

    def __init__(self, calls: "deque[Json]", told: Any) -> None:
        super().__init__(calls, maxlen=calls.maxlen)
        self._told = told

    def append(self, entry: Json) -> None:
        super().append(entry)
        self._told(entry)


@dataclass
class Killer:
    """Starts runs against one sandbox and one store, and ends them at their moments."""

    harness: Harness
    database: str
    key: str
    program: "subprocess.Popen[str]"
    moment: Moment | None = None
    running: "Future[int]" = field(default_factory=Future)
    seen: Counter = field(default_factory=Counter)  # type: ignore[type-arg]
    last: str = ""

    def __post_init__(self) -> None:
        for system in ("brightpearl", "bigcommerce"):
            emulator = self.harness.emulator(system)
            emulator.calls = _Calls(emulator.calls, lambda entry, emulator=emulator: self._on_call(emulator, entry))

    def run(self, moment: Moment | None = None, *, multi_message: bool = True) -> Ended:
        """One run, killed at `moment`, or left alone. One that ends before its moment ends as it would have."""
        self.moment, self.running, self.seen, self.last = moment, Future(), Counter(), ""
        order = {
            "database": self.database,
            "key": self.key,
            "urls": self.harness.sandbox.urls,
            "multi_message": multi_message,
        }
        if moment is not None and moment.at_commit:
            order |= {"commit": moment.commits, "before": moment.kind == "before commit"}
        assert self.program.stdin is not None and self.program.stdout is not None
        print(json.dumps(order), file=self.program.stdin, flush=True)
        told: Json = {}
        while "ended" not in told:
            told |= json.loads(self.program.stdout.readline())
            if "pid" in told and not self.running.done():
                self.running.set_result(told["pid"])
        return Ended(told["ended"], self.last, self.seen["reads"], self.seen["writes"])

    def _on_call(self, emulator: Any, entry: Json) -> None:
        """In the thread that serves: the call has come in, and nothing has been made of it yet."""
        which = "reads" if entry["method"] in READS or "token" in entry["path"] else "writes"
        self.seen[which] += 1
        self.last = f"{entry['method']} {_shape(entry['path'])}"
        moment = self.moment
        if moment is None or moment.reads != (which == "reads") or self.seen[which] != moment.n:
            return
        self.moment = None
        if moment.at_commit:
            self._signal(signal.SIGUSR1)
        elif moment.kind == "lost":
            emulator.faults.insert(0, Fault("refuse", count=1))
            self._signal(signal.SIGKILL)
        else:
            if moment.kind == "unheard":
                emulator.faults.insert(0, Fault("apply_then_drop", count=1))
            asyncio.get_running_loop().call_soon(self._kill_when_answered, entry)

    def _kill_when_answered(self, entry: Json) -> None:
        if entry["status"] is None:
            asyncio.get_running_loop().call_soon(self._kill_when_answered, entry)
        else:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        os.kill(self.running.result(SECONDS_TO_END), number)


def _shape(path: str) -> str:
    """A path without its ids and query."""
    parts = path.partition("?")[0].split("/")
    return "/".join("…" if any(sign.isdigit() for sign in part) and len(part) > 2 else part for part in parts)


@contextmanager
def killer(harness: Harness, server: str, key: str) -> Iterator[Killer]:
    """A killer with its nursery; `server` and `key` are the fixtures embedded_server and encryption_key."""
    with harness.store.transaction() as tx:
        database = server % tx.connection.info.dbname
    command = [sys.executable, "-m", "brightpearl_pipelines_tests.end_to_end.nursery"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield Killer(harness, database, key, program)
        finally:
            assert program.stdin is not None
            program.stdin.close()


def kill_often(rough: Killer, rng: random.Random, kills: int, whole: Ended, **how: bool) -> "Counter[tuple[str, str]]":
    """Kill `kills` runs, spread over the work as the `whole` run did it; kind of death and last call.

    A killed run has done a part of the work, so the next one is let live a little longer than where that ended. One
    that had nothing left to do before its moment does not count.
    """
    died: Counter[tuple[str, str]] = Counter()
    written, finished = 0, False
    for _ in range(3 * kills):
        deaths = died.total()
        if deaths == kills:
            break
        reads = finished or rng.random() < 1 / 4
        ahead = round(whole.writes * (deaths + 1) / kills) - written
        moment = Moment(
            rng.choice(KINDS),
            rng.randint(1, whole.reads // 2) if reads else max(ahead, 1),
            reads,
            rng.randint(1, 12 if reads else 3),
        )
        ended = rough.run(moment, **how)
        written += ended.writes - (moment.kind == "lost" and not reads)
        finished = finished or ended.code == 0
        if ended.code == -signal.SIGKILL:
            died[moment.kind, ended.during] += 1
        elif ended.code:
            raise AssertionError(f"a run that was to be killed at {moment} ended with {ended.code}")
    return died
