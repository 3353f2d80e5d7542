"""Talking with a child process: one JSON line to it, one JSON line back."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Json = dict[str, Any]


class Child:
    """A program of this package that was started, and answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, do: str, **what: Any) -> Json:
        """What the child answers. Raises RuntimeError if it has ended instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps({"do": do, **what}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} has ended while it was asked to {do}")
        answer: Json = json.loads(line)
        return answer


@contextmanager
def child(module: str, **start: Any) -> Iterator[Child]:
    """Run `python -m benchmarks.<module>` and let it start with these facts; it ends with the block."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(start)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def answer(deeds: dict[str, Callable[[Json], Json]]) -> None:
    """In the child: do what is asked, line by line, until nobody asks any more."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(deeds[request["do"]](request)), flush=True)
