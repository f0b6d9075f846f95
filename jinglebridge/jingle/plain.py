"""A <jingle/> that is still text, read without a tree.

Most of a call are transport-infos with one candidate. All but the candidate is the same in all that come for one content, so it is read
once, and each candidate alone. It holds credentials, so `forget_trickled` is to be called now and then.

Spec: XEP-0176 §5.5
"""

from __future__ import annotations

from functools import lru_cache

from jinglebridge.errors import BadRequest
from jinglebridge.jingle.xep_0166 import JINGLE, Content, Jingle
from jinglebridge.jingle.xep_0167 import PAYLOAD_TYPE
from jinglebridge.jingle.xep_0176 import CANDIDATE, IceUdpTransport
from jinglebridge.values import replace

LONGEST = 1000  # characters before the candidate
_BEGIN, _END, _BEHIND = "<candidate ", "/>", "</transport></content></jingle>"


def plain_jingle(source: str) -> Jingle | None:
    """As `read_jingle`, but None where only a parser could tell what it says. Raises BadRequest. The size is not looked at."""
    return _trickled(source) or JINGLE.read_plain(source, PAYLOAD_TYPE.tag)


def _trickled(source: str) -> Jingle | None:
    """A transport-info with one candidate; None for anything else, and if that candidate is not one."""
    begin = source.find(_BEGIN)
    if not 0 < begin <= LONGEST or not source.endswith(_END + _BEHIND):
        return None
    around = _around(source[:begin])
    if around is None:
        return None
    jingle, content, transport = around
    try:
        candidate = CANDIDATE.read_inside(source[begin : -len(_BEHIND)])  # that of XEP-0371 is the same but for its namespace
    except BadRequest:
        return None
    if candidate is None:
        return None
    return replace(jingle, contents=(replace(content, transport=replace(transport, candidates=(candidate,))),))


def forget_trickled() -> None:
    """Forget what is around the candidates of all calls; it is read again when it is needed."""
    _around.cache_clear()


@lru_cache(maxsize=512)
def _around(before: str) -> tuple[Jingle, Content, IceUdpTransport] | None:
    """The same without its candidate; None if it is no transport-info, or holds more."""
    if before.count("<") != 3:  # <jingle>, <content>, <transport>
        return None
    try:
        jingle = JINGLE.read_plain(before + _BEHIND)
    except BadRequest:
        return None
    if jingle is None or jingle.action != "transport-info":
        return None
    for content in jingle.contents:
        if content.transport is not None:
            return jingle, content, content.transport
    return None
