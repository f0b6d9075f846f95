"""Fixtures: real servers and contacts, all on 127.0.0.1. Without the server's package a test is skipped; in CI it fails."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd, LabError, Prosody

HandsetFactory = Callable[..., Handset]
S = TypeVar("S", Ejabberd, Prosody)


def unique_user(prefix: str = "u") -> str:
    """A name no other test uses: tests share servers, not rosters."""
    return f"{prefix}{secrets.token_hex(4)}"


@contextmanager
def skipped_when_missing() -> Iterator[None]:
    """A package that is not installed skips the test; in CI it fails."""
    try:
        yield
    except LabError as error:
        if "is not installed" in str(error) and "CI" not in os.environ:
            pytest.skip(str(error))
        raise


def _started(server: S) -> S:
    with skipped_when_missing():
        return server.start()


@pytest.fixture(scope="session")
def ejabberd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ejabberd]:
    """One ejabberd for all tests that do not hurt it. Its shaper is off: many calls of many tests run through few accounts."""
    server = _started(Ejabberd(tmp_path_factory.mktemp("ejabberd"), shaper="none"))
    yield server
    server.stop()


@pytest.fixture
def own_ejabberd(tmp_path: Path) -> Iterator[Ejabberd]:
    """A fresh ejabberd as stock Debian has it, for tests that kill it or look at its limits."""
    server = _started(Ejabberd(tmp_path / "ejabberd"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    server = _started(Prosody(tmp_path_factory.mktemp("prosody")))
    yield server
    server.stop()


@pytest.fixture
def handset() -> Iterator[HandsetFactory]:
    """``handset(server, user, "--shape", "dino", …)``: a contact that lives as long as the test."""
    made: list[Handset] = []

    def make(server: Ejabberd | Prosody, user: str | None = None, *options: str, auto: str = "accept", loopback: bool = True) -> Handset:
        made.append(Handset(server, user or unique_user(), "--auto", auto, *options, loopback=loopback))
        return made[-1]

    yield make
    for contact in reversed(made):
        contact.close()
