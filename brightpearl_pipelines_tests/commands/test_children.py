import asyncio
import os
import signal
import sys

import psutil
import pytest

from brightpearl_pipelines.commands.children import Child, ChildDiedError, Service

SOON = ((signal.SIGINT, 5.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0))
AT_ONCE = ((signal.SIGINT, 0.05), (signal.SIGTERM, 0.05), (signal.SIGKILL, 10.0))

STUBBORN = """
import signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(helper.pid, flush=True)
helper.wait()
"""
POLITE = """
import signal, sys, threading
signal.signal(signal.SIGINT, lambda *_: (print("bye", flush=True), sys.exit(0)))
print("up", flush=True)
threading.Event().wait()
"""


def service(code, tmp_path, **facts):
    command = [sys.executable, "-c", code]
    return Service("helper", command, facts.pop("answers_at", ()), tmp_path, dict(os.environ), **facts)


async def printed(child):
    """The first line that the child has printed, once it has."""
    while not (text := child.log.read_text()).endswith("\n"):  # noqa: ASYNC110 - another process tells nobody
        await asyncio.sleep(0.01)
    return text.splitlines()[0]


def test_a_child_is_asked_first_and_ends_in_its_own_way(tmp_path):
    async def main():
        child = await Child.start(service(POLITE, tmp_path), tmp_path)
        assert await printed(child) == "up"
        await child.stop(SOON)
        return child.log.read_text()

    assert asyncio.run(main()) == "up\nbye\n"


def test_a_child_that_does_not_listen_is_ended_with_all_its_helpers(tmp_path):
    async def main():
        child = await Child.start(service(STUBBORN, tmp_path), tmp_path)
        helper = int(await printed(child))
        assert psutil.pid_exists(helper)
        await child.stop(AT_ONCE)
        return helper

    helper = asyncio.run(main())
    assert not psutil.pid_exists(helper) or psutil.Process(helper).status() == psutil.STATUS_ZOMBIE


def test_a_child_that_ends_by_itself_is_told_with_its_last_words(tmp_path):
    async def main():
        code = "import sys; print('all went well'); print('until now', file=sys.stderr); sys.exit(4)"
        child = await Child.start(service(code, tmp_path), tmp_path)
        await child.died()

    with pytest.raises(ChildDiedError, match=r"helper ended with exit code 4(.|\n)*until now"):
        asyncio.run(main())


def test_what_may_bear_credentials_is_not_kept(tmp_path):
    async def main():
        code = "import sys; print('a token'); print('a message', file=sys.stderr)"
        child = await Child.start(service(code, tmp_path, keep_output=False), tmp_path)
        with pytest.raises(ChildDiedError):
            await child.died()
        return child.log.read_text()

    assert asyncio.run(main()) == "a message\n"


def test_the_log_of_the_start_before_is_kept(tmp_path):
    async def main():
        for word in ("first", "second"):
            child = await Child.start(service(f"print('{word}')", tmp_path), tmp_path)
            with pytest.raises(ChildDiedError):
                await child.died()

    asyncio.run(main())
    assert (tmp_path / "helper.log.1").read_text() == "first\n"
    assert (tmp_path / "helper.log").read_text() == "second\n"
