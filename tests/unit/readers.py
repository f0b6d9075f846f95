"""Every attribute whose value is looked into, and what reads it. No tests here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinglebridge.sdp import attributes

READERS: dict[str, Callable[[str], Any]] = {
    "candidate": attributes.candidate,
    "content": attributes.content,
    "extmap": attributes.extmap,
    "fingerprint": attributes.fingerprint,
    "fmtp": attributes.parameters,
    "group": attributes.group,
    "ice-options": attributes.words,
    "maxptime": attributes.milliseconds,
    "msid": attributes.words,
    "ptime": attributes.milliseconds,
    "rtcp-fb": attributes.words,
    "rtpmap": attributes.encoding,
    "sctp-port": attributes.sctp_port,
    "sctpmap": attributes.sctpmap,
    "setup": attributes.setup,
    "ssrc": attributes.ssrc,
    "ssrc-group": attributes.ssrc_group,
}
