"""Here several tasks sleep at once, so time is virtual; the store goes by it like everything else."""

from collections.abc import Iterator

import pytest

from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines_tests.http.harness import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def other_store(database_url, clock, encryption_key) -> Iterator[Store]:
    """What a second process would have: the same database, connections of its own."""
    with Store(database_url, Cipher([encryption_key]), clock) as opened:
        yield opened
