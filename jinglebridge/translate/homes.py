"""Which SDP lines have a place in Jingle, and when two lines say the same.

The rule behind `extensions`: a line that a standard element gives is never carried a second time, and never believed against one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinglebridge.errors import SdpError
from jinglebridge.jingle import Content, xep_0339, xep_0507
from jinglebridge.jingle.xep_0176 import candidate_from_line
from jinglebridge.jingle.xep_0294 import usable
from jinglebridge.jingle.xep_0339 import DROPPED
from jinglebridge.sdp import Direction, MediaDescription
from jinglebridge.sdp.attributes import candidate, content, encoding, extmap, fingerprint, parameters, ssrc

DIRECTIONS = frozenset(direction.value for direction in Direction)

# Keys of media encryption other than DTLS: one that is echoed makes the media undecodable, one that is logged makes it public.
NEVER = frozenset({"acap", "crypto", "key-mgmt", "zrtp-hash"})  # acap: an offer of other attributes, of crypto in all use (RFC 5939)

# What may stand once at session level for all sections, and that the default mapping writes in each of them.
LIFTABLE = DIRECTIONS | {
    "end-of-candidates",
    "extmap",
    "extmap-allow-mixed",
    "fingerprint",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "setup",
}

# What decides who the other side is and where it is found: given by standard elements alone, whatever an extension says.
STANDARD_ONLY = NEVER | DIRECTIONS | {"fingerprint", "group", "ice-pwd", "ice-ufrag", "mid", "rtcp-mux", "sctp-port", "sctpmap", "setup"}


def name_of_line(line: str) -> str:
    """Name of an attribute line; of another line its letter and "="."""
    return line[2:].partition(":")[0].lower() if line[:2] == "a=" else line[:2]


def value_of_line(line: str) -> str:
    """What follows the name of an attribute line."""
    return line[2:].partition(":")[2]


def _words(value: str) -> Any:
    return tuple(value.split())


def _parameters(rest: str) -> Any:
    """A token is the same with "=" behind it and without. J-118"""
    return tuple((name, value) if name and value else ("", name or value) for name, value in parameters(rest))


def _feedback(value: str) -> Any:
    """As `_words`; "smaxpr=" is "smaxpr"."""
    return tuple(word[:-1] if word.find("=") == len(word) - 1 > 0 else word for word in value.split())


def _categories(value: str) -> Any:
    """The words that <category/> has."""
    return tuple(dict.fromkeys(word for word in content(value) if word in xep_0507.NAMES))


def _ice_options(value: str) -> Any:
    """Only ice2 is said by a standard element (the namespace of the transport); trickle is written always (J-158)."""
    return "ice2" in value.split()


def _numbered(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def meaning(value: str) -> Any:
        id, _, rest = value.partition(" ")
        return id, read(rest)

    return meaning


def _extmap(value: str) -> Any:
    item = extmap(value)
    return item._replace(attributes=" ".join(item.attributes.split()))


def _encoding(rest: str) -> Any:
    found = encoding(rest)
    return found._replace(channels=2) if found.name.lower() == "opus" and found.channels == 1 else found


_MEANING: dict[str, Callable[[str], Any]] = {
    "content": _categories,
    "extmap": _extmap,
    "fingerprint": fingerprint,
    "fmtp": _numbered(_parameters),
    "ice-options": _ice_options,
    "rtcp-fb": _feedback,
    "rtpmap": _numbered(_encoding),
    "ssrc": ssrc,
}


def meaning(line: str) -> Any:
    """Equal for lines of which a standard element would say the same; None for a line that says nothing."""
    name = name_of_line(line)
    value = value_of_line(line) if line[:2] == "a=" else line[2:]
    try:
        return name, _MEANING.get(name, _words)(value)
    except SdpError:
        return None


class Given:
    """What the standard elements of one content gave: its section `media`, and what is asked about it for line after line."""

    def __init__(self, content: Content, media: MediaDescription) -> None:
        self.media = media
        self.lines = frozenset(media.lines)
        self.formats = frozenset(media.formats)
        self.sends = media.effective_direction in (Direction.SENDRECV, Direction.SENDONLY)
        self.rtp = content.description is not None
        self.sources: dict[int, bool] = {}  # by number: is anything said of it?
        self.msid: str | None = None
        if content.description is not None:
            for source in content.description.sources:
                self.sources[source.ssrc] = self.sources.get(source.ssrc, False) or bool(source.parameters)
            self.msid = xep_0339.msid(content.description.sources, content.description.streams)

    def described(self, value: str) -> bool:
        """Do the elements say something of the source of this a=ssrc? Else it is there for its group alone."""
        number = value.partition(" ")[0]
        return number.isdigit() and self.sources.get(int(number), False)


def homeless(line: str, given: Given) -> bool:
    """May this literal line stand in a section beside what the standard elements gave?

    True for what the default mapping would never write for any of them; so nothing stale and nothing contrary comes back.
    """
    if line in given.lines:
        return False
    name = name_of_line(line)
    if line[:2] != "a=":
        return name == "i=" or (name == "b=" and not (given.rtp and line[2:].partition(":")[0].upper() in ("AS", "TIAS")))
    if name in DIRECTIONS:
        return given.media.direction is None  # a data channel has none (XEP-0343); Firefox writes one
    if name in STANDARD_ONLY:
        return False
    judge = _HOMELESS.get(name)
    return judge is None or judge(value_of_line(line), given)


def _never(value: str, given: Given) -> bool:
    return False


def _without_description(value: str, given: Given) -> bool:
    """What only a <description/> can say: a data channel has none."""
    return not given.rtp


def _once(name: str) -> Callable[[str, Given], bool]:
    """Of an attribute with one value: it stands only where the standard elements give none."""
    return lambda value, given: name not in given.media


def _id(value: str) -> str:
    return value.partition(" ")[0]


def _of_known_payload(value: str, given: Given) -> bool:
    return _id(value) == "*" or _id(value) in given.formats


def _of_unknown_payload(value: str, given: Given) -> bool:
    id = _id(value)
    return id.isdigit() and id.isascii() and str(int(id[:4])) == id and not 64 <= int(id) <= 95 and id not in given.formats


def _candidate(value: str, given: Given) -> bool:
    try:
        return candidate_from_line(candidate(value), "") is None
    except SdpError:
        return False


def _extmap_line(value: str, given: Given) -> bool:
    try:
        return not given.rtp or not usable(extmap(value).id)
    except SdpError:
        return False


def _ssrc(value: str, given: Given) -> bool:
    """A source of somebody who does not send (J-205), or a deprecated attribute of one who does (J-199)."""
    try:
        number, name, _ = ssrc(value)
    except SdpError:
        return False
    known = number in given.sources
    return known if name in DROPPED else not known and not given.sends


def _ssrc_group(value: str, given: Given) -> bool:
    return not given.sends


def _msid(value: str, given: Given) -> bool:
    """Without sources there is nothing to carry a=msid (J-202); with them it says the same, or another stream of the same track."""
    if given.msid is None or value == given.msid:
        return True
    return "msid" in given.media and " " in value and value.split()[1:] == given.msid.split()[1:]


_HOMELESS: dict[str, Callable[[str, Given], bool]] = {
    "candidate": _candidate,
    "content": _once("content"),
    "end-of-candidates": _never,
    "extmap": _extmap_line,
    "extmap-allow-mixed": _without_description,
    "fmtp": _of_unknown_payload,
    "framesize": _of_known_payload,
    "ice-options": _never,
    "imageattr": _of_known_payload,
    "maxptime": _once("maxptime"),
    "msid": _msid,
    "ptime": _once("ptime"),
    "rtcp-fb": _of_unknown_payload,
    "rtcp-rsize": _without_description,
    "rtpmap": _of_unknown_payload,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
}
