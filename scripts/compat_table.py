"""Takes away every workaround for a client, one by one, and sees whether a test notices. Prints a Markdown table.

    python scripts/compat_table.py [FILTER]

Every ``COMPAT(`` line of the package must have an entry in ``compat_table.toml``: a small change that removes the behaviour, and the tests
that must fail with it. The changes are made in a copy of the repository. FILTER runs only the lines whose file or text holds it.
Exit status 1: a line without an entry, an entry without a line, or a test that does not care.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("jinglebridge", "tests", "client", "ejabberd", "prosody", "docs", "scripts", "pyproject.toml", "README.md")
COMPAT = re.compile(r"(?<![A-Z_])COMPAT\(([^)]*)\): *(.*?) *(?=COMPAT\(|$)", re.MULTILINE)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
ALL_GOOD, SOME_FAILED = 0, 1  # pytest's exit status


class Line(NamedTuple):
    """One COMPAT line of the package."""

    file: str
    client: str
    text: str


def compat_lines(root: Path) -> list[Line]:
    """All of them, in the order of the files. A comment that goes on in the next line is known by its first."""
    paths = sorted((root / "jinglebridge").rglob("*.py"))
    return [Line(str(p.relative_to(root)), m[1], m[2].strip('"')) for p in paths for m in COMPAT.finditer(p.read_text(encoding="utf-8"))]


def entries(path: Path) -> list[dict[str, Any]]:
    """The table, each entry with its `file`. Quotes around the names of files are TOML's."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [{"file": file, "at": file, **entry} for file, found in table.items() for entry in found]


def paired(lines: list[Line], table: list[dict[str, Any]]) -> tuple[list[tuple[Line, dict[str, Any]]], list[str]]:
    """(pairs, complaints)."""
    pairs, complaints = [], []
    left = list(table)
    for line in lines:
        mine = [e for e in left if e["file"] == line.file and e["compat"] in line.text]
        if len(mine) == 1:
            left.remove(mine[0])
            pairs.append((line, mine[0]))
        else:
            complaints.append(f"{len(mine)} entries for {line.file}: COMPAT({line.client}): {line.text}")
    complaints += [f"no COMPAT line for the entry {e['file']}: {e['compat']}" for e in left]
    return pairs, complaints


def copy(root: Path, to: Path) -> None:
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(root / name, to / name)


def run(folder: Path, tests: list[str]) -> int:
    """pytest's exit status. No bytecode is kept: two changes of a file may have the same time and size."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*PYTEST, *tests], cwd=folder, capture_output=True, env=environment).returncode


def noticed(folder: Path, entry: dict[str, Any]) -> str:
    """``yes``, or why not."""
    path = folder / entry["at"]
    text = path.read_text(encoding="utf-8")
    if text.count(entry["old"]) != 1:
        return f"**no**: its text occurs {text.count(entry['old'])} times"
    path.write_text(text.replace(entry["old"], entry["new"]), encoding="utf-8")
    try:
        status = run(folder, entry["tests"])
    finally:
        path.write_text(text, encoding="utf-8")
    return {SOME_FAILED: "yes", ALL_GOOD: "**no**: passes without it"}.get(status, f"**no**: pytest ended with {status}")


def main(filter: str = "") -> int:
    pairs, complaints = paired(compat_lines(ROOT), entries(Path(__file__).with_suffix(".toml")))
    pairs = [(line, entry) for line, entry in pairs if filter in f"{line.file} {line.client} {line.text}"]
    if not pairs:
        print(f"no COMPAT line with {filter!r}", file=sys.stderr)  # noqa: T201
        return 1
    print("| COMPAT line | client | test | fails without it |\n|---|---|---|---|")  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(ROOT, folder)
        every = sorted({test for _, entry in pairs for test in entry["tests"]})
        if run(folder, every) != ALL_GOOD:
            complaints.append("the tests do not even pass as things are: nothing below means anything")
        for line, entry in pairs:
            answer = noticed(folder, entry)
            tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in entry["tests"])
            print(f"| `{line.file}`: {line.text.replace('|', '/')} | {line.client} | {tests} | {answer} |", flush=True)  # noqa: T201
            if answer != "yes":
                complaints.append(f"{line.file}: {entry['compat']}: {answer}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
