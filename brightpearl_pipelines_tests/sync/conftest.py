"""A harness for each test that asks; modules that can share one make a fixture of their own."""

from collections.abc import Iterator

import pytest

from brightpearl_pipelines_tests.sync.harness import Harness, harnessed


@pytest.fixture
def harness(embedded_server, encryption_key) -> Iterator[Harness]:
    """A fresh small world, an empty store."""
    with harnessed(embedded_server, encryption_key) as made:
        yield made
