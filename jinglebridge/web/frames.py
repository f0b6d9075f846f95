"""From bytes of a socket to a frame, and from an exception to an error frame: once, for every transport.

Spec: DESIGN §5 (frames ≤ 96 KiB, depth ≤ 16).
"""

from __future__ import annotations

from typing import cast

import msgspec

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import messages as m

MAX_FRAME = 96 * 1024
MAX_DEPTH = 16


class _Head(msgspec.Struct):
    type: str | None = None
    id: str | None = None


_head = msgspec.json.Decoder(_Head)


def read(data: str) -> m.ClientFrame:
    """One frame. Raises EndpointError too-big, bad-frame or unknown-type."""
    if len(data) > MAX_FRAME // 4 and (len(data) > MAX_FRAME or len(data.encode()) > MAX_FRAME):
        raise EndpointError("too-big", f"a frame has at most {MAX_FRAME} bytes")
    if data.count("{") + data.count("[") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise EndpointError("bad-frame", f"JSON nested deeper than {MAX_DEPTH}")
    try:
        return m.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        type = peek(data).type
        if type is not None and type not in m.CLIENT_TYPES:
            raise EndpointError("unknown-type", f"this server does not know {type[:40]!r}") from None
        raise EndpointError("bad-frame", str(error)[:200]) from None


def peek(data: str) -> _Head:
    """`type` and `id` of a frame that may be wrong otherwise."""
    try:
        return _head.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return _Head()


def _depth(data: str) -> int:
    """Nesting of JSON text; brackets inside strings do not count."""
    deepest = depth = 0
    quoted = escaped = False
    for char in data:
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest


def error_frame(id: str | None, error: Exception) -> m.Error:
    """What the client is told; a bug of ours is `internal` without its text."""
    if not isinstance(error, ProtocolError):
        return m.Error(id=id, code="internal", message="internal error; the operator's log knows more")
    what = error.what if isinstance(error, EndpointError) else None
    return m.Error(id=id, code=cast(m.ErrorCode, error.code), message=str(error), what=what)  # type: ignore[arg-type]
