"""What SDP → Jingle → SDP without extensions must make of a real description, line by line. No tests here.

A line that no rule below names must come back exactly as it was. A rule is an exception: it names the reason, and a test fails when
a rule is never needed. `expected` knows nothing of the code under test beyond the SDP model that finds lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from jinglebridge.sdp import MediaDescription, Section, SessionDescription

CALL = int.from_bytes(sha256(b"0").digest()[:8], "big") >> 1  # the number of a call whose sid is "0", as in the stateless functions
PLACEHOLDER = "c=IN IP4 0.0.0.0"
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# Of the session part, but true for each section that does not say it itself.
_INHERITED = ("fingerprint", "setup", "ice-ufrag", "ice-pwd", "extmap-allow-mixed", *_DIRECTIONS)


@dataclass(slots=True)
class Place:
    """A line's surroundings. `media` None: the session part."""

    sdp: SessionDescription
    media: MediaDescription | None

    @property
    def here(self) -> MediaDescription:
        assert self.media is not None
        return self.media

    @property
    def sending(self) -> bool:
        return self.here.effective_direction in ("sendrecv", "sendonly")

    @property
    def rtp(self) -> bool:
        return "RTP" in self.here.proto

    @property
    def paired(self) -> set[str]:
        """Sources of the FID pairs that a receiving section may name (J-205)."""
        if self.here.effective_direction != "recvonly":
            return set()
        return {number for value in self.here.all("ssrc-group") if value.startswith("FID ") for number in value.split()[1:]}

    @property
    def sources(self) -> list[str]:
        """SSRCs that have a line in what comes back."""
        numbers = dict.fromkeys(value.partition(" ")[0] for value in self.here.all("ssrc"))
        return [number for number in numbers if self.sending or number in self.paired]


class Rule(NamedTuple):
    """`change` gives what stands instead of a line, or None where the rule does not apply."""

    name: str
    reason: str
    change: Callable[[str, Place], list[str] | None]


class Addition(NamedTuple):
    """`lines` gives what a section has more than before."""

    name: str
    reason: str
    lines: Callable[[Place], list[str]]


SESSION: list[Rule] = []
MEDIA: list[Rule] = []
ADDED: list[Addition] = []


def _rule(table: list[Rule], reason: str) -> Callable[[Callable[[str, Place], list[str] | None]], None]:
    def keep(change: Callable[[str, Place], list[str] | None]) -> None:
        table.append(Rule(change.__name__, reason, change))

    return keep


def _added(reason: str) -> Callable[[Callable[[Place], list[str]]], None]:
    def keep(lines: Callable[[Place], list[str]]) -> None:
        ADDED.append(Addition(lines.__name__, reason, lines))

    return keep


def _gone(*beginnings: str) -> Callable[[str, Place], list[str] | None]:
    """Lines that begin so are left out."""

    def change(line: str, place: Place) -> list[str] | None:
        return [] if line.startswith(beginnings) else None

    return change


# --- the session part


@_rule(SESSION, "M-1: o= has a number of our own, never text of the user")
def origin(line: str, place: Place) -> list[str] | None:
    return ["o="] if line.startswith("o=") else None


@_rule(SESSION, "M-1: s= is never passed on")
def name_of_session(line: str, place: Place) -> list[str] | None:
    return ["s=-"] if line.startswith("s=") and line != "s=-" else None


@_rule(SESSION, "J-179, J-146, J-136, J-109: what the session part says for all sections is said in each")
def said_for_all(line: str, place: Place) -> list[str] | None:
    name = line[2:].partition(":")[0]
    return [] if line.startswith("a=") and name in _INHERITED else None


SESSION.append(Rule("msid_semantic", "J-203, M-1: RFC 8830 dropped it", _gone("a=msid-semantic:")))
SESSION.append(Rule("session_ice_options", "J-158: said in each section instead", _gone("a=ice-options:")))


# --- one section


