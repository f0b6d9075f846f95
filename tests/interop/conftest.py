"""Interop tests drive real servers, clients and browsers; `-m "not interop"` leaves them out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .dino.client import Dino
from .peers.fixtures import peers_bridge, stage
from .servers import ejabberd, handset, own_ejabberd, prosody

__all__ = ["ejabberd", "handset", "own_ejabberd", "peers_bridge", "prosody", "stage"]

# What takes longest begins first, so that no process has a long file left when the others are done.
LONGEST = (
    "test_nginx", "test_first_call", "test_first_call_prosody", "test_journal", "test_dino", "test_operator", "test_web_to_web",
    "test_web_controls", "test_translate_browsers", "test_stanzajs", "test_translate_accepted", "test_call_page", "test_call_controls",
    "test_contact", "test_hostile", "test_page_views", "test_page_settings",
)  # fmt: skip
PLACE = {name: place for place, name in enumerate(LONGEST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)
    items.sort(key=lambda item: PLACE.get(item.path.stem, len(PLACE)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What Dino was doing is told with a failure: nobody can look at its screen afterwards."""
    report: pytest.TestReport = yield
    dino = getattr(item, "funcargs", {}).get("dino")
    if report.when == "call" and report.failed and isinstance(dino, Dino):
        report.sections.append(("Dino", dino.account()))
    return report
