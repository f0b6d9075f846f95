"""The contact's XML stream."""

from __future__ import annotations

from typing import Any

from slixmpp import ClientXMPP


class Stream(ClientXMPP):  # type: ignore[misc]
    """slixmpp's stream, fed in whole tags.

    COMPAT(expat of Debian 12): it puts off a token that came in pieces until twice as many bytes are there, so a stanza that TCP or TLS
    cut in two would lie there until the next one comes.
    """

    held = b""

    def connection_made(self, transport: Any, send_event: bool = True) -> None:
        self.held = b""
        super().connection_made(transport, send_event)

    def data_received(self, data: bytes) -> None:
        data = self.held + data
        end = data.rfind(b">") + 1
        self.held = data[end:]
        if end:
            super().data_received(data[:end])
