"""What is legal when: the three state machines of a call, as tables.

Theory of operation. A call is three conversations at once, each with a machine of its own:

* **Ringing** (XEP-0353): messages between the people's devices before there is a session.
* **Session** (XEP-0166): the Jingle session between two full JIDs, whose id is that of the ringing.
* **Signalling** (W3C): whose description is outstanding at the web endpoint.

Rule 1: an absent pair is out of order. Legality is checked here and nowhere else.
Rule 2: a machine moves only through `step`, `step_ringing`, `step_signalling`, which raise and change nothing when the
move is illegal.
Rule 3: what the machines mean together is the joint state (`joint`), which is what the web side is told.

Spec: XEP-0166 §5.1, XEP-0353 §3, RFC 8829 §3.5.1; J-076, J-080.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from jinglebridge.errors import OutOfOrder
from jinglebridge.jingle import ACTIONS, Role

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741  the field's own letters


class Session(StrEnum):
    IDLE = "idle"
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


MIDWAY = frozenset(ACTIONS - {"session-initiate", "session-accept", "session-terminate"})

TRANSITIONS: dict[Session, dict[tuple[Role, str], Session]] = {
    Session.IDLE: {(I, "session-initiate"): Session.PENDING},
    Session.PENDING: {
        (R, "session-accept"): Session.ACTIVE,
        **{(who, action): Session.PENDING for who in Role for action in MIDWAY},
        **{(who, "session-terminate"): Session.ENDED for who in Role},
    },
    Session.ACTIVE: {
        **{(who, action): Session.ACTIVE for who in Role for action in MIDWAY},
        **{(who, "session-terminate"): Session.ENDED for who in Role},
    },
    Session.ENDED: {},
}


def step(state: Session, who: Role, action: str) -> Session:
    """The session state after `who` (session role) sent `action`. Raises OutOfOrder."""
    try:
        return TRANSITIONS[state][who, action]
    except KeyError:
        raise OutOfOrder(f"{action} from the {who} while {state}") from None


class Ringing(StrEnum):
    NONE = "none"  # a call without JMI never leaves this state
    PROPOSED = "proposed"
    RINGING = "ringing"
    PROCEEDED = "proceeded"
    OVER = "over"


# Some device knows of the propose and nobody has decided. The caller of the ringing is the initiator of the session.
UNDECIDED: dict[tuple[Role, str], Ringing] = {
    (R, "ringing"): Ringing.RINGING,
    (R, "proceed"): Ringing.PROCEEDED,
    (R, "reject"): Ringing.OVER,
    (I, "retract"): Ringing.OVER,
    (I, "finish"): Ringing.OVER,
    (R, "finish"): Ringing.OVER,
}

RINGING: dict[Ringing, dict[tuple[Role, str], Ringing]] = {
    Ringing.NONE: {(I, "propose"): Ringing.PROPOSED},
    Ringing.PROPOSED: UNDECIDED,
    Ringing.RINGING: UNDECIDED,
    Ringing.PROCEEDED: {
        (R, "reject"): Ringing.OVER,  # COMPAT(Conversations 2.12): rejects after its own proceed
        (I, "retract"): Ringing.OVER,
        (I, "finish"): Ringing.OVER,
        (R, "finish"): Ringing.OVER,
    },
    Ringing.OVER: {},
}


def step_ringing(state: Ringing, who: Role, element: str) -> Ringing:
    """The ringing state after `who` sent the JMI `element`. Raises OutOfOrder."""
    try:
        return RINGING[state][who, element]
    except KeyError:
        raise OutOfOrder(f"{element} from the {who} while {state}") from None


class Signalling(StrEnum):
    STABLE = "stable"
    LOCAL_OFFER = "have-local-offer"  # the endpoint's offer waits for the peer's answer
    REMOTE_OFFER = "have-remote-offer"  # our offer waits for the endpoint's answer


Side = Literal["endpoint", "bridge"]

# The endpoint is the polite side, we are not: our offer rolls back its own, its offer does nothing to ours (J-221, DESIGN §3).
SIGNALLING: dict[Signalling, dict[tuple[Side, str], Signalling]] = {
    Signalling.STABLE: {("endpoint", "offer"): Signalling.LOCAL_OFFER, ("bridge", "offer"): Signalling.REMOTE_OFFER},
    Signalling.LOCAL_OFFER: {
        ("bridge", "answer"): Signalling.STABLE,
        ("bridge", "offer"): Signalling.REMOTE_OFFER,
        ("bridge", "rollback"): Signalling.STABLE,
    },
    Signalling.REMOTE_OFFER: {
        ("endpoint", "answer"): Signalling.STABLE,
        ("endpoint", "offer"): Signalling.REMOTE_OFFER,
        ("bridge", "rollback"): Signalling.STABLE,
    },
}


def step_signalling(state: Signalling, side: Side, kind: str) -> Signalling:
    """The signalling state after `side` set a description of `kind` (offer, answer) or took offers back (rollback). Raises OutOfOrder."""
    try:
        return SIGNALLING[state][side, kind]
    except KeyError:
        raise OutOfOrder(f"{kind} from the {side} while {state}") from None


Joint = Literal["incoming", "proceeding", "ringing", "accepted", "connecting", "connected", "ended"]


def over(ringing: Ringing, session: Session) -> bool:
    """Is the call over, whichever of the two ended it?"""
    return session is Session.ENDED or ringing is Ringing.OVER


def joint(direction: Literal["out", "in"], ringing: Ringing, session: Session, *, accepted: bool, connected: bool) -> Joint:
    """What the web side is told: one word for the three machines together."""
    if over(ringing, session):
        return "ended"
    if session is Session.ACTIVE:
        return "connected" if connected else "connecting"
    if ringing is Ringing.PROCEEDED or accepted:
        return "accepted"
    if direction == "in":
        return "incoming"
    return "ringing" if ringing is Ringing.RINGING else "proceeding"


def mermaid() -> str:
    """The session and ringing tables as Mermaid state diagrams, for the docs."""
    lines = []
    tables: tuple[tuple[str, dict[str, dict[tuple[Role, str], str]]], ...] = (
        ("session", {str(k): {p: str(v) for p, v in t.items()} for k, t in TRANSITIONS.items()}),
        ("ringing", {str(k): {p: str(v) for p, v in t.items()} for k, t in RINGING.items()}),
    )
    for title, table in tables:
        lines += ["```mermaid", "stateDiagram-v2", f"    %% {title}"]
        for state, moves in table.items():
            for (who, what), target in moves.items():
                if what not in MIDWAY:
                    lines.append(f"    {state} --> {target}: {what} ({who})")
        lines.append("```")
    return "\n".join(lines) + "\n"
