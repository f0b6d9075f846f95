"""The command line: every command of the table works, mistakes are one line with a status, and nothing is imported too early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jinglebridge import __version__, cli
from jinglebridge.errors import BadRequest, ConfigError, OperatorError
from tests.unit.cases import small


def test_the_commands_of_the_design():
    assert set(cli.COMMANDS) == {
        "run",
        "demo",
        "check-config",
        "doctor",
        "token",
        "devices",
        "link",
        "calls",
        "backup",
        "stop",
        "translate",
    }


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in cli.COMMANDS), ["token", "create", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    out = capsys.readouterr().out
    assert caught.value.code == 0 and out.startswith("usage: jinglebridge") and ("--help" in out)


@pytest.mark.parametrize("words", [[], ["nonsense"], ["run"], ["run", "--nonsense"], ["calls", "hide"], ["token"]])
def test_wrong_arguments_are_status_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (OperatorError("mend it"), 1, "jinglebridge: mend it\n"),
        (ConfigError("wrong key"), 2, "jinglebridge: wrong key\n"),
        (BadRequest("bad"), 1, "jinglebridge: bad\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_errors_become_a_line_and_a_status(
    error: BaseException, status: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(args: object) -> int:
        raise error

    from jinglebridge.commands import check_config

    monkeypatch.setattr(check_config, "run", fail)
    assert cli.main(["check-config"]) == status and capsys.readouterr().err == shown


def test_check_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "c.toml"
    path.write_text('[xmpp]\ndomain = "c.test"\nsecret = "s"\n')
    assert cli.main(["check-config", str(path)]) == 0 and "good. Component c.test" in capsys.readouterr().out
    assert cli.main(["check-config"]) == 2
    assert cli.main(["check-config", "--sample"]) == 0 and "[xmpp]" in capsys.readouterr().out


def program(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "jinglebridge", *words], input=stdin, capture_output=True, timeout=60)


def test_translate_in_a_pipe():
    xml = program("translate", stdin=small().encode())
    assert xml.returncode == 0 and xml.stdout.startswith(b"<jingle") and xml.stderr == b""
    back = program("translate", "--to", "sdp", stdin=xml.stdout)
    assert b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in back.stdout
    bad = program("translate", stdin=b"nonsense")
    assert bad.returncode == 1 and bad.stderr.startswith(b"jinglebridge: cannot translate") and bad.stderr.count(b"\n") == 1


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys; from jinglebridge.cli import main; main(['check-config', '--sample']); print('#', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.rpartition("#")[2].split()
    assert not {"aiortc", "slixmpp", "aiohttp", "lxml"} & set(loaded)


def test_the_bridge_does_not_import_aiortc_to_start():
    """DESIGN §6: ready in under a second."""
    code = "import sys; import jinglebridge.service.bridge, jinglebridge.commands.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiortc", "av", "lxml", "playwright"} & set(done.stdout.split())
