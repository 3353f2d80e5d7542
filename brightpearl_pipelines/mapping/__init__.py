"""Mapping files: fields of a system's records to fields of our entities, both ways. No I/O but reading the files."""

from brightpearl_pipelines.mapping.apply import Mapping, load_mapping
from brightpearl_pipelines.mapping.errors import MappingError, MappingErrors, MappingFileError
from brightpearl_pipelines.mapping.plan import Json, Source, Tables

__all__ = [
    "Json",
    "Mapping",
    "MappingError",
    "MappingErrors",
    "MappingFileError",
    "Source",
    "Tables",
    "load_mapping",
]
