"""Streams that follow another one: the engine reads them through `Follows.read`, never by their own changes or ids."""

from collections.abc import AsyncIterator, Sequence

from brightpearl_pipelines.store.types import SourceRecord
from brightpearl_pipelines.systems.contract import Follows, Page, Session, Stream, Window


def following(name: str, entity: str, follows: Follows) -> Stream:
    """A stream of what stands beside the records of another."""
    return Stream(name, entity, _no_changes, _no_records, follows=follows)


async def _no_changes(session: Session, window: Window) -> AsyncIterator[Page]:
    del session, window
    for page in list[Page]():
        yield page


async def _no_records(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    del session, ids
    return []
