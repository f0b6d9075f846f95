"""A screen that nobody sees, for a browser that has one to share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGTERM

from jinglebridge.demo.lab import end_process

from .dino.desktop import require


@contextmanager
def display() -> Iterator[str]:
    """The value for DISPLAY. Raises LabError when Xvfb is not installed."""
    require({"Xvfb": "xvfb"})
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as file:
            number = file.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        end_process(server, SIGTERM)
