"""Mapping files written for a test."""

import tempfile
import textwrap
from pathlib import Path

from brightpearl_pipelines.mapping import Mapping, load_mapping

HEAD = "entity: order\nsystem: shop\nrecord: orders\n"


def mapping_of(fields, tables="", functions=None, known_tables=None, head=HEAD) -> Mapping:
    """Load a file with these `fields` (YAML, starting in line 5, or after `tables`)."""
    text = head + (f"tables:\n{_indented(tables)}" if tables else "") + "fields:\n" + _indented(fields)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.yaml"
        path.write_text(text, encoding="utf-8")
        return load_mapping(path, functions or {}, known_tables)


def _indented(text):
    return textwrap.indent(textwrap.dedent(text).strip("\n"), "  ") + "\n"
