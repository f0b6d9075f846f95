"""Interop tests drive real servers, clients and browsers; `-m "not interop"` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from .peers.fixtures import peers_bridge, stage
from .servers import ejabberd, handset, own_ejabberd, prosody

__all__ = ["ejabberd", "handset", "own_ejabberd", "peers_bridge", "prosody", "stage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)
