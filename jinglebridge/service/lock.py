"""One process at a time uses a store folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from jinglebridge.errors import OperatorError


def take_lock(folder: Path) -> int:
    """The lock, as a file descriptor that you must close in the end. Raises OperatorError."""
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
