"""SDP as an ordered, lossless value: RFC 8866 with the attributes of WebRTC (RFC 8839, 8842, 9143, 5576, 8830).

`parse(text)` keeps every line; `SessionDescription.format()` writes them back. Nothing here knows XMPP.
"""

from jinglebridge.sdp.grammar import parse
from jinglebridge.sdp.model import CodecLines, Direction, MediaDescription, Section, SessionDescription

__all__ = ["CodecLines", "Direction", "MediaDescription", "Section", "SessionDescription", "parse"]
