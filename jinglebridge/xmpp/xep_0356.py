"""XEP-0356 0.4.1 Privileged Entity: what the server lets this component do beyond what every component may.

Nothing here is needed; the component keeps the rosters of its own users itself. What is granted is remembered, for the doctor.

Spec: XEP-0356 §4.2.
"""

from __future__ import annotations

from jinglebridge.xmpp.stanza import Stanza

NAMESPACES = ("urn:xmpp:privilege:2", "urn:xmpp:privilege:1")  # ejabberd and Prosody have said the first since 2023 or so
MAX_GRANTS = 32


class Privileges:
    """`granted`: access ("roster", "message", "presence", "iq") -> its type as the server calls it. Empty at each new connection."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.granted: dict[str, str] = {}

    def received(self, stanza: Stanza) -> None:
        """The server's own message to the bare domain, at each connection. From anybody else it means nothing."""
        if stanza.sender != self._server or stanza.payload is None:
            return
        namespace = stanza.payload.tag.partition("}")[0] + "}"
        for perm in list(stanza.payload.iterfind(f"{namespace}perm"))[:MAX_GRANTS]:
            access, type = perm.get("access", "")[:64], perm.get("type", "some")[:64]
            if type == "none":  # ejabberd names what it does not grant as well
                self.granted.pop(access, None)
            else:
                self.granted[access] = type

    def lost(self) -> None:
        """The connection is gone, and what was granted with it."""
        self.granted.clear()
