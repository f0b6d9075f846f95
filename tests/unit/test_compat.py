"""Every workaround for a client is known to `scripts/compat_table.py`, which takes each away and wants a test to fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("compat_table", ROOT / "scripts" / "compat_table.py")
assert SPEC is not None and SPEC.loader is not None
compat = sys.modules["compat_table"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(compat)
TABLE = compat.entries(ROOT / "scripts" / "compat_table.toml")


def test_every_line_has_its_entry_and_every_entry_its_line():
    lines = compat.compat_lines(ROOT)
    pairs, complaints = compat.paired(lines, TABLE)
    assert complaints == [] and len(pairs) == len(lines) > 30


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: f"{Path(entry['file']).stem}: {entry['compat']}")
def test_an_entry_names_text_and_tests_that_exist(entry):
    assert (ROOT / entry["at"]).read_text(encoding="utf-8").count(entry["old"]) == 1
    for test in entry["tests"]:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_a_line_without_an_entry_and_an_entry_without_a_line_are_told():
    line = compat.Line("jinglebridge/x.py", "Dino", "does odd things")
    entry = {"file": "jinglebridge/x.py", "compat": "even things"}
    assert compat.paired([line], [entry]) == (
        [],
        ["0 entries for jinglebridge/x.py: COMPAT(Dino): does odd things", "no COMPAT line for the entry jinglebridge/x.py: even things"],
    )
