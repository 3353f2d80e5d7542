"""Worlds to run the engine in: one that the tests of a module share, and one for a test of its own."""

from collections.abc import Iterator

import pytest

from brightpearl_pipelines_tests.sync.harness import Harness, harnessed


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key) -> Iterator[Harness]:
    """The small world and a store that all tests of a module use: each looks only at orders of its own."""
    with harnessed(embedded_server, encryption_key) as made:
        yield made


@pytest.fixture
def harness(shared) -> Iterator[Harness]:
    """`shared`, with faults, settings and configuration put back afterwards."""
    configuration = shared.configuration
    settings = {name: dict(shared.emulator(name).settings) for name in ("brightpearl", "bigcommerce")}
    shared.mark()
    yield shared
    if shared.calm():
        shared.pass_time(400)  # longer than any pause of a circuit breaker
    shared.configuration = configuration
    for name, before in settings.items():
        shared.emulator(name).settings.update(before)


@pytest.fixture
def lone(embedded_server, encryption_key) -> Iterator[Harness]:
    """A fresh small world and an empty store, for this test alone."""
    with harnessed(embedded_server, encryption_key) as made:
        yield made
