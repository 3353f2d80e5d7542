"""What an examination finds, and how the systems' examiners ask their questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import httpx

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import ApiError, AuthenticationError

if TYPE_CHECKING:
    from brightpearl_pipelines.systems.contract import Session, Settings

MOST_SKEW_SECONDS = 60.0
"""Watermarks and token lives bear a minute; signatures and overlaps do not bear many more."""


class State(StrEnum):
    """How grave a finding is: `warn` works but not as wished, `fail` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `connection` is None for what all share; `todo` is empty when all is well."""

    connection: str | None
    check: str
    state: State
    what: str
    todo: str = ""


class UnusableError(Exception):
    """The connection cannot be used at all: nothing more can be found out about it. A finding says so already."""


@dataclass
class Examination:
    """One connection being examined: its session, the shops kept in step with it, what was found so far."""

    session: "Session"
    shops: Mapping[str, "Settings"]
    findings: list[Finding] = field(default_factory=list)

    def ok(self, check: str, what: str) -> None:
        self._found(check, State.OK, what, "")

    def warn(self, check: str, what: str, todo: str) -> None:
        self._found(check, State.WARN, what, todo)

    def fail(self, check: str, what: str, todo: str) -> None:
        self._found(check, State.FAIL, what, todo)

    async def ask(self, check: str, path: str) -> httpx.Response:
        """The answer to GET `path`, 403 and 404 included.

        Raises UnusableError, after a finding, when the credential is not accepted or the server does not answer.
        """
        try:
            return await self.session.api.request("GET", path, expected={403, 404})
        except AuthenticationError as error:
            self.fail("credential", str(error), "Configure a credential that the account accepts; calls wait for it.")
        except ApiError as error:
            self.fail(check, str(error), "Look at the message; try again later if the server is having trouble.")
        raise UnusableError

    async def read(self, check: str, path: str, *, permission: str) -> Any:
        """The body of GET `path`; None, with a finding, for 403 and 404. `permission`: what it takes to read it.

        Raises UnusableError as `ask` does.
        """
        answer = await self.ask(check, path)
        if answer.status_code == 403:
            self.fail(check, f"GET {path}: not permitted (403)", f"Give the credential the permission: {permission}.")
            return None
        if answer.status_code == 404:
            self.fail(check, f"GET {path}: nothing found (404)", "Check the account in connections.yaml.")
            return None
        return [] if answer.status_code == 204 else read_json(answer)

    def codes(self, check: str, mapped: Mapping[str, str], known: Mapping[str, str], *, where: str) -> None:
        """`mapped`: our word to the system's code; `known`: the codes that exist, with their names.

        `where`: the setting in connections.yaml. One finding per code that does not exist, or one for all.
        """
        missing = {word: code for word, code in mapped.items() if code not in known}
        for word, code in missing.items():
            there = _listed([f"{number} ({name})" if name else number for number, name in known.items()])
            self.fail(check, f"{where} maps {word!r} to {code}, which does not exist", f"Use one of: {there}.")
        if not missing:
            self.ok(check, f"all {len(mapped)} of {where} exist")

    def clock(self, theirs: datetime) -> None:
        """Compare their clock with ours."""
        skew = (theirs - self.session.clock.now()).total_seconds()
        if abs(skew) > MOST_SKEW_SECONDS:
            way = "ahead of" if skew > 0 else "behind"
            todo = "Set this machine's clock by NTP; if it is right, tell the system's support."
            self.warn("clock", f"its clock is {abs(skew):.0f} s {way} this machine's", todo)
        else:
            self.ok("clock", f"in step with this machine's to {abs(skew):.0f} s")

    def _found(self, check: str, state: State, what: str, todo: str) -> None:
        self.findings.append(Finding(self.session.connection, check, state, what, todo))


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} … ({len(names)} in all)" if len(names) > most else shown or "none, there are none"
