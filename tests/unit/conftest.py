"""Generated input is the same in every run, so that a failure is one for everybody; it prints its example."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("same")

CLIENT = Path(__file__).parent / "client"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`scripts/test` looks for tests with real browsers only in tests/interop and here in client/."""
    for item in items:
        if item.get_closest_marker("interop") and Path(__file__).parent in item.path.parents and CLIENT not in item.path.parents:
            raise pytest.UsageError(f"{item.nodeid} is marked interop, so it belongs in tests/interop")
