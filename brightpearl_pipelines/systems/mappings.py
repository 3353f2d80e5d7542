"""Loads the mapping files that lie beside a system's code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from brightpearl_pipelines.mapping import Mapping as FieldMapping
from brightpearl_pipelines.mapping import load_mapping
from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.contract import Tables

Functions = Mapping[str, Callable[[Json, Tables], Any]]


def mappings_beside(module_file: str, functions: Functions) -> dict[str, FieldMapping]:
    """All `mappings/*.yaml` beside a module, by their file name; loaded once, when the system is imported."""
    folder = Path(module_file).parent / "mappings"
    return {path.stem: load_mapping(path, functions) for path in sorted(folder.glob("*.yaml"))}
