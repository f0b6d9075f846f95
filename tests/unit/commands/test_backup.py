"""`backup`: by the running bridge, else from the store; what is restored is what was there."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jinglebridge import cli
from jinglebridge.calls.people import Contact
from jinglebridge.service.admin import AdminSocket
from jinglebridge.store.sqlite import FILE, SqliteStore

ROW = Contact("anna@c.test", "bob@im.test", to=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="jb-"))  # short: a socket path has at most 107 bytes
    (made / "c.toml").write_text(f'[xmpp]\ndomain = "c.test"\nsecret = "s"\n[store]\npath = "{made}"\n')
    yield made
    shutil.rmtree(made)


def backup(folder: Path, name: str = "copy.db") -> int:
    return cli.main(["backup", str(folder / name), "--config", str(folder / "c.toml")])


def test_without_a_bridge(folder: Path, capsys: pytest.CaptureFixture[str]):
    store = SqliteStore(folder / FILE)
    store.save(ROW)
    store.close()
    assert backup(folder) == 0
    out = capsys.readouterr().out
    assert f"{folder / 'copy.db'}: " in out and f"remove {folder / FILE}-wal" in out
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(folder / "copy.db", folder / FILE)  # as the text says
    restored = SqliteStore(folder / FILE)
    assert restored.rows(Contact) == [ROW]
    restored.close()


def test_what_it_says_when_it_cannot(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert backup(folder) == 1
    assert "no such file: there is nothing to back up" in capsys.readouterr().err
    assert not (folder / "copy.db").exists() and not (folder / FILE).exists()
    SqliteStore(folder / FILE).close()
    assert backup(folder) == 0 and backup(folder) == 1
    assert "exists: name another file" in capsys.readouterr().err


async def test_a_running_bridge_writes_what_it_has_not_written_yet(folder: Path, capsys: pytest.CaptureFixture[str]):
    store = SqliteStore(folder / FILE)
    socket = AdminSocket(folder / "admin.sock", SimpleNamespace(backup=store.backup))  # type: ignore[arg-type]
    await socket.start()
    try:
        for number in range(300):
            store.save(Contact("anna@c.test", f"p{number}@im.test", to=True))
        assert await asyncio.to_thread(backup, folder) == 0
        assert await asyncio.to_thread(backup, folder) == 1
        assert "the bridge refused" in capsys.readouterr().err
    finally:
        await socket.stop()
        store.close()
    copy = SqliteStore(folder / "copy.db")
    assert len(copy.rows(Contact)) == 300
    copy.close()
