"""The examples of the documentation are run: ``pycon`` blocks in Python, ``console`` blocks in a shell, both in an empty folder.

A block behind ``<!-- file: NAME -->`` is written to that folder first. ``...`` in an expected output stands for anything.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages(block: str) -> list[Path]:
    return [page for page in sorted(DOCS.rglob("*.md")) if f"```{block}\n" in page.read_text(encoding="utf-8")]


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def furnished(folder: Path, text: str) -> Path:
    """The folder with the page's files in it."""
    for name, content in re.findall(r"^<!-- file: ([\w.-]+) -->\n```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_the_pages_of_the_translator_have_examples() -> None:
    names = {page.name for page in pages("pycon")}
    assert {"translate.md", "extensions.md", "mapping.md"} <= names and [page.name for page in pages("console")] == ["translate.md"]


@pytest.mark.parametrize("page", pages("pycon"), ids=lambda page: page.stem)
def test_python_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(furnished(tmp_path, text))
    found = doctest.DocTestParser().get_doctest("\n".join(blocks(text, "pycon")), {}, page.name, str(page), 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(found, out=said.append)
    assert found.examples and said == [], "".join(said)


@pytest.mark.parametrize("page", pages("console"), ids=lambda page: page.stem)
def test_shell_examples(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    folder = furnished(tmp_path, text)
    (folder / "bin").mkdir()
    command = folder / "bin" / "jinglebridge"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m jinglebridge "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    checker, count = doctest.OutputChecker(), 0
    for block in blocks(text, "console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, wanted = example.partition("\n")
            done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
            got = done.stdout + done.stderr
            assert checker.check_output(wanted, got, FLAGS), f"$ {line}\n{got}\ninstead of\n{wanted}"
            count += 1
    assert count > 4
