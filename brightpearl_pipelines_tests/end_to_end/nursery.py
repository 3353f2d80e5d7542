"""Runs of the sync as processes of their own, cheap to start and made to be killed. Used as a program.

Everything is imported once, before the first connection is opened; each line on stdin is one run: it is forked off, its
process id is printed, and, when it has ended, how. One run is what `bpp sync` does: every step, everything read.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from brightpearl_pipelines.clock import SystemClock
from brightpearl_pipelines.configuration import Connection, load_configuration
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store, Transaction
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.run import run
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.sync.sessions import connect
from brightpearl_pipelines.systems.contract import Session
from brightpearl_pipelines_tests.sync.harness import CONNECTIONS, UNLIMITED, configured

PAUSED = 3


class MortalStore(Store):
    """A store whose process dies at the n-th commit after SIGUSR1: just before it, or just after."""

    commits_left: int | None = None
    dies_before = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            yield tx
            if self.commits_left is not None:
                self.commits_left -= 1
            if self.commits_left == 0 and self.dies_before:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.commits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def whole_run(order: dict[str, Any]) -> int:
    """One run by the order's facts: database, key, urls, multi_message and, if it is to die at one, commit and before.

    Returns the exit code, PAUSED if a step could not use its connection.
    """
    changes = {name: dict(limits) for name, limits in UNLIMITED.items()}
    changes["brightpearl"]["multi_message"] = order["multi_message"]
    configuration = configured(load_configuration(CONNECTIONS), changes)

    async def connector(engine: Engine, connection: Connection) -> Session:
        return await connect(engine, connection, sandbox_url=order["urls"][connection.name])

    with MortalStore(order["database"], Cipher([order["key"]]), SystemClock()) as store:
        store.dies_before = order.get("before", False)
        signal.signal(signal.SIGUSR1, lambda *_: setattr(store, "commits_left", order["commit"]))
        async with Engine(store, configuration, connector=connector) as engine:
            results = await run(engine, Scope(reach=Reach.EVERYTHING))
    paused = [each.counts.paused for each in results if each.counts.paused]
    for reason in paused:
        print(reason, file=sys.stderr)
    return PAUSED if paused else 0


def main() -> None:
    """Fork a run for each line, until stdin ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = asyncio.run(whole_run(json.loads(line)))
            except BaseException:  # noqa: BLE001 - a forked child must not go on in its parent's loop
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
