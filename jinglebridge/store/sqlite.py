"""The store on disk: SQLite in WAL mode, one writer thread, several writes to a commit.

Copying the file of a running bridge is not a backup: a WAL database is more than one file.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

import structlog

from jinglebridge.calls.people import Subscription
from jinglebridge.errors import OperatorError

log = structlog.get_logger()

MIGRATIONS = (
    """
    CREATE TABLE subscription (
        own TEXT NOT NULL, peer TEXT NOT NULL,
        sees INTEGER NOT NULL, seen INTEGER NOT NULL, asked INTEGER NOT NULL, asking INTEGER NOT NULL, wanted INTEGER NOT NULL,
        PRIMARY KEY (own, peer)
    ) WITHOUT ROWID;
    CREATE TABLE session (
        jid TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, contacts TEXT NOT NULL, may_call TEXT NOT NULL,
        video INTEGER NOT NULL, secret_hash TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    "DROP TABLE session;",  # it moved to the journal
)

Write = tuple[str, tuple[object, ...]]


class SqliteStore:
    """Raises OperatorError if the file cannot be opened, or was written by a newer version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with contextlib.closing(sqlite3.connect(path)) as database:
                path.chmod(0o600)
                database.execute("PRAGMA journal_mode=WAL")
                self._migrate(database)
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(f"{path}: the store cannot be opened ({error})") from None
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()

    def _migrate(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise OperatorError(f"{self._path} was written by a newer jinglebridge: use that one, or restore an older backup")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            database.executescript(f"BEGIN; {script} PRAGMA user_version={number}; COMMIT;")

    def _read(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            return database.execute(query).fetchall()

    def subscriptions(self) -> Iterable[tuple[str, str, Subscription]]:
        rows = self._read("SELECT own, peer, sees, seen, asked, asking, wanted FROM subscription")
        return [(str(own), str(peer), Subscription(*map(bool, flags))) for own, peer, *flags in rows]

    def save_subscription(self, own: str, peer: str, subscription: Subscription) -> None:
        s = subscription
        self._writes.put(
            ("INSERT OR REPLACE INTO subscription VALUES (?,?,?,?,?,?,?)", (own, peer, s.to, s.from_, s.asked, s.asking, s.wanted))
        )

    def close(self) -> None:
        self._writes.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        """The writer: takes whatever is queued into one transaction."""
        database = sqlite3.connect(self._path)
        database.execute("PRAGMA synchronous=NORMAL")
        running = True
        while running:
            batch = [self._writes.get()]
            while not self._writes.empty():
                batch.append(self._writes.get())
            running = None not in batch
            try:
                with database:
                    for write in batch:
                        if write is not None:
                            database.execute(*write)
            except Exception:  # the thread must live: what comes next may well be written
                log.exception("store-write-failed", rows=len(batch))
        database.close()
