"""Where the fact sheets, the vendor's OpenAPI files and the real order lines are: beside the project, never in it."""

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    """The folder `shared` beside the checkout, or the one BPP_SHARED names; skips where there is none, fails in CI."""
    candidates = [Path(os.environ["BPP_SHARED"])] if "BPP_SHARED" in os.environ else []
    candidates.append(Path(__file__).resolve().parents[2] / "shared")
    for candidate in candidates:
        if (candidate / "specs").is_dir():
            return candidate
    message = "the folder with the vendor's OpenAPI files and the real order lines is not here (set BPP_SHARED)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
