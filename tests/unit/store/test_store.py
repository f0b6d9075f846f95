"""Both stores keep what they are told, in one shared test class; the file has migrations and one owner."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jinglebridge.calls.people import Avatar, Block, CallRecord, Contact, Device, Link, Owner, Person, UsedToken
from jinglebridge.errors import OperatorError
from jinglebridge.store import sqlite as module
from jinglebridge.store.base import Store
from jinglebridge.store.memory import MemoryStore
from jinglebridge.store.sqlite import SqliteStore
from jinglebridge.store.tables import TABLES
from tests.unit.fakes import logged

ANNA, BOB = "anna@call.test", "bob@im.test"
ROW = Contact(ANNA, BOB, to=True)
Reopen = Callable[[], Store]


def record(call: str, at: float, own: str = ANNA) -> CallRecord:
    return CallRecord(own, call, at, BOB, "Bob", "in", True, False, at + 3, at + 60, "ended")


SAMPLES: list[tuple[object, object]] = [  # a row, and another one with the same key
    (Contact(ANNA, BOB, to=True, asking=True), Contact(ANNA, BOB, from_=True, wanted=True, name="Bob", audio=True)),
    (Person(ANNA, "Anna"), Person(ANNA, "Anna B", "image/png", "0a")),
    (Avatar(ANNA, b"\x89PNG\x00"), Avatar(ANNA, b"RIFF")),
    (
        Device("d1", "h1", "anna", "Anna", "Firefox", 1.5, 2.5, "operator", (BOB, "eve@x"), ("*",)),
        Device("d1", "h2", "anna", "Anna", "Firefox", 1.5, 9.25, "address"),
    ),
    (Link("l1", "h1", BOB, "shop", 1.0, 0.0), Link("l1", "h1", BOB, "shop", 1.0, 99.5, True, False, True, 50.25)),
    (Owner(BOB), Owner(BOB, dnd=True)),
    (Block(BOB, "spam.test"), Block(BOB, "spam.test")),
    (UsedToken("h", 1.0), UsedToken("h", 2.0)),
    (record("c", 1.0), CallRecord(ANNA, "c", 1.0, BOB, "", "out", False, True)),
]


class StoreTests:
    """What every store does. `reopen` closes it and opens it again, where that means anything."""

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        raise NotImplementedError

    def test_a_new_store_is_empty(self, reopen: Reopen):
        store = reopen()
        assert {kind: store.rows(kind) for kind in TABLES} == {kind: [] for kind in TABLES}

    def test_each_table_has_a_sample(self):
        assert {type(row) for row, _ in SAMPLES} == set(TABLES)

    @pytest.mark.parametrize(("row", "later"), SAMPLES, ids=[type(row).__name__ for row, _ in SAMPLES])
    def test_rows(self, reopen: Reopen, row: object, later: object):
        store = reopen()
        store.save(row)
        store = reopen()
        assert store.rows(type(row)) == [row]
        store.save(later)
        store = reopen()
        assert store.rows(type(row)) == [later]
        store.delete(row)
        store.delete(row)
        assert reopen().rows(type(row)) == []

    async def test_one_row_is_found_by_its_key(self, reopen: Reopen):
        store = reopen()
        store.save(Avatar(ANNA, b"\x00picture"))
        store.save(Block(ANNA, BOB))
        assert await store.find(Avatar, ANNA) == Avatar(ANNA, b"\x00picture"), "what was saved just now is there"
        assert await store.find(Block, ANNA, BOB) == Block(ANNA, BOB) and await store.find(Avatar, BOB) is None

    async def test_calls_come_latest_first_and_in_pages(self, reopen: Reopen):
        store = reopen()
        for number in range(5):
            store.save(record(f"c{number}", float(number)))
        store.save(record("other", 2.5, BOB))
        assert [r.call for r in await store.calls(ANNA, 1e9, 3)] == ["c4", "c3", "c2"], "what was saved just now is there"
        assert await store.calls(ANNA, 2.0, 3) == [record("c1", 1.0), record("c0", 0.0)]
        store.forget_calls(3.0)
        assert [r.call for r in await store.calls(ANNA, 1e9, 9)] == ["c4", "c3"] and await store.calls(BOB, 1e9, 9) == []


class TestMemory(StoreTests):
    @pytest.fixture
    def reopen(self) -> Iterator[Reopen]:
        store = MemoryStore()
        yield lambda: store
        store.close()


class TestSqlite(StoreTests):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        opened: list[SqliteStore] = []

        def reopen() -> Store:
            if opened:
                opened.pop().close()
            opened.append(SqliteStore(tmp_path / "s.db"))
            return opened[-1]

        yield reopen
        for store in opened:
            store.close()

    def test_only_the_owner_may_read_it(self, reopen: Reopen, tmp_path: Path):
        reopen().save(ROW)
        reopen()
        assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()} == {0o600}

    def test_many_writes_are_in_order_and_all_there_after_close(self, reopen: Reopen):
        store = reopen()
        for number in range(2000):
            store.save(Contact(ANNA, f"p{number % 50}@x", to=number >= 1950))
        assert [row.to for row in reopen().rows(Contact)] == [True] * 50

    async def test_calls_wait_for_each_other_but_nothing_waits_for_them(self, reopen: Reopen, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "GATHER", 60.0)
        commits: list[int] = []
        commit = SqliteStore._commit
        monkeypatch.setattr(
            SqliteStore, "_commit", staticmethod(lambda database, writes: (commits.append(len(writes)), commit(database, writes)))
        )
        store = reopen()
        assert isinstance(store, SqliteStore)
        store.save(record("c0", 0.0))
        while not store._queue.empty():  # noqa: ASYNC110  until the thread has it, which tells nobody
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert commits == [], "it waits"
        for number in range(1, 20):
            store.save(record(f"c{number}", float(number)))
        assert len(await store.calls(ANNA, 1e9, 50)) == 20, "who asks finds them"
        store.save(record("c20", 20.0))
        store.save(ROW)
        await store.find(Owner, BOB)
        assert reopen().rows(Contact) == [ROW] and sum(commits) == 22 and len([n for n in commits if n]) <= 3

    def test_a_row_that_cannot_be_written_takes_no_other_with_it(self, reopen: Reopen):
        store = reopen()
        with logged() as lines:
            for number in range(300):
                store.save(replace(ROW, peer=f"p{number}@x"))
                store.save(Contact("\ud800", f"p{number}@x"))
            rows = reopen().rows(Contact)
        assert len(rows) == 300 and {row.own for row in rows} == {ANNA}
        assert [line["event"] for line in lines] == ["store-write-failed"] * 300
        assert "own" in lines[0]["query"] and ANNA not in str(lines), "no addresses in the log"

    async def test_a_backup_is_one_file_that_takes_the_stores_place(self, reopen: Reopen, tmp_path: Path):
        store = reopen()
        for number in range(500):
            store.save(replace(ROW, peer=f"p{number}@x"))
        target = tmp_path / "backup" / "copy.db"
        target.parent.mkdir()
        await store.backup(target)
        store.save(ROW)  # after it
        assert [f.name for f in target.parent.iterdir()] == ["copy.db"] and stat.S_IMODE(target.stat().st_mode) == 0o600
        restored = SqliteStore(target)
        assert len(restored.rows(Contact)) == 500 and ROW not in restored.rows(Contact)
        restored.save(ROW)
        restored.close()

    async def test_no_backup_over_a_file_or_where_none_can_be(self, reopen: Reopen, tmp_path: Path):
        store = reopen()
        (tmp_path / "there").write_text("keep me")
        with pytest.raises(OperatorError, match="exists: name another"):
            await store.backup(tmp_path / "there")
        with pytest.raises(OperatorError, match="no backup could be written"):
            await store.backup(tmp_path / "none" / "f")
        assert (tmp_path / "there").read_text() == "keep me"
        store.save(ROW)
        assert reopen().rows(Contact) == [ROW], "it goes on after both"

    def test_the_columns_are_those_declared(self, reopen: Reopen, tmp_path: Path):
        reopen()
        with closing(sqlite3.connect(tmp_path / "s.db")) as database:
            for table in TABLES.values():
                found = database.execute(f"PRAGMA table_info({table.name})").fetchall()
                assert tuple(name for _, name, *_ in found) == table.columns
                assert {name for _, name, _, _, _, key in found if key} == set(table.key)


async def test_memory_has_no_backup(tmp_path: Path):
    with pytest.raises(OperatorError, match="in memory"):
        await MemoryStore().backup(tmp_path / "f")


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_migrations_run_once_each_and_keep_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.db"
    store = SqliteStore(path)
    store.save(ROW)
    store.close()
    assert version(path) == len(module.MIGRATIONS)
    steps = ("CREATE TABLE extra (x INTEGER);", "INSERT INTO extra VALUES (7);")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, *steps))
    for _ in range(2):
        store = SqliteStore(path)
        assert store.rows(Contact) == [ROW] and store._read("SELECT x FROM extra") == [(7,)]
        store.close()
    assert version(path) == len(module.MIGRATIONS)


def test_contacts_of_the_first_version_are_taken_over(tmp_path: Path):
    path = tmp_path / "s.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript("".join(module.MIGRATIONS[:2]) + "PRAGMA user_version=2;")
        database.execute("INSERT INTO subscription VALUES (?,?,?,?,?,?,?)", (ANNA, BOB, 1, 0, 0, 1, 1))
        database.commit()
    store = SqliteStore(path)
    assert store.rows(Contact) == [Contact(ANNA, BOB, to=True, asking=True, wanted=True)]
    store.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    before = version(path)
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, "CREATE TABLE half (x INTEGER); NONSENSE;"))
    with pytest.raises(OperatorError, match="cannot be opened"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name = 'half'")]
    assert version(path) == before and names == []


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path):
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=999")
    with pytest.raises(OperatorError, match="newer jinglebridge: use that one"):
        SqliteStore(path)


@pytest.mark.parametrize("kind", ["folder", "garbage", "missing"])
def test_what_is_no_store_is_one_clear_line(tmp_path: Path, kind: str):
    path = tmp_path / "s.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(b"not a database " * 100)
    else:
        path = tmp_path / "none" / "s.db"
    with pytest.raises(OperatorError, match="the store cannot be opened") as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
