"""One process per store folder: who writes the store holds its lock.

Spec: DESIGN §3 (Commands).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from jinglebridge.errors import OperatorError


def take(folder: Path) -> int:
    """The lock, as a file descriptor: closing it gives it back. Raises OperatorError if another process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperatorError(f"[store] path {folder}: {error.strerror}: make the folder writable, or name another") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise OperatorError(f"another bridge is running with [store] path {folder}: stop it first (`jinglebridge stop`)") from None
    return lock
