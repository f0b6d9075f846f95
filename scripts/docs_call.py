"""The recorded call of docs/topics/one-call.md: frames and stanzas from one-call.jsonl, laid out for reading.

`scripts/screenshots.py --record` records. Only long lists are shortened here, and a comment says by how much.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.dom import minidom

LONG_LISTS = ("payload-type", "rtp-hdrext")  # of a description: the first one is shown
SDP_LINES = 4  # of a description in a frame


def sections(record: Path) -> dict[str, Callable[[], str]]:
    """Section name -> its text. ``frame page call`` is the first `call` frame of the page, ``stanza propose`` the first propose."""
    if not record.exists():
        return {}
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    found: dict[str, Callable[[], str]] = {}
    for line in lines:
        if "frame" in line:
            name = _frame_name(line)
            found.setdefault(name, lambda frame=line["frame"]: _fenced("json", _json(frame)))  # type: ignore[misc]
        else:
            name = f"stanza {'to' if line['dir'] == 'in' else 'from'} contact {line['what']}"
            found.setdefault(name, lambda xml=line["xml"]: _fenced("xml", pretty(xml)))  # type: ignore[misc]
    return {name: found[name] for name in _SHOWN if name in found}


_SHOWN = (
    "frame page hello", "frame bridge welcome", "frame page ice", "frame bridge ice", "frame page call", "frame bridge state ringing",
    "frame bridge state accepted", "frame page candidate", "frame bridge description", "frame bridge state connected",
    "frame bridge candidate", "frame page stats", "frame page hangup", "frame bridge ended",
    "stanza to contact propose", "stanza from contact ringing", "stanza from contact proceed", "stanza to contact session-initiate",
    "stanza to contact transport-info", "stanza from contact session-accept", "stanza from contact transport-info",
    "stanza to contact session-terminate", "stanza to contact finish", "stanza from contact finish",
)  # fmt: skip


def _frame_name(line: dict[str, Any]) -> str:
    frame = line["frame"]
    return " ".join(["frame", line["from"], frame["type"], *([frame["state"]] if frame["type"] == "state" else [])])


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _json(frame: Any) -> str:
    return json.dumps(_short(frame), indent=2, ensure_ascii=False)


def _short(value: Any) -> Any:
    """The same with long SDP cut after its first lines."""
    if isinstance(value, list):
        return [_short(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {key: _short(item) for key, item in value.items()}
    lines = str(out.get("sdp", "")).splitlines()
    if len(lines) > SDP_LINES:
        out["sdp"] = "\r\n".join(lines[:SDP_LINES]) + f"\r\n… ({len(lines) - SDP_LINES} more lines)"
    return out


def pretty(xml: str) -> str:
    """Indented XML, attributes in the order of the wire."""
    root = minidom.parseString(xml).documentElement
    assert root is not None
    for description in root.getElementsByTagName("description"):
        for name in LONG_LISTS:
            _shorten(description, [node for node in description.childNodes if node.nodeName == name])
    return "\n".join(line for line in root.toprettyxml(indent="  ").splitlines() if line.strip())


def _shorten(parent: minidom.Element, nodes: list[Any]) -> None:
    """Keep the first of these children of `parent`; a comment counts the others."""
    rest = nodes[1:]
    if not rest:
        return
    comment = rest[0].ownerDocument.createComment(f" {len(rest)} more {rest[0].nodeName} ")
    parent.replaceChild(comment, rest[0])
    for node in rest[1:]:
        parent.removeChild(node)
