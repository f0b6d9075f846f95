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

ADDRESS = "192.0.2.1"  # of documentation (RFC 5737); nothing is sent there
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# Files of the system that a program inside sees replaced: pairs of (ours, system's), then `--`, then the program.
_REPLACED = 'while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@"'


def _do(result: int) -> None:
    if result:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(
            f"the tests with Dino need a network and mounts of their own, and that was refused ({reason}): run them as root; or, where "
            "users may have namespaces, with `unshare --user --map-root-user --net` before the command; in a container both need "
            "--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        )


def _ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


def _wire() -> None:
    """Loopback, and a cable with both ends here: libnice takes no address of the loopback, and with 127.0.0.1 alone the resolver
    says that no name of the hosts file exists (AI_ADDRCONFIG)."""
    kinds = (("veth", "peer", "name", "wire1"), ("dummy",))
    if not any(_ip("link", "add", "wire0", "type", *kind) for kind in kinds):
        raise LabError("the tests with Dino need a network interface of kind veth or dummy, and this kernel makes neither")
    _ip("link", "set", "wire1", "up")
    for words in (("link", "set", "lo", "up"), ("link", "set", "wire0", "up"), ("address", "add", f"{ADDRESS}/24", "dev", "wire0")):
        subprocess.run(["ip", *words], check=True)


@contextmanager
def _and_back() -> Iterator[None]:
    """At the end this thread is in its network again."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _do(_libc.setns(home, CLONE_NEWNET))  # may we come back?
        try:
            yield
        finally:
            _do(_libc.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)


@contextmanager
def in_network(pid: int) -> Iterator[None]:
    """This thread sits in the network of this process meanwhile. A socket stays in the one where it was made."""
    with _and_back(), open(f"/proc/{pid}/ns/net") as other:
        _do(_libc.setns(other.fileno(), CLONE_NEWNET))
        yield


@contextmanager
def own_network() -> Iterator[None]:
    """This thread sits in a new, empty network (ADDRESS and 127.0.0.0/8) and comes back at the end. Other threads do not notice.

    Raises LabError where the system does not allow it.
    """
    with _and_back():
        _do(_libc.unshare(CLONE_NEWNET))
        _wire()
        yield


def seeing(files: dict[str, Path], command: Sequence[str]) -> list[str]:
    """`command` such that it sees our files in place of the system's. The process id stays that of the command."""
    pairs = [word for system, ours in files.items() for word in (str(ours), system)]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _REPLACED, "sh", *pairs, "--", *command]
