"""Every fuzz target without a fuzzer: its seeds, and 1500 wounded copies of them with fixed seeds. A failure names its number.

The long runs with atheris are `python -m tests.fuzz`; here stands that the targets work, and that they reach what they are for.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz.__main__ import run
from tests.fuzz.mutations import wounded
from tests.fuzz.targets import TARGETS, seeds

pytestmark = pytest.mark.no_cover  # see pyproject.toml


CASES = 1500


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_good_input(name):
    """A seed that is refused teaches the fuzzer nothing: at most every third, kept for what it is refused for."""
    refused = 0
    for text in seeds(name):
        try:
            TARGETS[name].run(text)
        except TARGETS[name].allowed:
            refused += 1
    assert refused * 3 <= len(seeds(name))


@pytest.mark.parametrize("name", TARGETS)
def test_only_allowed_exceptions_and_no_broken_rule(name):
    target, sources = TARGETS[name], seeds(name)
    passed = 0
    for number in range(CASES):
        chance = random.Random(f"{name} {number}")
        text = wounded(chance, chance.choice(sources), sources)
        try:
            target.run(text)
            passed += 1
        except target.allowed:
            pass
        except Exception as problem:
            raise AssertionError(f"{name}, number {number}: {problem!r} on {text!r}") from problem
    assert passed > CASES // 20, "nearly everything is refused: the wounds are too deep to test anything"


def test_the_runner_counts_and_tells_a_dead_process_from_a_good_one(tmp_path, monkeypatch):
    good = run("jmi", 300, 1, 0, tmp_path)
    assert good.finding is None and good.executions >= 300 and good.edges > 50
    monkeypatch.setitem(TARGETS, "unheard-of", TARGETS["jmi"])
    assert run("unheard-of", 300, 1, 0, tmp_path).finding is not None
