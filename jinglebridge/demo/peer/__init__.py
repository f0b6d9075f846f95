"""An IM contact that speaks Jingle by itself: the independent other side of our demo and of our tests.

Nothing in this folder imports the rest of the package. It has its own mapping between SDP and Jingle, its own idea of XEP-0353,
and it checks what it is sent as the strictest real clients do, so that two mistakes of ours cannot cancel out.

Read in this order: ``names`` (namespaces), ``client`` (the XMPP account), ``people`` (presence), ``call`` (one call), ``stanzas``,
``rtc`` (aiortc), ``sdp`` (SDP and Jingle), ``media`` (sound and picture), ``checks`` and ``demands`` (what we demand of the other
side), ``control`` (the socket).
"""