@_rule(MEDIA, "M-1: the port is a placeholder (addresses are in the candidates); J-112: the profile of WebRTC")
def media_line(line: str, place: Place) -> list[str] | None:
    if not line.startswith("m="):
        return None
    proto = "UDP/TLS/RTP/SAVPF" if place.rtp else "UDP/DTLS/SCTP"
    return [f"m={place.here.kind} 9 {proto} {' '.join(place.here.formats)}"]


@_rule(MEDIA, "M-1: the address is a placeholder")
def connection(line: str, place: Place) -> list[str] | None:
    return [PLACEHOLDER] if line.startswith("c=") else None


@_rule(MEDIA, "J-128: rtcp-mux is agreed, so component 2 has no use")
def second_component(line: str, place: Place) -> list[str] | None:
    return [] if line.startswith("a=candidate:") and line.split()[1] == "2" else None


@_rule(MEDIA, "M-4: generation is always written; ufrag, network-id and network-cost have no attribute")
def candidate_tail(line: str, place: Place) -> list[str] | None:
    if not line.startswith("a=candidate:"):
        return None
    words = line.split()
    tail = dict(zip(words[8::2], words[9::2], strict=True))
    more = [word for name in ("raddr", "rport", "tcptype") if name in tail for word in (name, tail[name])]
    words[2] = words[2].lower()
    return [" ".join([*words[:8], *more, "generation", tail.get("generation", "0")])]


@_rule(MEDIA, "J-115: one channel has no third field")
def mono(line: str, place: Place) -> list[str] | None:
    return [line.removesuffix("/1")] if line.startswith("a=rtpmap:") and line.count("/") == 2 and line.endswith("/1") else None


@_rule(MEDIA, "J-139: feedback of a payload type that the m= line does not list")
def feedback_of_nothing(line: str, place: Place) -> list[str] | None:
    return [] if line.startswith("a=rtcp-fb:") and line[10:].split()[0] not in ("*", *place.here.formats) else None


@_rule(MEDIA, "J-205: sources of a section that does not send; a receiving one keeps its FID pairs")
def silent_source(line: str, place: Place) -> list[str] | None:
    return [] if line.startswith("a=ssrc:") and line[7:].split()[0] not in place.sources else None


@_rule(MEDIA, "J-205: source groups of a section that does not send")
def silent_group(line: str, place: Place) -> list[str] | None:
    if not line.startswith("a=ssrc-group:") or place.sending or set(line.split()[1:]) <= place.paired:
        return None
    return []


@_rule(MEDIA, "J-202: msid travels with the sources, so there is none where nothing is sent or no source is named")
def msid_of_nothing(line: str, place: Place) -> list[str] | None:
    return [] if line.startswith("a=msid:") and not (place.sending and place.sources) else None


@_rule(MEDIA, "M-8: a data channel goes both ways and has no header extensions")
def of_data(line: str, place: Place) -> list[str] | None:
    return [] if not place.rtp and line in ("a=sendrecv", "a=extmap-allow-mixed") else None


MEDIA.append(Rule("rtcp_address", "M-1: rtcp-mux makes it pointless", _gone("a=rtcp:")))
MEDIA.append(Rule("rtcp_xr", "J-144: no XEP has it", _gone("a=rtcp-xr:")))
MEDIA.append(Rule("layers", "J-143: no XEP has rid or simulcast", _gone("a=rid:", "a=simulcast:")))
MEDIA.append(Rule("bundle_only", "M-3, J-192: the section has its own credentials from here on", _gone("a=bundle-only")))
MEDIA.append(Rule("message_size", "J-226: no XEP has it", _gone("a=max-message-size:")))


# --- what a section has more than before


@_added("J-158: every SDP says that we trickle")
def trickle(place: Place) -> list[str]:
    return [] if "ice-options" in place.here else ["a=ice-options:trickle"]


