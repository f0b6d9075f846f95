"""Imports point one way, and the core stays pure. The map is in the contributor documentation.

errors <- xml, sdp <- jingle <- translate <- calls <- {xmpp, web, store, media} <- service <- {demo, commands} <- cli
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "jinglebridge"
XML = ("kept", "printable", "values", "xml", "xmlcode", "xmlparts", "xmlpieces", "xmlread", "xmlshapes", "xmltext", "xmltypes")
CORE = {"errors", "jid", *XML, "sdp", "jingle", "translate", "calls"}
SHELLS = {"xmpp", "web", "store", "media"}
BELOW: dict[str, set[str]] = {"errors": set(), "sdp": {"errors", "kept", "printable"}} | {name: {"errors", *XML} for name in XML}
BELOW["jingle"] = {"errors", *XML, "sdp"}
BELOW["translate"] = BELOW["jingle"] | {"jingle"}
BELOW["jid"] = {"errors"}
BELOW["calls"] = BELOW["translate"] | {"translate", "jid"}
# Beside the core: configuration is data, logging is set up from it; shells and what is above them may use both.
BELOW["config"] = {"errors", "jid"}
BELOW["log"] = {"errors", "config"}
# Beside the shells: the check against XML Schemas, which only commands use.
BELOW["schemas"] = {"errors", *XML}
BELOW |= {shell: BELOW["calls"] | {"calls", "config", "log"} for shell in SHELLS}
BELOW["service"] = CORE | SHELLS | {"config", "log"}
BELOW["demo"] = BELOW["service"] | {"service", "demo"}
BELOW["commands"] = BELOW["demo"] | {"schemas"}
BELOW["cli"] = BELOW["commands"] | {"commands"}
BELOW["__main__"] = BELOW["cli"] | {"cli"}
IMPURE = {
    "asyncio",
    "slixmpp",
    "aiohttp",
    "aiortc",
    "lxml",
    "time",
    "datetime",
    "random",
    "secrets",
    "uuid",
    "socket",
    "threading",
    "os",
    "sys",
    "logging",
}
# The independent peer must not share our mistakes: it knows its own files only.
INDEPENDENT = ("demo/contact.py", "demo/peer/")
PEER = ("jinglebridge.demo.peer", "jinglebridge.demo.contact")

FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


def imported(path: Path) -> set[str]:
    """Dotted names of all imports of a file, those under TYPE_CHECKING and inside functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["jinglebridge", *path.relative_to(ROOT).parts[:-1]]
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names} if node.module in (None, "jinglebridge") else {module}
    return found


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_one_way(path):
    own = layer(path)
    assert own in BELOW, f"{own} has no place in the map"
    used = {dotted.split(".")[1] for dotted in imported(path) if dotted.startswith("jinglebridge.")} - {"__version__"}
    assert used <= BELOW[own] | {own}


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) in CORE], ids=name)
def test_the_core_has_no_io_no_clock_no_chance(path):
    assert not {dotted.split(".")[0] for dotted in imported(path)} & IMPURE


@pytest.mark.parametrize("path", [path for path in FILES if name(path).startswith(INDEPENDENT)], ids=name)
def test_the_independent_peer_imports_nothing_of_ours(path):
    ours = {dotted for dotted in imported(path) if dotted.split(".")[0] == "jinglebridge"}
    assert not {dotted for dotted in ours if not dotted.startswith(PEER)}
