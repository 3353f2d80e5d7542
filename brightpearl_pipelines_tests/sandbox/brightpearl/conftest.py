"""Every test gets an account of its own."""

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
