"""``stage(Conversations)``: a story that lives as long as the test, on one bridge with short times for each module."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jinglebridge.demo.lab import Ejabberd

from ..bridge import BridgeProcess, wait_for
from .base import Peer
from .story import Story

RING = 5.0  # seconds a call rings here, unless the module has a RING of its own


@pytest.fixture(scope="module")
def peers_bridge(request: pytest.FixtureRequest, ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    limits = {"ring": getattr(request.module, "RING", RING), "linger": 0.2}
    bridge = BridgeProcess(tmp_path_factory.mktemp("peers"), ejabberd, limits=limits)
    yield bridge
    try:
        wait_for("no call is left", lambda: bridge.calls() == [], 10)
        for line in map(json.loads, bridge.log().splitlines()):
            assert "exception" not in line and line["level"] not in ("error", "critical"), line
    finally:
        bridge.close()


@pytest.fixture
def stage(ejabberd: Ejabberd, peers_bridge: BridgeProcess) -> Iterator[Callable[..., Story[Any]]]:
    told: list[Story[Any]] = []

    def begin(kind: type[Peer]) -> Story[Any]:
        told.append(Story(ejabberd, peers_bridge, kind))
        return told[-1]

    yield begin
    for story in told:
        story.close()
