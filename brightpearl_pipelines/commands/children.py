"""Processes that one command starts, watches and stops again, none left behind.

Each child leads a process group of its own, so that Ctrl-C in the terminal reaches only us and we stop the children in
order. The leader is asked first, since it stops its own helpers best; what then still lives in its group is ended.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil

LAST_LINES = 20
POLL_SECONDS = 0.2
Patience = Sequence[tuple[signal.Signals, float]]
PATIENCE: Patience = (
    (signal.SIGINT, 12.0),
    (signal.SIGTERM, 5.0),
    (signal.SIGKILL, 5.0),
)
"""What is sent, and how long its effect is waited for."""


@dataclass(frozen=True)
class Service:
    """What to run as a child. It is up once every address in `answers_at` answers 200."""

    name: str
    command: Sequence[str]
    answers_at: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    keep_output: bool = True
    """False where stdout bears credentials; stderr is always kept."""


class ChildDiedError(Exception):
    """A child ended by itself; the message says which, how, and its last words."""


class Child:
    """A running service. Use `start`."""

    def __init__(self, service: Service, process: asyncio.subprocess.Process, log: Path) -> None:
        self.service = service
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, service: Service, logs: Path) -> "Child":
        """Start it; its output goes to `logs/<name>.log`, the one of the start before is kept as `.log.1`."""
        log = logs / f"{service.name}.log"
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("wb") as file:
            stdout: IO[bytes] | int = file if service.keep_output else subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(
                *service.command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=file,
                cwd=service.folder,
                env=dict(service.environment),
                start_new_session=True,
            )
        return cls(service, process, log)

    async def ready(self) -> None:
        """Return once it answers. Does not give up: whoever waits also waits for `died`."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for url in self.service.answers_at:
                while not await _answers(client, url):  # noqa: ASYNC110 - another process tells nobody
                    await asyncio.sleep(POLL_SECONDS)

    async def died(self) -> None:
        """Wait for its end, which is a ChildDiedError."""
        code = await self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        last = "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"
        raise ChildDiedError(f"{self.service.name} {how}. Its last lines, from {self.log}:\n{last}")

    async def stop(self, patience: Patience = PATIENCE) -> None:
        """End it and everything in its group: asked first, told then, killed at last."""
        for number, seconds in patience:
            with suppress(ProcessLookupError):
                if number is signal.SIGINT:
                    # Only the leader: its helpers would be interrupted a second time by it.
                    if self._process.returncode is None:
                        self._process.send_signal(number)
                else:
                    os.killpg(self._process.pid, number)
            if await self._gone(seconds):
                return

    async def _gone(self, seconds: float) -> bool:
        deadline = asyncio.get_running_loop().time() + seconds
        while self._process.returncode is None or self._group_lives():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), min(POLL_SECONDS, left))
            if self._process.returncode is not None and self._group_lives():
                await asyncio.sleep(min(POLL_SECONDS, left))
        return True

    def _group_lives(self) -> bool:
        return any(_belongs(each, self._process.pid) for each in psutil.process_iter())


def _belongs(process: psutil.Process, group: int) -> bool:
    """Whether a process of the group is left. A zombie is none: where nobody reaps orphans, it stays for good."""
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
