"""Ports for private servers: no two processes get the same."""

from __future__ import annotations

import subprocess
import sys

from jinglebridge.demo import lab_server

CODE = """
import random, sys
from jinglebridge.demo import lab_server
found = iter(map(int, sys.argv[2:]))
random.randrange = lambda low, high: next(found)
print(lab_server.free_port(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def asked(span: int, *looked_at: int) -> subprocess.Popen[str]:
    """Another process that looks at these ports."""
    command = [sys.executable, "-c", CODE, str(span), *map(str, looked_at)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_what_one_process_was_given_no_other_gets():
    three, one = lab_server.free_port(3), lab_server.free_port()
    with asked(2, three, three + 1, three + 2, one - 1, one) as process:
        found, _ = process.communicate(timeout=20)
    assert found == "" and process.returncode != 0, "all that it looked at is taken, or the one beside it"


def test_until_it_ends():
    with asked(1, *range(17900, 18000)) as process:
        assert process.stdin is not None and process.stdout is not None
        port = int(process.stdout.readline())
        assert not lab_server._claimed(port)
        process.stdin.close()
        process.wait(timeout=20)
    assert lab_server._claimed(port)
