"""Whole descriptions, SDP to Jingle and back, on the level of dataclasses.

`from_sdp` reads what an endpoint wrote, `to_sdp` writes what an endpoint gets. Both are pure: the caller keeps the descriptions
of a call and hands in the one that is being answered.
"""

from jinglebridge.translate.described import Described, media_of, mids, without_candidates
from jinglebridge.translate.reader import from_sdp
from jinglebridge.translate.writer import to_sdp

__all__ = ["Described", "from_sdp", "media_of", "mids", "to_sdp", "without_candidates"]
