"""Run fuzz targets, each in a process of its own, two at a time.

    python -m tests.fuzz [--runs N] [--findings FOLDER] [--seed N] [--seconds N] [TARGET …]

Exit status 1 if there is a finding. Its input is kept in the folder, and the output says how to see it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import SEEDS, TARGETS

_DONE = re.compile(r"^#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_SEEN = re.compile(r"^#(\d+)\s", re.MULTILINE)


class Result(NamedTuple):
    target: str
    executions: int
    edges: int
    seconds: float
    finding: Path | None
    output: str


def run(target: str, runs: int, seed: int, seconds: int, findings: Path) -> Result:
    """One target until `runs` inputs, `seconds` (0: no limit) or its first finding."""
    folder = findings / target
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    with tempfile.TemporaryDirectory() as learned:
        command = [sys.executable, "-m", "tests.fuzz.drive", target, f"-runs={runs}", f"-seed={seed}"]
        command += [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-print_final_stats=1", learned]
        command.append(str(SEEDS / TARGETS[target].seeds))
        began = os.times().elapsed
        # One seed of hashes: sets have the same order in every run, and a finding is found again.
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=os.environ | {"PYTHONHASHSEED": "0"}, check=False
        )
    text = done.stdout + done.stderr
    found = _DONE.search(text)
    executions = int(found[1]) if found else max(map(int, _SEEN.findall(text)), default=0)
    new = sorted(set(folder.iterdir()) - before)
    broken = new[0] if new else folder if done.returncode or not found else None
    return Result(target, executions, int(found[2]) if found else 0, os.times().elapsed - began, broken, text)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def report(result: Result) -> None:
    finding = "no finding" if result.finding is None else "FINDING"
    say(f"{result.target:10} {result.executions:>9} executions, {result.edges:>5} edges, {result.seconds:6.0f} s: {finding}")
    if result.finding is not None:
        lines = [line for line in result.output.splitlines() if not line.startswith(("INFO: ", "#"))]
        say("\n".join(lines)[-6000:])
        say(f"To see it again: python -m tests.fuzz.drive {result.target} {result.finding}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads the words of strangers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(TARGETS)}")
    parser.add_argument("--runs", type=int, default=20_000, help="inputs for each target (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default 1)")
    parser.add_argument("--seconds", type=int, default=0, help="end a target after this time; default: never")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"), help="folder for the inputs of findings (default build/fuzz)")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed; for Linux on x86-64 it comes with: pip install 'jinglebridge[test]'")
    names = options.targets or list(TARGETS)
    findings = options.findings.resolve()
    results = []
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        waiting = [pool.submit(run, name, options.runs, options.seed, options.seconds, findings) for name in names]
        for one in waiting:
            results.append(one.result())
            report(results[-1])
    bad = [result.target for result in results if result.finding is not None]
    total = sum(result.executions for result in results)
    say(f"fuzz: {len(results)} targets, {total} executions, {len(bad)} findings{': ' + ', '.join(bad) if bad else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
