"""What follows the type of a candidate, where <candidate/> has no place for it: ``network-cost 10``, ``ufrag x``, a protocol in capitals.

Only names and what has no other home travel: "generation network-id ufrag network-cost=10" says that the line ended in the generation and
the network that <candidate/> gives, the ufrag that <transport/> gives, and a cost. So another value there is another value in the SDP.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle import Candidate
from jinglebridge.jingle.private import CandidateTail, SdpExtras, read, written
from jinglebridge.jingle.xep_0176 import candidate_to_line
from jinglebridge.xml import integer

_HEAD = 8  # words of a candidate line up to its type
_NUMBERS = {"generation": integer(0, 255), "network-id": integer(0, 255), "rport": integer(0, 65535)}


def _values(c: Candidate, ufrag: str | None) -> dict[str, str]:
    """Extensions whose values stand in <candidate/> and <transport/>, spelt as in SDP."""
    found = {"generation": str(c.generation), "network-id": str(c.network)}
    if c.related_address is not None and c.related_port is not None:
        found |= {"raddr": c.related_address, "rport": str(c.related_port)}
    if c.tcptype is not None:
        found["tcptype"] = c.tcptype
    if ufrag is not None:
        found["ufrag"] = ufrag
    return found


def _said(name: str, spelt: str, known: str) -> bool:
    """Does <candidate/> say `known` of that spelling? 300 is no generation that it can have, so it says 0 (J-150)."""
    if name not in _NUMBERS:
        return False
    try:
        return str(_NUMBERS[name].parse(spelt)) == known
    except ValueError:
        return known == "0"


def tail_of(value: str, c: Candidate, ufrag: str | None = None) -> CandidateTail | None:
    """What is special in the line of `c`.

    Args:
        value: behind "a=candidate:".
        c: what was made of it.
        ufrag: that of its transport.

    Returns: None if nothing is.
    """
    if candidate_to_line(c) == f"candidate:{value}":
        return None
    words = value.split()
    known = _values(c, ufrag)
    parts = []
    for name, spelt in zip(words[_HEAD::2], words[_HEAD + 1 :: 2], strict=True):
        if known.get(name) == spelt:
            parts.append(name)
        elif "=" not in name:
            parts.append(f"{name}={spelt}")
    return CandidateTail(c.id, " ".join(parts), None if words[2] == c.protocol else words[2])


def with_tail(c: Candidate, tail: CandidateTail, ufrag: str | None = None) -> str:
    """ "candidate:…" of `c`, whose transport has `ufrag`, with that tail.

    Names whose value the standard elements no longer have are left out; what is no tail is ignored.
    """
    words = candidate_to_line(c).split(" ")[:_HEAD]
    if tail.protocol is not None and tail.protocol.lower() == c.protocol:
        words[2] = tail.protocol
    known = _values(c, ufrag)
    names = set()
    for part in tail.tail.split():
        name, equals, value = part.partition("=")
        if name in names or not name or (equals and not value):
            continue
        names.add(name)
        if equals and (name not in known or name == "ufrag" or _said(name, value, known[name])):
            words += [name, value]
        elif name in known:
            words += [name, known[name]]
    # What <candidate/> says and the tail does not name was written there since.
    words += [word for name in ("raddr", "rport", "tcptype") if name in known and name not in names for word in (name, known[name])]
    return " ".join(words)


def candidate_tail(text: str, c: Candidate, ufrag: str | None = None) -> CandidateTail | None:
    """What is special in one trickled candidate.

    Args:
        text: RTCIceCandidateInit.candidate.
        c: what was made of it.
        ufrag: that of its transport.
    """
    return tail_of(text.removeprefix("a=").removeprefix("candidate:"), c, ufrag)


def candidate_extras(text: str, c: Candidate, ufrag: str | None = None) -> tuple[XmlElement, ...]:
    """The same as the `unknown` children of a content."""
    tail = candidate_tail(text, c, ufrag)
    return () if tail is None else written(SdpExtras(candidates=(tail,)))


def candidate_with_tails(c: Candidate, tails: tuple[CandidateTail, ...], ufrag: str | None = None) -> str:
    """ "candidate:…" as it was before `candidate_tail`; the default form where no tail is its own."""
    tail = next((item for item in tails if item.id == c.id), None)
    return candidate_to_line(c) if tail is None else with_tail(c, tail, ufrag)


def candidate_with_extras(c: Candidate, unknown: tuple[XmlElement, ...], ufrag: str | None = None) -> str:
    """The same with the `unknown` children of a content."""
    return candidate_with_tails(c, read(unknown).candidates, ufrag)