@_added("J-179, J-146, J-136: what the session part said for all sections")
def from_session(place: Place) -> list[str]:
    found = []
    for name in ("fingerprint", "setup", "ice-ufrag", "ice-pwd"):
        if name not in place.here:
            found += [f"a={name}:{value}" for value in place.sdp.all(name)]
    if "extmap-allow-mixed" in place.sdp and "extmap-allow-mixed" not in place.here and place.rtp:
        found.append("a=extmap-allow-mixed")
    return found


@_added("J-202: the msid of the section stands at each of its sources, which is how XEP-0339 carries it")
def msid_of_sources(place: Place) -> list[str]:
    msid = place.here.get("msid")
    told = {value.partition(" ")[0] for value in place.here.all("ssrc") if value.partition(" ")[2].startswith("msid:")}
    return [f"a=ssrc:{number} msid:{msid}" for number in place.sources if number not in told] if msid else []


@_added("J-203: a section that sends has a msid; without one of its own all are one stream")
def msid_of_call(place: Place) -> list[str]:
    if not place.rtp or not place.sending or ("msid" in place.here and place.sources):
        return []
    return [f"a=msid:call-{CALL} {place.here.mid}"]


# Lines that may come back in another order among their kind, and why.
REORDERED = {
    "a=rtpmap": "they follow the order of the m= line, which is the preference (J-113)",
    "a=fmtp": "with their payload type",
    "a=rtcp-fb": "with their payload type",
    "a=ssrc": "the parameters of one source stand together",
}


@dataclass(slots=True)
class Expected:
    """Lines of the session part, and of each carried section by its mid (without mid: its position)."""

    session: list[str] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=dict)


def carried(sdp: SessionDescription) -> Iterator[MediaDescription]:
    """Sections that a stateless translation carries: the rejected ones are nowhere in Jingle (J-090, M-3)."""
    return (media for media in sdp.media if not media.rejected)


def expected(sdp: SessionDescription, used: Counter[str]) -> Expected:
    """What must come back; counts in `used` which rules that took."""
    found = Expected(_lines(sdp, SESSION, Place(sdp, None), used))
    for media in carried(sdp):
        place = Place(sdp, media)
        lines = _lines(media, MEDIA, place, used)
        for more in ADDED:
            new = more.lines(place)
            used[more.name] += bool(new)
            lines += new
        found.sections[media.mid if media.mid is not None else str(media.index)] = lines
    return found


def _lines(section: Section, rules: list[Rule], place: Place, used: Counter[str]) -> list[str]:
    return _changed(section.lines, rules, place, used)


def _changed(lines: list[str], rules: list[Rule], place: Place, used: Counter[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        for rule in rules:
            new = rule.change(line, place)
            if new is not None:
                used[rule.name] += new != [line]
                found += new
                break
        else:
            found.append(line)
    return found


def kept(lines: list[str]) -> list[str]:
    """Lines that must come back with extensions: not the media keys, not what is a placeholder in every SDP of ours."""
    found = []
    for line in lines:
        if line[:2] in ("o=", "s=", "c="):
            line = line[:2]
        elif line[:2] == "m=":
            line = re.sub(r" \d+", " 9", line, count=1)
        if not line.startswith("a=crypto:"):
            found.append(line)
    return found


def kind(line: str) -> str:
    """m=, a=candidate, …"""
    return line[:2] if line[:2] != "a=" else "a=" + line[2:].partition(":")[0]


def differences(want: list[str], got: list[str]) -> list[str]:
    """What is wrong with `got`: lines missing, lines too many, and lines of one kind in another order."""
    missing, more = Counter(want) - Counter(got), Counter(got) - Counter(want)
    found = [f"missing: {line}" for line in missing.elements()] + [f"not expected: {line}" for line in more.elements()]
    if not found:
        kinds = [one for one in dict.fromkeys(map(kind, want)) if one not in REORDERED]
        moved = [one for one in kinds if [x for x in want if kind(x) == one] != [x for x in got if kind(x) == one]]
        found += [f"another order: {one}" for one in moved]
    return found
