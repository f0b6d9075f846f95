"""The store on disk: SQLite in WAL mode, one writer thread, several writes to a commit.

Copying the file of a running bridge is not a backup: a WAL database is more than one file. `backup` makes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from jinglebridge.calls.people import CallRecord
from jinglebridge.errors import OperatorError
from jinglebridge.store.tables import TABLES, Row

log = structlog.get_logger()

FILE = "jinglebridge.db"  # in the store's folder

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
    """
    CREATE TABLE contact (
        own TEXT NOT NULL, peer TEXT NOT NULL, "to" INTEGER NOT NULL, "from" INTEGER NOT NULL, asked INTEGER NOT NULL,
        asking INTEGER NOT NULL, wanted INTEGER NOT NULL, added INTEGER NOT NULL, denied INTEGER NOT NULL, name TEXT NOT NULL,
        audio INTEGER NOT NULL, video INTEGER NOT NULL,
        PRIMARY KEY (own, peer)
    ) WITHOUT ROWID;
    INSERT INTO contact SELECT own, peer, sees, seen, asked, asking, wanted, 0, 0, '', 0, 0 FROM subscription;
    DROP TABLE subscription;
    CREATE TABLE person (
        own TEXT PRIMARY KEY, name TEXT NOT NULL, avatar_type TEXT NOT NULL, avatar_hash TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE avatar (own TEXT PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE device (
        id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL,
        created REAL NOT NULL, used REAL NOT NULL, by TEXT NOT NULL, contacts TEXT NOT NULL, may_call TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE link (
        id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, label TEXT NOT NULL, created REAL NOT NULL,
        expires REAL NOT NULL, single_use INTEGER NOT NULL, video INTEGER NOT NULL, shows_presence INTEGER NOT NULL, spent REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE owner (jid TEXT PRIMARY KEY, dnd INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE block (owner TEXT NOT NULL, jid TEXT NOT NULL, PRIMARY KEY (owner, jid)) WITHOUT ROWID;
    CREATE TABLE used_token (hash TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE call (
        own TEXT NOT NULL, call TEXT NOT NULL, at REAL NOT NULL, peer TEXT NOT NULL, name TEXT NOT NULL, direction TEXT NOT NULL,
        audio INTEGER NOT NULL, video INTEGER NOT NULL, answered REAL NOT NULL, ended REAL NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (own, call, at)
    ) WITHOUT ROWID;
    CREATE INDEX call_by_time ON call (own, at);
    """,
)


_INSERTS = {kind: table.insert for kind, table in TABLES.items()}


GATHER = 0.1  # seconds that the record of a call waits for more, unless something else comes: one commit for all of them


@dataclass(frozen=True, slots=True)
class Write:
    query: str
    values: tuple[object, ...]
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What needs all earlier writes to be there: done by the writer between two commits."""

    do: Callable[[sqlite3.Connection], Any]
    done: Future[Any]


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
        self._queue: queue.SimpleQueue[Write | Work | None] = queue.SimpleQueue()
        self._hurry = threading.Event()  # something is there that does not wait
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

    def rows(self, kind: type[Row]) -> list[Row]:
        table = TABLES[kind]
        return [table.read(values) for values in self._read(table.select)]

    def _put(self, item: Write | Work | None) -> None:
        self._queue.put(item)
        self._hurry.set()

    def save(self, row: object) -> None:
        kind = type(row)
        write = Write(_INSERTS[kind], TABLES[kind].values(row), waits=kind is CallRecord)
        (self._queue.put if write.waits else self._put)(write)

    def delete(self, row: object) -> None:
        table = TABLES[type(row)]
        self._put(Write(table.delete, table.key_of(row)))

    async def find(self, kind: type[Row], *key: object) -> Row | None:
        table = TABLES[kind]
        found = await self._work(lambda database: database.execute(table.find, key).fetchone())
        return None if found is None else table.read(found)

    async def calls(self, own: str, before: float, limit: int) -> list[CallRecord]:
        table = TABLES[CallRecord]
        query = table.select + " WHERE own = ? AND at < ? ORDER BY at DESC LIMIT ?"
        found = await self._work(lambda database: database.execute(query, (own, before, limit)).fetchall())
        return [table.read(values) for values in found]

    def forget_calls(self, before: float) -> None:
        self._put(Write("DELETE FROM call WHERE at < ?", (before,)))

    async def backup(self, path: Path) -> None:
        def copy(database: sqlite3.Connection) -> None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(sqlite3.connect(path)) as target:
                database.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it

        try:
            await self._work(copy)
        except FileExistsError:
            raise OperatorError(f"{path} exists: name another file") from None
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(f"{path}: no backup could be written ({error})") from None

    async def _work(self, do: Callable[[sqlite3.Connection], Any]) -> Any:
        work = Work(do, Future())
        self._put(work)
        return await asyncio.wrap_future(work.done)

    def close(self) -> None:
        self._put(None)
        self._thread.join()

    def _write_all(self) -> None:
        """The writer: takes whatever is queued into one transaction."""
        database = sqlite3.connect(self._path, isolation_level=None)  # a statement alone is a transaction
        database.execute("PRAGMA synchronous=NORMAL")
        running = True
        while running:
            batch = [self._queue.get()]
            if isinstance(batch[0], Write) and batch[0].waits:
                self._hurry.wait(GATHER)
            self._hurry.clear()
            while not self._queue.empty():
                batch.append(self._queue.get())
            running = None not in batch
            self._commit(database, [item for item in batch if isinstance(item, Write)])
            for work in (item for item in batch if isinstance(item, Work)):
                try:
                    work.done.set_result(work.do(database))
                except Exception as error:  # whoever asked shall hear of it
                    work.done.set_exception(error)
        database.close()

    @staticmethod
    def _commit(database: sqlite3.Connection, writes: list[Write]) -> None:
        try:
            with database:
                if len(writes) > 1:
                    database.execute("BEGIN")
                for write in writes:
                    database.execute(write.query, write.values)
            return
        except Exception:  # one of them; the others may well be written
            if len(writes) == 1:
                log.exception("store-write-failed", query=writes[0].query)
                return
        for write in writes:
            SqliteStore._commit(database, [write])
