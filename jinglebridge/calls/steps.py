"""What is said in a call as small steps: who, to whom, what, and the few words of it that anybody may see.

A step names actions, contents, kinds of candidates, reasons and errors. Addresses, ufrags, passwords and fingerprints are only in
its text, which is the thing itself (an SDP, a candidate, a <jingle/>) and is never copied into the step. J-248

Everything here is done for each stanza and frame, so it takes no more than a look at what is parsed already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.jingle import Candidate, Finish, Jingle, Jmi, Propose, Reject, Retract

PAGE, BRIDGE, PEER = "page", "bridge", "peer"
MAX_NAME = 32  # characters of a name or condition that the other side chose
KINDS = ("host", "srflx", "prflx", "relay")
END = "end of candidates"

Step = tuple[str, str, str, str]  # from, to, what, detail; from and to are the same for what only the bridge knows
Text = str | Jingle | None
Said = tuple[Step, Text]


def of_event(event: ev.CallEvent | ev.Placed) -> Said | None:
    """What came in. None for what is no news: the replies to our candidates when all is well."""
    make = _EVENTS.get(type(event))
    return None if make is None else make(event)


def of_effect(effect: fx.Effect) -> Said | None:
    """What went out. None for what nobody sees."""
    make = _EFFECTS.get(type(effect))
    return None if make is None else make(effect)


def passed_on(event: ev.CallEvent | ev.Placed, effect: fx.Effect) -> Said | None:
    """A candidate that came and left as it is, as one step from the page to the peer or back. None for anything else."""
    if type(event) is ev.Gathered and type(effect) is fx.SendJingle:
        sent, init = candidate_alone(effect.jingle), event.candidate or {}
        mid = init.get("sdpMid")
        if sent is not None and effect.jingle.contents[0].name == mid:
            return (PAGE, PEER, "candidate", f"{mid[:MAX_NAME]}: {sent.type}"), init.get("candidate") or None
    elif type(event) is ev.JingleReceived and type(effect) is fx.TellCandidate and not event.xml:
        found = candidate_alone(event.jingle)
        if found is not None and event.jingle.contents[0].name == effect.mid:
            return (PEER, PAGE, "candidate", f"{effect.mid[:MAX_NAME]}: {found.type}"), effect.candidate
    return None


def apart(step: Step) -> tuple[Step, ...]:
    """One step as what came and what left, if it is one of `passed_on`. What the page says or is told stands for the text."""
    source, to, what, detail = step
    if source == PAGE and to == PEER:
        return (PAGE, BRIDGE, what, detail), (BRIDGE, PEER, "transport-info", detail)
    if source == PEER and to == PAGE:
        return (PEER, BRIDGE, "transport-info", detail), (BRIDGE, PAGE, what, detail)
    return (step,)


def of_refusal(event: ev.CallEvent, error: ProtocolError) -> Step:
    """The answer to an event that was illegal. A message gets none."""
    if isinstance(event, ev.JingleReceived):
        return BRIDGE, PEER, "error", f"{event.jingle.action}: {error.condition} {error.jingle or ''}".rstrip()
    if isinstance(event, ev.JmiReceived):
        return BRIDGE, BRIDGE, "ignored", type(event.jmi).__name__.lower()
    return (
        BRIDGE,
        PAGE,
        "error",
        error.code if not isinstance(error, EndpointError) or error.what is None else f"{error.code}: {error.what}",
    )


def ends(event: ev.CallEvent | ev.Placed) -> str:
    """Who ends a call, if it ends with this event: "bridge" too when it does not like what it got."""
    match event:
        case ev.HungUp() | ev.Rejected() | ev.EndpointGone():
            return PAGE
        case ev.JingleReceived(jingle=Jingle(action="session-terminate")) | ev.JmiReceived(jmi=Reject() | Retract() | Finish()):
            return PEER
        case ev.Answered() | ev.Bounced() | ev.PeerPresence() | ev.TimerFired(name="finish" | "gone"):
            return PEER
        case _:
            return BRIDGE


def has_relay(said: str) -> bool:
    """For the detail of a step: is there a relay candidate in it?"""
    _, colon, kinds = said.rpartition(": ")
    return bool(colon) and "relay" in kinds


def candidate_alone(jingle: Jingle) -> Candidate | None:
    """The candidate of a transport-info that has this one and nothing else in it: most of what a call consists of."""
    if jingle.action != "transport-info" or len(jingle.contents) != 1 or jingle.unknown:
        return None
    content = jingle.contents[0]
    transport = content.transport
    if transport is None or len(transport.candidates) != 1 or transport.gathering_complete:
        return None
    candidate = transport.candidates[0]
    return None if content.unknown or transport.unknown or candidate.unknown else candidate


# --- words


def _detail(names: Iterable[str], words: Iterable[str]) -> str:
    """ "0 1: host 2, relay 1" """
    named, said = " ".join(names), ", ".join(words)
    return f"{named}: {said}" if named and said else named or said


def kind(candidate: str) -> str:
    """The type of a candidate in W3C form."""
    if not candidate:
        return END
    found = candidate.partition(" typ ")[2].partition(" ")[0]
    return found if found in KINDS else "of no known type"


def _kinds(found: Counter[str]) -> list[str]:
    return [f"{name} {count}" for name, count in found.items() if count]


def _sdp(type: str, sdp: str) -> str:
    mids = [part[:MAX_NAME].split(maxsplit=1)[0] for part in sdp.split("\na=mid:")[1:] if part[:MAX_NAME].strip()]
    return _detail([type, *mids], _kinds(Counter({name: sdp.count(f" typ {name}") for name in KINDS})))


def _jingle(jingle: Jingle) -> str:
    if candidate := candidate_alone(jingle):
        return f"{jingle.contents[0].name[:MAX_NAME]}: {candidate.type}"
    words: list[str] = []
    transports = [content.transport for content in jingle.contents if content.transport is not None]
    if candidates := [candidate.type for transport in transports for candidate in transport.candidates]:
        words += candidates if len(candidates) == 1 else _kinds(Counter(candidates))
    if any(transport.gathering_complete for transport in transports):
        words.append(END)
    if jingle.action == "content-modify":
        words += [str(content.senders) for content in jingle.contents]
    if jingle.reason is not None:
        words += [word[:MAX_NAME] for word in (jingle.reason.condition, jingle.reason.rtp_error) if word]
    words += [info.kind if info.name is None else f"{info.kind} {info.name[:MAX_NAME]}" for info in jingle.info]
    return _detail([content.name[:MAX_NAME] for content in jingle.contents], words)


def _jmi(jmi: Jmi) -> tuple[str, str]:
    if isinstance(jmi, Propose):
        return "propose", " ".join(word[:MAX_NAME] for word in jmi.media)
    reason = getattr(jmi, "reason", None)
    words = [reason.condition[:MAX_NAME]] if reason is not None and reason.condition else []
    words += ["tie-break"] if getattr(jmi, "tie_break", False) else []
    words += ["migrated"] if getattr(jmi, "migrated_to", None) else []
    return type(jmi).__name__.lower(), ", ".join(words)


# --- what comes in


def _gathered(event: ev.Gathered) -> Said:
    candidate = event.candidate or {}
    line, mid = candidate.get("candidate") or "", candidate.get("sdpMid")
    return (PAGE, BRIDGE, "candidate", kind(line) if mid is None else f"{mid[:MAX_NAME]}: {kind(line)}"), line or None


def _jingle_came(event: ev.JingleReceived) -> Said:
    jingle = event.jingle
    return (PEER, BRIDGE, jingle.action, _jingle(jingle)), event.xml or None if jingle.contents else None


def _answered(event: ev.Answered) -> Said | None:
    if event.condition is not None:
        return (PEER, BRIDGE, "error", f"{event.action}: {event.condition} {event.jingle or ''}".rstrip()), None
    return None if event.action == "transport-info" else ((PEER, BRIDGE, "result", event.action), None)


def reported(event: ev.Reported) -> str:
    words = [event.state]
    words += ["media flows"] if event.media else []
    words += ["by relay"] if event.relayed else []
    return ", ".join(words)


_EVENTS: dict[type, Callable[[Any], Said | None]] = {
    ev.Placed: lambda e: ((PAGE, BRIDGE, "call", _sdp("offer", e.sdp)), e.sdp),
    ev.Accepted: lambda e: ((PAGE, BRIDGE, "accept", ""), None),
    ev.Rejected: lambda e: ((PAGE, BRIDGE, "reject", "busy" if e.busy else ""), None),
    ev.Described: lambda e: ((PAGE, BRIDGE, "description", _sdp(e.type, e.sdp)), e.sdp),
    ev.Gathered: _gathered,
    ev.HungUp: lambda e: ((PAGE, BRIDGE, "hangup", e.reason), None),
    ev.Informed: lambda e: ((PAGE, BRIDGE, "info", e.info if e.mid is None else f"{e.info} {e.mid[:MAX_NAME]}"), None),
    ev.Reported: lambda e: ((PAGE, BRIDGE, "stats", reported(e)), None),
    ev.EndpointGone: lambda e: ((PAGE, BRIDGE, "gone", ""), None),
    ev.JmiReceived: lambda e: ((PEER, BRIDGE, *_jmi(e.jmi)), None),
    ev.JingleReceived: _jingle_came,
    ev.Answered: _answered,
    ev.Bounced: lambda e: ((PEER, BRIDGE, "error", f"message: {e.condition}"), None),
    ev.PeerPresence: lambda e: ((PEER, BRIDGE, "presence", "available" if e.available else "unavailable"), None),
    ev.TimerFired: lambda e: ((BRIDGE, BRIDGE, "timer", e.name), None),
}


# --- what goes out


def _candidate_told(effect: fx.TellCandidate) -> Said:
    return (BRIDGE, PAGE, "candidate", f"{effect.mid[:MAX_NAME]}: {kind(effect.candidate)}"), effect.candidate or None


def _jingle_left(effect: fx.SendJingle) -> Said:
    """The text of a candidate of ours is in the page's frame before it."""
    jingle = effect.jingle
    shown = jingle.contents and jingle.action != "transport-info"
    return (BRIDGE, PEER, jingle.action, _jingle(jingle)), (effect.text or jingle) if shown else None


