"""The store for a command, while no bridge runs.

Spec: DESIGN §3 (a running bridge holds the lock).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jinglebridge.store import lock
from jinglebridge.store.sqlite import FILE, SqliteStore


@contextmanager
def alone(folder: Path) -> Iterator[SqliteStore]:
    """With the lock held, so that no bridge starts meanwhile and knows nothing of what is changed. Raises OperatorError if one runs."""
    held = lock.take(folder)
    try:
        store = SqliteStore(folder / FILE)
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(held)
