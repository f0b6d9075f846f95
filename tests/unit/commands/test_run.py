"""What `run` asks of the system before anything else."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from jinglebridge.commands import run


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_files_as_the_system_allows(limits: tuple[int, int]):
    """Each open page is one; a service starts with 1024."""
    _, most = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, most), most))
    run._open_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
