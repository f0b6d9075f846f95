"""The journal: what a kill of the process must not lose. One row for each web session, for each live call, and for each ended one
whose end may be unknown to the peer. They are in one file, in order, so that no call is there without its session.

A file of its own, in WAL mode, readable by the owner only and never part of a backup: the rows of calls hold the passwords of their ICE
and are overwritten when the call ends. One thread writes; what comes while it writes goes into one commit. `synchronous=NORMAL`: a
commit is a write to the log without an fsync. That survives a kill of the process at any moment, since the system has the data; what a
power cut takes is calls that a power cut has ended anyway.

Spec: DESIGN §4 (Journal).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from jinglebridge.calls.effects import CallKey
from jinglebridge.calls.model import CallState
from jinglebridge.calls.people import SavedSession
from jinglebridge.errors import OperatorError

log = structlog.get_logger()

Rows = Mapping[CallKey, CallState | None]
Done = Callable[[], None]
Write = tuple[str, tuple[str, ...]]
Item = tuple[list[Write], Done | None]
LOG = 4 * 1024 * 1024  # characters of rows in the log until it is copied into the database
STATEMENT = 16 * 1024  # what a statement counts beside its row: pages that it frees are overwritten in the log too
CALLS = "CREATE TABLE IF NOT EXISTS call (own TEXT, peer TEXT, sid TEXT, state TEXT NOT NULL, PRIMARY KEY (own, peer, sid)) WITHOUT ROWID"


SESSIONS = "CREATE TABLE IF NOT EXISTS session (jid TEXT PRIMARY KEY, fields TEXT NOT NULL) WITHOUT ROWID"


class Journal(Protocol):
    """Reads happen at start; a write is one commit, in order."""

    def calls(self) -> Iterable[CallState]:
        """All rows."""

    def write(self, rows: Rows, done: Done | None = None) -> None:
        """Insert or replace, delete where there is None. The states are read before this returns; `done` is called when they are kept."""

    def sessions(self) -> Iterable[SavedSession]:
        """The web sessions that were open when the bridge last ran."""

    def save_session(self, session: SavedSession) -> None:
        """Insert or replace by JID."""

    def delete_session(self, jid: str) -> None: ...

    def close(self) -> None:
        """Write what is pending and close. Nothing may be called afterwards, and no `done` comes any more."""


class MemoryJournal:
    """A journal that forgets: for tests and for the library. Everything is kept at once."""

    def __init__(self) -> None:
        self.rows: dict[CallKey, str] = {}
        self._sessions: dict[str, SavedSession] = {}

    def calls(self) -> Iterable[CallState]:
        return [CallState.from_json(text) for text in self.rows.values()]

    def write(self, rows: Rows, done: Done | None = None) -> None:
        for key, state in rows.items():
            if state is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = state.to_json()
        if done is not None:
            done()

    def sessions(self) -> Iterable[SavedSession]:
        return list(self._sessions.values())

    def save_session(self, session: SavedSession) -> None:
        self._sessions[session.jid] = session

    def delete_session(self, jid: str) -> None:
        self._sessions.pop(jid, None)

    def close(self) -> None:
        pass


class SqliteJournal:
    """Must be made and used in a running loop, where each `done` is called.

    Raises OperatorError if the file can be neither read nor set aside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
        self._loop = asyncio.get_running_loop()
        self._put_by: list[Item] = []  # goes to the writer together at the end of this turn of the loop
        self._queue: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def _open(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            self._path.chmod(0o600)
            database.execute("PRAGMA journal_mode=WAL")
            for table in (CALLS, SESSIONS):
                database.execute(table)
            for probe in ("SELECT own, peer, sid, state FROM call LIMIT 1", "SELECT jid, fields FROM session LIMIT 1"):
                database.execute(probe).fetchall()

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """A journal that cannot be read costs the calls in it; it must not cost all those to come."""
        log.error(
            "journal-unreadable", path=str(self._path), error=str(error), hint="calls of the last run are lost; it is kept as .broken"
        )
        try:
            self._path.replace(self._path.with_suffix(".broken"))
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._open()
        except (OSError, sqlite3.Error) as again:
            raise OperatorError(f"{self._path}: the journal of calls cannot be opened ({again})") from None

    def calls(self) -> Iterable[CallState]:
        states = []
        for own, peer, sid, text in self._read("SELECT own, peer, sid, state FROM call"):
            try:
                states.append(CallState.from_json(text))
            except (ValueError, KeyError, TypeError) as error:  # written by a version that remembered something else
                log.error("journal-row-unreadable", sid=sid, error=type(error).__name__)
                self.write({(own, peer, sid): None})
        return states

    def write(self, rows: Rows, done: Done | None = None) -> None:
        self._put([_write(key, state) for key, state in rows.items()], done)

    def _put(self, writes: list[Write], done: Done | None = None) -> None:
        """Not at once: the writer would wake to wait for the interpreter, which the loop has until its turn is over."""
        if not self._put_by and not self._loop.is_closed():
            self._loop.call_soon(self._hand_over)
        self._put_by.append((writes, done))

    def _hand_over(self) -> None:
        put_by, self._put_by = self._put_by, []
        if put_by:
            self._queue.put(put_by)

    def sessions(self) -> Iterable[SavedSession]:
        found = []
        for jid, fields in self._read("SELECT jid, fields FROM session"):
            try:
                found.append(SavedSession(jid, **{name: _frozen(value) for name, value in json.loads(fields).items()}))
            except (ValueError, TypeError, AttributeError) as error:
                log.error("journal-row-unreadable", jid=jid, error=type(error).__name__)
                self.delete_session(jid)
        return found

    def save_session(self, session: SavedSession) -> None:
        fields = dataclasses.asdict(session)
        jid = fields.pop("jid")
        self._put([("INSERT OR REPLACE INTO session VALUES (?,?)", (jid, json.dumps(fields)))])

    def delete_session(self, jid: str) -> None:
        self._put([("DELETE FROM session WHERE jid=?", (jid,))])

    def _read(self, query: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            return database.execute(query).fetchall()

    def close(self) -> None:
        self._hand_over()
        self._queue.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        """The writer: whatever is queued goes into one transaction.

        The log is copied into the database, which waits for the disk, after the effects of a commit may go: SQLite itself would do it
        inside the commit that makes the log too long, and the call that it belongs to would wait.
        """
        database = sqlite3.connect(self._path, isolation_level=None)  # a statement alone is a transaction
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("PRAGMA secure_delete=ON")
        running, logged = True, 0
        while running:
            batches = [self._queue.get()]
            while not self._queue.empty():
                batches.append(self._queue.get())
            running = None not in batches
            writes = [item for batch in batches if batch is not None for item in batch]
            statements = [statement for rows, _ in writes for statement in rows]
            try:
                with database:
                    if len(statements) > 1:
                        database.execute("BEGIN")
                    for statement in statements:
                        database.execute(*statement)
            except Exception:  # a full disk must not end the calls that are up
                log.exception("journal-write-failed", rows=len(writes))
            self._tell([done for _, done in writes if done is not None])
            logged += sum(STATEMENT + sum(map(len, values)) for _, values in statements)
            if logged >= LOG:
                logged = 0
                with contextlib.suppress(sqlite3.Error):  # the next one may succeed
                    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def _tell(self, done: list[Done]) -> None:
        def run() -> None:
            for each in done:
                each()

        if done:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(run)


def _write(key: CallKey, state: CallState | None) -> Write:
    if state is None:
        return "DELETE FROM call WHERE own=? AND peer=? AND sid=?", key
    return "INSERT OR REPLACE INTO call VALUES (?,?,?,?)", (*key, state.to_json())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
