"""Jingle as values: one file per XEP, each declares its elements once and maps them to SDP where the XEP says how.

Adding a XEP: a file ``xep_NNNN.py`` with ``NS``, ``VERSION``, ``FEATURES``, dataclasses and Element tables, and its line in `_FILES`. What
XEP-0167 is in SDP fills a file of its own, `xep_0167_sdp`; how values of ICE are spelt is in `ice`, for XEP-0176 and XEP-0371.
"""

from __future__ import annotations

from typing import NamedTuple

from jinglebridge.jingle import (
    xep_0166,
    xep_0167,
    xep_0176,
    xep_0272,
    xep_0293,
    xep_0294,
    xep_0320,
    xep_0338,
    xep_0339,
    xep_0343,
    xep_0353,
    xep_0371,
    xep_0482,
    xep_0507,
)
from jinglebridge.jingle.plain import forget_trickled, plain_jingle
from jinglebridge.jingle.roles import Role, Senders
from jinglebridge.jingle.xep_0166 import (
    ACTIONS,
    Content,
    Jingle,
    Reason,
    build_jingle,
    jingle_text,
    parse_jingle,
    read_jingle,
)
from jinglebridge.jingle.xep_0167 import Bandwidth, Parameter, PayloadType, RtpDescription, SessionInfo
from jinglebridge.jingle.xep_0176 import Candidate, IceUdpTransport
from jinglebridge.jingle.xep_0293 import RtcpFb, TrrInt
from jinglebridge.jingle.xep_0294 import HeaderExtension
from jinglebridge.jingle.xep_0320 import Fingerprint
from jinglebridge.jingle.xep_0338 import Group
from jinglebridge.jingle.xep_0339 import Source, SourceGroup, SourceParameter
from jinglebridge.jingle.xep_0343 import Channel, Sctpmap
from jinglebridge.jingle.xep_0353 import (
    JMI_NAMES,
    JMI_TAGS,
    Accept,
    Finish,
    Jmi,
    Proceed,
    Propose,
    Reject,
    Retract,
    Ringing,
    build_jmi,
    jmi_text,
    parse_jmi,
    plain_jmi,
)
from jinglebridge.jingle.xep_0507 import Category

_FILES = (
    xep_0166,
    xep_0167,
    xep_0176,
    xep_0272,
    xep_0293,
    xep_0294,
    xep_0320,
    xep_0338,
    xep_0339,
    xep_0343,
    xep_0353,
    xep_0371,
    xep_0482,
    xep_0507,
)


class Xep(NamedTuple):
    """A row of the table of XEPs in the documentation."""

    number: str
    version: str
    title: str
    namespaces: tuple[str, ...]
    file: str


def _xep(module: object) -> Xep:
    headline = (getattr(module, "__doc__", "") or "").partition("\n")[0]
    number, _, title = headline.removeprefix("XEP-").partition(": ")
    names = tuple(value for name, value in vars(module).items() if name == "NS" or name.startswith("NS_OWN"))
    return Xep(number, getattr(module, "VERSION", ""), title.partition(", version")[0], names, f"jingle/xep_{number}.py")


XEPS: list[Xep] = [_xep(module) for module in _FILES]


def features(audio: bool = True, video: bool = True) -> tuple[str, ...]:
    """disco#info features of somebody who takes these media, from the files themselves. J-019.

    Without urn:ietf:rfc:3264, which would make newer Conversations stop trickling.
    """
    found = [feature for module in _FILES for feature in module.FEATURES]
    if audio:
        found.append(xep_0167.AUDIO)
    if video:
        found.append(xep_0167.VIDEO)
    return tuple(found)


__all__ = [
    "ACTIONS",
    "JMI_NAMES",
    "JMI_TAGS",
    "XEPS",
    "Accept",
    "Bandwidth",
    "Candidate",
    "Category",
    "Channel",
    "Content",
    "Fingerprint",
    "Finish",
    "Group",
    "HeaderExtension",
    "IceUdpTransport",
    "Jingle",
    "Jmi",
    "Parameter",
    "PayloadType",
    "Proceed",
    "Propose",
    "Reason",
    "Reject",
    "Retract",
    "Ringing",
    "Role",
    "RtcpFb",
    "RtpDescription",
    "Sctpmap",
    "Senders",
    "SessionInfo",
    "Source",
    "SourceGroup",
    "SourceParameter",
    "TrrInt",
    "Xep",
    "build_jingle",
    "build_jmi",
    "features",
    "forget_trickled",
    "jingle_text",
    "jmi_text",
    "parse_jingle",
    "parse_jmi",
    "plain_jingle",
    "plain_jmi",
    "read_jingle",
]
