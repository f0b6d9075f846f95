"""What one Jingle request of the other side has to look like in the middle of a call: `checks`, with the call's own knowledge."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from . import checks
from .names import ICE_UDP, JINGLE, RTP, q

if TYPE_CHECKING:
    from .call import Call


def complaints(call: Call, action: str, jingle: ET.Element, dino: bool) -> list[str]:
    """What is wrong with `jingle`, which is legal in the call's state. `dino`: the other side is one."""
    if action == "session-initiate":
        found = checks.description(jingle, dino=dino) + _initiate(call, jingle)
        return [words for words in found if not (call.line.shape.separate and words == checks.NO_GROUP)]  # who knows none needs none
    if action == "session-accept":
        return checks.description(jingle, offered=call.offered, grouped=call.grouped, dino=dino)
    if action == "transport-info":
        early = ["transport-info before the session-accept"] if call.state == "initiated" else []
        return early + (checks.transport_info(jingle, call.credentials) if call.credentials else []) + _repeated(call, jingle)
    if action == "session-terminate":
        return checks.reason(jingle)
    if action == "session-info":
        return checks.session_info(jingle, [c.get("name", "") for c in call.offered])
    return []


def _initiate(call: Call, jingle: ET.Element) -> list[str]:
    found = []
    if jingle.get("initiator") not in (None, call.peer):
        found.append(f"initiator={jingle.get('initiator')!r}")
    media = sorted(d.get("media", "") for d in jingle.iter(q(RTP, "description")))
    if call.jmi and media != sorted(call.media):
        found.append(f"session-initiate of {media} after a propose of {call.media} (Conversations: security-error)")
    if not call.jmi and next(jingle.iter(q(ICE_UDP, "candidate")), None) is not None:
        found.append("candidates in a session-initiate that nobody has accepted yet")
    return found


def _repeated(call: Call, jingle: ET.Element) -> list[str]:
    keys = [
        (content.get("name"), *(c.get(n) for n in ("ip", "port", "component", "foundation", "type")))
        for content in jingle.findall(q(JINGLE, "content"))
        for c in content.iter(q(ICE_UDP, "candidate"))
    ]
    again = [f"candidate {key} came twice" for key in keys if key in call.seen]
    call.seen.update(keys)
    return again
