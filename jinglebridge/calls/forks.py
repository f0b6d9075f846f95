"""One call to several devices that know nothing of JMI: a session with each, and the first that accepts has it.

Each branch is a `CallState` of its own, with its own sid and full JID, so that a device sees an ordinary call. They share the
id of the web side; `CallState.fork` names the sids of the others while all are pending. What a person decides at one
device ends the whole call (J-063); what merely goes wrong with one device ends its branch, and the page hears of an end only
when the last branch is over. No candidate of ours leaves before a session-accept, so each device learns nothing but that it is called.

Spec: DESIGN §5 (forks use a fresh sid per full JID); J-054, J-063, J-247.
"""

from __future__ import annotations

from jinglebridge.calls import events as ev
from jinglebridge.calls.reasons import from_jingle

MAX_BRANCHES = 8  # devices of one person that ring at once

# A `decline`, or a hang-up in other words. `busy` is no such decision: a device says it by itself, being in another call.
BY_A_PERSON = ("declined", "cancelled", "ended")


def decides(event: ev.CallEvent) -> bool:
    """Does this event at one branch settle the whole call, if it settles anything?"""
    match event:
        case ev.JingleReceived(jingle=jingle):
            if jingle.action != "session-terminate":
                return jingle.action == "session-accept"
            return from_jingle(jingle.reason.condition if jingle.reason else None) in BY_A_PERSON
        case ev.TimerFired():
            return event.name == "ring"
        case ev.Answered() | ev.PeerPresence() | ev.JmiReceived() | ev.Bounced():
            return False
        case _:
            return True  # what our own page does is meant for all of them
