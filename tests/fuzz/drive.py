"""One target under atheris: ``python -m tests.fuzz.drive TARGET [libFuzzer's arguments]``. It ends the process; `tests.fuzz` starts it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import atheris

# Only our own modules: edges inside lxml or json are not what we look for, and cost half of the speed.
with atheris.instrument_imports(include=["jinglebridge"]):
    from tests.fuzz.targets import TARGETS, Target, seeds

from tests.fuzz.mutations import wounded

MAX_INPUT = 2560  # bytes; what is linear beyond that is for the tests of growth


def input_of(target: Target) -> Callable[[bytes], None]:
    def one(data: bytes) -> None:
        try:
            target.run(data.decode("utf-8", "replace"))
        except target.allowed:
            pass

    return one


def mutator(name: str) -> Callable[[bytes, int, int], bytes]:
    """Mostly wounds of lines, tags and words; now and then the fuzzer's own, which learns from comparisons in the code."""
    others = seeds(name)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        return wounded(chance, data.decode("utf-8", "replace"), others).encode("utf-8", "replace")[:max_size]

    return mutate


def main() -> None:
    name = sys.argv[1]
    arguments = [sys.argv[0], f"-max_len={MAX_INPUT}", "-timeout=20", "-rss_limit_mb=2048", *sys.argv[2:]]
    atheris.Setup(arguments, input_of(TARGETS[name]), custom_mutator=mutator(name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
