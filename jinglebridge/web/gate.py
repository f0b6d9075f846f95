"""What a connection and the service want of each other, and what becomes of one frame.

Spec: DESIGN §3.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Wire

log = structlog.get_logger()


class Gate(Protocol):
    """What a connection needs from the service."""

    async def hello(self, frame: m.Hello, wire: Wire, address: str) -> Session:
        """Let somebody in and send `welcome`. Raises EndpointError."""

    def request(self, session: Session, frame: m.Request) -> bool:
        """Carry out a request, or raise ProtocolError. Everything but hello, ping and bye. False: its answer comes later, by
        `Session.reply`."""

    def settled(self, session: Session) -> None:
        """The page spoke on its new connection."""

    def detached(self, session: Session) -> None:
        """The connection of this session is gone."""

    def bye(self, session: Session) -> None:
        """The page closed for good."""


# Asked again after a reconnect, a question needs what it asked for again, not just the ack.
QUESTIONS = frozenset({m.Ice, m.History, m.Devices})
CONNECTION = frozenset({m.Ping, m.Bye, m.Hello})  # the gate does not get them as requests


def carry_out(data: str, session: Session, gate: Gate, connection: Wire) -> bool:
    """Handle one frame; False ends the connection. Nothing a client sends gets further than an error frame."""
    try:
        frame = frames.read(data)
        kind = type(frame)
        if kind in CONNECTION:
            return _of_the_connection(frame, session, gate, connection)
        if (kind in QUESTIONS or not session.repeat(frame.id)) and gate.request(session, frame):
            session.reply(frame.id, m.Ack(id=frame.id))
    except Exception as error:
        if not isinstance(error, ProtocolError):
            log.exception("request-failed", jid=session.jid)
        id = frames.peek(data).id
        reply = frames.error_frame(id, error)
        if id is not None and 0 < len(id) <= 64:
            session.reply(id, reply)
        else:
            connection.send(m.encode(reply))
    return True


def _of_the_connection(frame: m.Request, session: Session, gate: Gate, connection: Wire) -> bool:
    """A frame that is no request to the service. Raises EndpointError."""
    if isinstance(frame, m.Ping):
        if frame.seq is not None:
            session.confirm(frame.seq)
        connection.send(m.encode(m.Pong(id=frame.id)))
        return True
    if isinstance(frame, m.Hello):
        raise EndpointError("out-of-order", "hello was said before")
    connection.send(m.encode(m.Ack(id=frame.id)))
    connection.close(1000, "bye")
    session.wire = None
    gate.bye(session)
    return False
