"""A network of its own for the calling thread and for every process that it starts from then on.

Dino finds its server at port 5222 of the domain only, and has it checked against the system's certificates. Both are made
true inside namespaces, so that nothing outside is altered: no line in /etc/hosts, no certificate, no port.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jinglebridge.demo.lab import LabError

ADDRESS = "192.0.2.1"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# Files of the system that a program inside sees replaced: pairs of (ours, system's), then `--`, then the program.
_REPLACED = 'while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@"'


def _do(result: int, what: str) -> None:
    if result:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(
            f"the tests with Dino need {what} of their own, and that was refused ({reason}): run them as root, "
            "in a container with --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        )


@contextmanager
def own_network() -> Iterator[None]:
    """This thread sits in a new, empty network (127.0.0.0/8 only) and comes back at the end. Other threads do not notice.

    Raises LabError where the system does not allow it.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _do(_libc.unshare(CLONE_NEWNET), "a network")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            # With 127.0.0.1 as the only address, the resolver says that names of the hosts file do not exist (AI_ADDRCONFIG).
            subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
            yield
        finally:
            _do(_libc.setns(home, CLONE_NEWNET), "the way back to a network")
    finally:
        os.close(home)


def seeing(files: dict[str, Path], command: Sequence[str]) -> list[str]:
    """`command` such that it sees our files in place of the system's. The process id stays that of the command."""
    pairs = [word for system, ours in files.items() for word in (str(ours), system)]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _REPLACED, "sh", *pairs, "--", *command]
