"""One trickled candidate, W3C spelling to Jingle and back. XEP-0176 §5.5; J-148 … J-164."""

from __future__ import annotations

from jinglebridge.errors import SdpError
from jinglebridge.jingle import Candidate
from jinglebridge.jingle.xep_0176 import candidate_from_line, candidate_to_line
from jinglebridge.sdp.attributes import CandidateLine, candidate

MAX_CANDIDATE = 1024  # characters


def candidate_from_sdp(text: str, *, id: str) -> Candidate | None:
    """The candidate in `text` ("candidate:…", with or without "a=").

    Args:
        id: unique within the session; nothing in SDP corresponds to it.

    Returns: None where there is nothing to send: the end of candidates (""), component 2, an address nobody can reach.

    Raises: SdpError if it is not a candidate.
    """
    line = candidate_line(text)
    return None if line is None else candidate_from_line(line, id)


def candidate_line(text: str) -> CandidateLine | None:
    """The fields of the candidate in `text`; None for the end of candidates. Its extension `ufrag` says which credentials it belongs to
    (J-169). Raises SdpError."""
    text = text.removeprefix("a=").removeprefix("candidate:")
    if not text.strip(" "):
        return None
    if len(text) > MAX_CANDIDATE or not text.isprintable():
        raise SdpError("not a candidate: too long or a control character in it", rule="J-151")
    return candidate(text)


def candidate_to_sdp(candidate: Candidate) -> str:
    """ "candidate:…" as RTCIceCandidateInit.candidate has it."""
    return candidate_to_line(candidate)