_EFFECTS: dict[type, Callable[[Any], Said]] = {
    fx.SendJmi: lambda e: ((BRIDGE, PEER, *_jmi(e.jmi)), None),
    fx.SendReceipt: lambda e: ((BRIDGE, PEER, "received", ""), None),
    fx.SendJingle: _jingle_left,
    fx.ShowPresence: lambda e: ((BRIDGE, PEER, "presence", ""), None),
    fx.TellIncoming: lambda e: ((BRIDGE, PAGE, "incoming", " ".join(e.media)), None),
    fx.TellState: lambda e: ((BRIDGE, PAGE, "state", e.state), None),
    fx.TellDescription: lambda e: ((BRIDGE, PAGE, "description", _sdp(e.type, e.sdp)), e.sdp),
    fx.TellRollback: lambda e: ((BRIDGE, PAGE, "rollback", str(e.what)), None),
    fx.TellCandidate: _candidate_told,
    fx.TellInfo: lambda e: ((BRIDGE, PAGE, "info", e.info if e.mid is None else f"{e.info} {e.mid[:MAX_NAME]}"), None),
    fx.TellEnded: lambda e: ((BRIDGE, PAGE, "ended", e.reason), None),
    fx.TellPeerMissed: lambda e: ((BRIDGE, PEER, "message", "missed call"), None),
    fx.TellMissed: lambda e: ((BRIDGE, PAGE, "missed", ""), None),
    fx.Note: lambda e: ((BRIDGE, BRIDGE, e.event, e.detail), None),
}
