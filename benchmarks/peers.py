"""The translator of slixmpp-jingle, called as plain functions."""

from __future__ import annotations

import asyncio
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

PLUGINS = ("xep_0166", "xep_0167", "xep_0176", "xep_0293", "xep_0294", "xep_0320", "xep_0338", "xep_0339")


def slixmpp_jingle() -> tuple[str, Callable[[str], str], Callable[[str], str]]:
    """Name, SDP to XML, XML to SDP. Raises ImportError if it is not installed.

    It writes an ICE transport only for sections with port 0, so every port is made 0: that is its best case.
    """
    import slixmpp_jingle as package
    from slixmpp import ClientXMPP
    from slixmpp.xmlstream import tostring
    from slixmpp_jingle.xep_0166 import Jingle

    logging.disable(logging.CRITICAL)
    asyncio.set_event_loop(asyncio.new_event_loop())
    client = ClientXMPP("romeo@example.org", "")
    for name in PLUGINS:
        client.register_plugin(name, module=package)

    def to_xml(sdp: str) -> str:
        jingle = client["xep_0166"].make_jingle(re.sub(r"^(m=\w+) \d+", r"\1 0", sdp, flags=re.M), "romeo@example.org/a")
        jingle["action"] = "session-initiate"
        return str(tostring(jingle.xml))

    def to_sdp(xml: str) -> str:
        return str(Jingle(xml=ET.fromstring(xml)).getSDP())

    return "slixmpp-jingle 0.9.0", to_xml, to_sdp
