"""The two descriptions of a call as texts: in the journal, and in memory while a call does not change.

What the peer was told and has told is a `<jingle/>` each, what the endpoint said and was given is SDP; both are read back by the readers
of the wire.
"""

from __future__ import annotations

import json
import zlib
from copy import copy
from typing import Any

from jinglebridge import sdp
from jinglebridge.jingle import Jingle, jingle_text, read_jingle
from jinglebridge.translate.described import Described
from jinglebridge.translate.side import Side


def saved(side: Side) -> dict[str, Any]:
    """The side as JSON types."""
    return {
        "own": _text(side.own),
        "peer": _text(side.peer),
        "said": None if side.said is None else side.said.format(),
        "shown": None if side.shown is None or side.shown is side.said else side.shown.format(),
        "names": side.names,
        "added": list(side.added),
        "active": side.active,
        "version": side.version,
        "candidates": side.candidates,
    }


def restore(blank: Side, data: dict[str, Any]) -> Side:
    """`blank` with everything that `saved` kept."""
    side = copy(blank)
    side.own, side.peer = _described(data["own"]), _described(data["peer"])
    side.said = None if data["said"] is None else sdp.parse(data["said"])
    side.shown = side.said if data["shown"] is None else sdp.parse(data["shown"])
    side.names, side.added = data["names"], tuple(data["added"])
    side.active, side.version, side.candidates = data["active"], data["version"], data["candidates"]
    return side


def pack(data: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 1)


def unpack(packed: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(zlib.decompress(packed))
    return data


def _text(described: Described | None) -> str | None:
    if described is None:
        return None
    return jingle_text(Jingle("session-info", "0", contents=described.contents, groups=described.groups, unknown=described.unknown))


def _described(text: str | None) -> Described | None:
    if text is None:
        return None
    jingle = read_jingle(text)
    return Described(jingle.contents, jingle.groups, jingle.unknown)
