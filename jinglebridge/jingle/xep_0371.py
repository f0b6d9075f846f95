"""XEP-0371: Jingle ICE Transport Method, version 0.3.1 (2021-03).

XEP-0176 with TCP candidates, an end of candidates and the ``ice2`` flag, in a namespace of its own. It is read wherever XEP-0176 is;
an answer stays in the namespace of its offer, and nothing is offered in it unless the peer's policy says so. J-165, J-166, J-176.
"""

from __future__ import annotations

from jinglebridge.jingle.xep_0176 import NS_ICE, Tables
from jinglebridge.jingle.xep_0343 import boolean
from jinglebridge.xml import attr

NS = NS_ICE
VERSION = "0.3.1"
# Not announced: whoever knows it knows XEP-0176 as well, which every other client needs (J-020).
FEATURES: tuple[str, ...] = ()

_TABLES = Tables(NS, attr("ice2", boolean, default=False))
CANDIDATE, REMOTE_CANDIDATE, TRANSPORT = _TABLES.candidate, _TABLES.remote_candidate, _TABLES.transport
