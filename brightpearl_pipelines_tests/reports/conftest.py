"""The worlds of the engine's tests, for the reports made of them."""

from brightpearl_pipelines_tests.sync.conftest import harness, lone, shared

__all__ = ["harness", "lone", "shared"]
