"""What the tests of the schemas are about: real documents that break them, and a session with one way at least to break each rule.

No tests here.
"""

from __future__ import annotations

HEX = ":".join(["AB"] * 32)

SESSION = f"""<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" initiator="a@b/c" responder="d@e/f" sid="s1">
<group xmlns="urn:xmpp:jingle:apps:grouping:0" semantics="BUNDLE"><content name="0"/><content name="1"/></group>
<muji xmlns="urn:xmpp:jingle:muji:0" room="r@c"><preparing/><content name="x" creator="initiator"/></muji>
<content creator="initiator" name="0" senders="both" disposition="session">
<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio" ssrc="1">
<payload-type id="111" name="opus" clockrate="48000" channels="2" ptime="20" maxptime="60"><parameter name="a" value="b"/>
<rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="nack" subtype="pli"><parameter name="x" value="y"/></rtcp-fb></payload-type>
<payload-type id="0"><parameter value="0-16"/></payload-type><rtcp-mux/><rtcp-reduced-size/><bandwidth type="AS">64</bandwidth>
<encryption required="true"><crypto crypto-suite="s" key-params="k" tag="1"/></encryption>
<rtcp-fb-trr-int xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" value="0"/>
<rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="1" uri="urn:x" senders="none"><parameter name="p"/></rtp-hdrext>
<extmap-allow-mixed xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"/><category xmlns="urn:xmpp:jingle:apps:category:0" name="slides"/>
<ssrc-group xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" semantics="FID"><source ssrc="1"/></ssrc-group>
<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="1"><parameter name="cname"/></source>
</description>
<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ufrag="abcd" pwd="0123456789012345678901">
<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256" setup="actpass">{HEX}</fingerprint>
<sctpmap xmlns="urn:xmpp:jingle:transports:dtls-sctp:1" number="5000" protocol="webrtc-datachannel" streams="1024"/>
<channel xmlns="urn:xmpp:jingle:transports:webrtc-datachannel:0" id="1" negotiated="true"/>
<trickle xmlns="http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option"/>
<candidate component="1" foundation="1" generation="0" id="c1" ip="10.0.0.1" network="0" port="5000" priority="1" protocol="udp"
 rel-addr="0.0.0.0" rel-port="0" type="srflx"/><remote-candidate component="1" ip="::1" port="1"/><gathering-complete/>
</transport>
<sdp xmlns="urn:jinglebridge:sdp:0" proto="UDP/TLS/RTP/SAVPF"><line>a=rid:hi send</line><without attribute="mid"/><section at="1"/></sdp>
</content>
<reason><success/><text>bye</text><crypto-required xmlns="urn:xmpp:jingle:apps:rtp:errors:1"/></reason>
</jingle>"""

# What is changed, into what, and a word of the finding. One line at least for each rule that a schema has.
BROKEN = [
    ('sid="s1"', "", "attribute sid is missing"),
    ('sid="s1"', 'sid="a b"', "an id of"),
    ('sid="s1"', f'sid="{"x" * 257}"', "…; expected: an id of"),
    ('action="session-initiate"', "", "attribute action is missing"),
    ('action="session-initiate"', 'action="session-start"', "one of the fifteen actions"),
    ('initiator="a@b/c"', 'initiator=""', "an XMPP address"),
    ('responder="d@e/f"', 'answerer="d@e/f"', "unknown attribute answerer; known: action, initiator, responder, sid"),
    ('semantics="BUNDLE"', "", "attribute semantics is missing"),
    ('semantics="BUNDLE"', 'semantics="A B"', "an SDP token"),
    ('<content name="1"/>', '<content name="0"/>', "a second <content/> with name='0'"),
    ('<content name="0"/><content name="1"/>', "", "<group/> lacks a child: content"),
    ("<preparing/>", "<preparing/><preparing/>", "a second <preparing/>"),
    ('creator="initiator" name="0"', 'name="0"', "attribute creator is missing"),
    ('creator="initiator" name="0"', 'creator="caller" name="0"', "initiator or responder"),
    ('creator="initiator" name="0"', 'creator="initiator"', "attribute name is missing"),
    ('creator="initiator" name="0"', 'creator="initiator" name=""', "at least one character"),
    ('creator="initiator" name="0"', 'creator="initiator" name="0&#10;a=x"', "a name of at least one character without line breaks"),
    ('senders="both"', 'senders="me"', "both, initiator, responder or none"),
    ('disposition="session"', 'disposition=""', "an SDP token"),
    ('media="audio"', "", "attribute media is missing"),
    ('media="audio"', 'media="a/b"', "an SDP token"),
    ('media="audio" ssrc="1"', 'media="audio" ssrc="-1"', "an SSRC"),
    ('media="audio"', 'media="audio" ptime="20"', "unknown attribute ptime"),
    ('id="111"', "", "attribute id is missing"),
    ('id="111"', 'id="128"', "a payload type number from 0 to 127"),
    ('<payload-type id="0">', '<payload-type id="111">', "a second <payload-type/> with id='111'"),
    ('name="opus"', 'name="o pus"', "one word without blanks"),
    ('clockrate="48000"', 'clockrate="0"', "a number from 1 to 2147483647"),
    ('channels="2"', 'channels="0"', "a number of channels from 1 to 255"),
    ('ptime="20"', 'ptime="0"', "milliseconds"),
    ('maxptime="60"', 'maxptime="100001"', "milliseconds"),
    ('<parameter name="a" value="b"/>', '<parameter name="a"/>', "attribute value is missing"),
    ('<parameter name="a" value="b"/>', '<parameter name="a" value="b&#13;c"/>', "text without line breaks or control characters"),
    ('<parameter name="a" value="b"/>', '<parameter name="a" value="b">c</parameter>', "<parameter/> may hold no text"),
    ('<parameter name="a" value="b"/>', '<parameter name="a" value="b"><x xmlns="y"/></parameter>', "<parameter/> may hold no element"),
    ('type="nack"', "", "attribute type is missing"),
    ('subtype="pli"', 'subtype="a b"', "one word"),
    ('<parameter name="x" value="y"/>', '<parameter value="y"/>', "attribute name is missing"),
    ("<rtcp-mux/>", "<rtcp-mux/><rtcp-mux/>", "a second <rtcp-mux/>"),
    ("<rtcp-mux/>", "<rtcp-mux>1</rtcp-mux>", "the text '1'; expected: no text"),
    ("<rtcp-mux/>", '<rtcp-mux on="1"/>', "unknown attribute on; <rtcp-mux/> has none"),
    ("<rtcp-mux/>", "<rtcp-mux><rtcp-mux/></rtcp-mux>", "<rtcp-mux/> may hold no element"),
    ("<rtcp-mux/>", "<rtcp-max/>", "<rtcp-max/> is not expected here"),
    ("<rtcp-reduced-size/>", "<rtcp-reduced-size/><rtcp-reduced-size/>", "a second <rtcp-reduced-size/>"),
    ('<bandwidth type="AS">64<', "<bandwidth>64<", "attribute type is missing"),
    ('<bandwidth type="AS">64<', '<bandwidth type="AS">many<', "the text 'many'; expected: a number"),
    ("<encryption", '<bandwidth type="AS">1</bandwidth><encryption', "a second <bandwidth/> with type='AS'"),
    ('required="true"', 'required="yes"', "true or false"),
    ('key-params="k"', "", "attribute key-params is missing"),
    ('crypto-suite="s"', "", "attribute crypto-suite is missing"),
    ('tag="1"', "", "attribute tag is missing"),
    ('value="0"/>', 'value="-1"/>', "a number from 0"),
    ('id="1" uri="urn:x"', 'id="15" uri="urn:x"', "a number from 1 to 14, 16 to 255 or 4096 to 4351"),
    ('id="1" uri="urn:x"', 'id="256" uri="urn:x"', "a number from 1 to 14"),
    ('id="1" uri="urn:x"', 'id="1" uri="urn x"', "one word"),
    ('id="1" uri="urn:x"', 'id="1"', "attribute uri is missing"),
    ('senders="none"', 'senders="recvonly"', "both, initiator, responder or none"),
    (
        "<extmap-allow-mixed",
        '<rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="1" uri="urn:x"/><extmap-allow-mixed',
        "a second <rtp-hdrext/> with id='1'",
    ),
    (
        '<category xmlns="urn:xmpp:jingle:apps:category:0" name="slides"',
        '<category xmlns="urn:xmpp:jingle:apps:category:0"',
        "name is missing",
    ),
    ('name="slides"', 'name="film"', "slides, speaker, sl, main or alt"),
    ('semantics="FID"><source ssrc="1"/>', 'semantics="FID">', "<ssrc-group/> lacks a child: source"),
    ('semantics="FID"', "", "attribute semantics is missing"),
    ('ssrc="1"><parameter', 'ssrc="4294967296"><parameter', "an SSRC"),
    ('<parameter name="cname"/>', '<parameter name="c name"/>', "one word"),
    ('ufrag="abcd"', 'ufrag="abc"', "4 to 256"),
    ('ufrag="abcd"', 'ufrag="ab-d"', "4 to 256"),
    ('pwd="0123456789012345678901"', 'pwd="012345678901234567890"', "22 to 256"),
    ('hash="sha-256"', "", "attribute hash is missing"),
    ('setup="actpass"', 'setup="both"', "active, passive, actpass or holdconn"),
    (HEX, " " + HEX, "no blanks"),
    (HEX, "", "pairs of hexadecimal digits"),
    (HEX, "AB:C", "pairs of hexadecimal digits"),
    ('number="5000"', 'number="0"', "a port"),
    ('number="5000"', 'port="5000"', "attribute number is missing"),
    ('protocol="webrtc-datachannel"', "", "attribute protocol is missing"),
    ('streams="1024"', 'streams="70000"', "a number of streams"),
    ('negotiated="true"', 'negotiated="maybe"', "true or false"),
    ("<trickle", "<tickle", "has no <tickle/>"),
    ('component="1" foundation', 'component="257" foundation', "a component number from 1 to 256"),
    ('component="1" foundation', "foundation", "attribute component is missing"),
    ('foundation="1"', 'foundation="a_b"', "1 to 32"),
    ('foundation="1"', f'foundation="{"1" * 33}"', "1 to 32"),
    ('foundation="1"', "", "attribute foundation is missing"),
    ('generation="0"', "", "attribute generation is missing"),
    ('generation="0"', 'generation="256"', "a number from 0 to 255"),
    ('id="c1"', "", "attribute id is missing"),
    ('id="c1"', 'id=""', "one word"),
    ('ip="10.0.0.1"', "", "attribute ip is missing"),
    ('ip="10.0.0.1"', 'ip="example.org"', "an IPv4 or IPv6 address"),
    ('ip="10.0.0.1"', 'ip="fe80::1%eth0"', "an IPv4 or IPv6 address"),
    ('ip="10.0.0.1"', 'ip="[::1]"', "an IPv4 or IPv6 address"),
    ('network="0"', 'network="x"', "a number from 0 to 255"),
    ('port="5000"', 'port="70000"', "a port from 1 to 65535"),
    ('port="5000"', 'port="0"', "a port from 1 to 65535"),
    ('port="5000"', "", "attribute port is missing"),
    ('priority="1"', 'priority="2147483648"', "a number from 1 to 2147483647"),
    ('priority="1"', "", "attribute priority is missing"),
    ('protocol="udp"', 'protocol="UDP"', "udp or tcp in small letters"),
    ('protocol="udp"', 'protocol="tcp" tcptype="both"', "active, passive or so"),
    ('rel-addr="0.0.0.0"', 'rel-addr=""', "an IPv4 or IPv6 address"),
    ('rel-port="0"', 'rel_port="0"', "unknown attribute rel_port"),
    ('type="srflx"', 'type="stun"', "host, srflx, prflx or relay"),
    ('type="srflx"', "", "attribute type is missing"),
    ('<remote-candidate component="1"', "<remote-candidate", "attribute component is missing"),
    ("<gathering-complete/>", "<gathering-complete/><gathering-complete/>", "a second <gathering-complete/>"),
    ("<remote-candidate", '<remote-candidate component="1" ip="::2" port="2"/><remote-candidate', "with component='1'"),
    ("<line>a=rid:hi send</line>", "<line>rid</line>", "a line of SDP"),
    ("<line>a=rid:hi send</line>", "<line>a=x\na=y</line>", "a line of SDP"),
    ("<line>a=rid:hi send</line>", "<line>a=x&#x85;a=y</line>", "a line of SDP"),
    ("<line>a=rid:hi send</line>", "<line>a=x&#x2028;a=y</line>", "a line of SDP"),
    ('attribute="mid"', 'attribute="m="', "direction, ice-options"),
    ('<section at="1"/>', '<section at="16"/>', "a number from 0 to 15"),
    ('<section at="1"/>', '<section at="1"/><section at="1"/>', "a second <section/> with at='1'"),
    ('<section at="1"/>', "<part/>", "<part/> is not expected here"),
    ("<success/>", "", "<text/> is not expected here; possible: alternative-session, busy"),
    ("<success/>", "<success/><busy/>", "<busy/> is not expected here"),
    ("<success/>", "<success>yes</success>", "expected: no text"),
    ("<text>bye</text>", "<text><b/></text>", "<text/> may hold no element"),
    ("<reason>", "<reason><busy/></reason><reason>", "<reason/> is not expected here"),
    ("<crypto-required", "<crypto-wanted", "has no <crypto-wanted/>"),
    ("</jingle>", "hello</jingle>", "<jingle/> may hold no text"),
    ("</jingle>", "<contents/></jingle>", "<contents/> is not expected here"),
    ("</jingle>", '<content creator="initiator" name="9"/></jingle>', "<content/> is not expected here"),
    ("</jingle>", "<rtcp-mux xmlns='urn:xmpp:jingle:apps:rtp:1'/></jingle>", "<rtcp-mux/> does not belong into <jingle/>"),
    ("</jingle>", "<transport xmlns='urn:xmpp:jingle:transports:ice:0'/></jingle>", "<transport/> does not belong into <jingle/>"),
    (
        "</description>",
        f'<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256">{HEX}</fingerprint></description>',
        "does not belong",
    ),
]
OTHERS = [
    ('<propose xmlns="urn:xmpp:jingle-message:0" id="1"><description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"/></propose>', ""),
    ('<propose xmlns="urn:xmpp:jingle-message:0" id="1"/>', "<propose/> lacks a child: an element of another namespace"),
    ('<proceed xmlns="urn:xmpp:jingle-message:0" id="1"><device xmlns="x" id="2"/></proceed>', ""),
    ('<ringing xmlns="urn:xmpp:jingle-message:0"/>', "attribute id is missing"),
    ('<accept xmlns="urn:xmpp:jingle-message:0" id="a b"/>', "an id of"),
    ('<reject xmlns="urn:xmpp:jingle-message:0" id="1"><reason xmlns="urn:xmpp:jingle:1"><busy/></reason><tie-break/></reject>', ""),
    ('<retract xmlns="urn:xmpp:jingle-message:0" id="1"><migrated to="2"/></retract>', "<migrated/> is not expected here"),
    ('<finish xmlns="urn:xmpp:jingle-message:0" id="1"><migrated to="2"/></finish>', ""),
    ('<finish xmlns="urn:xmpp:jingle-message:0" id="1"><migrated/></finish>', "attribute to is missing"),
    ('<finish xmlns="urn:xmpp:jingle-message:0" id="1"><migrated xmlns="urn:xmpp:jingle:1"/></finish>', "has no <migrated/>"),
    ('<invite xmlns="urn:xmpp:call-invites:0" video="true"><jingle sid="1" jid="a@b"/><external uri="tel:1"/></invite>', ""),
    ('<invite xmlns="urn:xmpp:call-invites:0" video="on"/>', "true or false"),
    ('<invite xmlns="urn:xmpp:call-invites:0"><external uri="a b"/></invite>', "one word"),
    ('<left xmlns="urn:xmpp:call-invites:0"/>', "attribute id is missing"),
    ('<mute xmlns="urn:xmpp:jingle:apps:rtp:info:1" creator="responder" name="0"/>', ""),
    ('<mute xmlns="urn:xmpp:jingle:apps:rtp:info:1" creator="me"/>', "initiator or responder"),
    ('<hold xmlns="urn:xmpp:jingle:apps:rtp:info:1" name="0"/>', "unknown attribute name; <hold/> has none"),
    ('<tie-break xmlns="urn:xmpp:jingle:errors:1"/>', ""),
    ('<tie-break xmlns="urn:xmpp:jingle:errors:1">x</tie-break>', "no text"),
    ('<transport xmlns="urn:xmpp:jingle:transports:ice:0" ice2="true"><gathering-complete/></transport>', ""),
    ('<transport xmlns="urn:xmpp:jingle:transports:ice:0" ice2="2"/>', "true or false"),
    ('<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ice2="true"/>', "unknown attribute ice2"),
    ('<muji xmlns="urn:xmpp:jingle:muji:0"><content/></muji>', "attribute name is missing"),
    ('<body xmlns="jabber:client"/>', "there is no schema for <body/> of jabber:client"),
    ('<jingle action="session-info" sid="1"/>', "there is no schema for <jingle/> without a namespace"),
    (
        '<sctpmap xmlns="urn:xmpp:jingle:transports:dtls-sctp:1" number="1" protocol="x" xml:lang="de"/>',
        "attribute lang of another namespace",
    ),
    ('<contents xmlns="urn:xmpp:jingle:1"/>', "there is no schema for <contents/> of urn:xmpp:jingle:1"),
]

# What is not valid says so beside it ("valid": false) or here, with the client that writes it.
INVALID = {
    "xep_0176/candidate-monal.xml": "Monal: rel_port, UDP, no id (J-150)",
    "xep_0176/candidate-monal.out.xml": "the same written again: whoever gave no id gets none",
    "traces/gajim-1-session-initiate.xml": "Gajim: tcp candidates with port 0 instead of 9, and without tcptype",
    "traces/gajim-2-session-accept.xml": "Gajim: the same",
    "traces/qxmpp-1-session-initiate.xml": "QXmpp: one payload type number for two codecs of a content",
    "traces/qxmpp-3-session-accept.xml": "QXmpp: the same",
    "traces/stanza-audio-1-session-initiate.xml": "stanza 12: a bare format parameter as a name without value",
    "traces/stanza-audio-2-session-accept.xml": "stanza 12: the same",
    "traces/stanza-av-1-session-initiate.xml": "stanza 12: the same",
    "traces/stanza-av-2-transport-info.xml": "stanza 12: candidates without generation and id",
    "traces/stanza-av-4-session-accept.xml": "stanza 12: a bare format parameter as a name without value",
}

# Examples of the XEPs that break the schemas, and why that is right.
_PRIORITY = "a priority above 2^31-1, which RFC 8839 §5.1 forbids"
_BLANKS = "the fingerprint is broken over lines, which Conversations does not take (J-178)"
_ORDER = "the text of the reason stands after the condition of another namespace; XEP-0166 §7.4 has it before"
_PLACEHOLDER = "words in place of values"
DEVIATING = {
    "xep-0176/ex-07-initiator-sends-a-subsequent-candidate.xml": _PRIORITY,
    "xep-0371/ex-07-initiator-sends-a-subsequent-candidate.xml": _PRIORITY,
    "xep-0251/ex-11-caller-terminates-session-with-attendant.xml": _ORDER,
    "xep-0251/ex-23-callee-hangs-up-on-attendant.xml": _ORDER,
    "xep-0251/ex-25-caller-terminates-session-with-attendant.xml": _ORDER,
    "xep-0294/ex-01-initiator-sends-description-inside-session-initiate.xml": "id 4907, outside of what RFC 8285 has (J-135)",
    "xep-0320/ex-04-code-protocol.xml": _PLACEHOLDER,
    "xep-0320/ex-05-code-protocol.xml": _BLANKS,
    "xep-0320/ex-06-initiator-sends-session-invitation-with-dtls-fingerprint.xml": _BLANKS,
    "xep-0320/ex-07-responder-sends-session-accept.xml": _BLANKS,
    "xep-0320/ex-08-a-transport-info-containing-a-dtls-fingerprint.xml": _BLANKS,
    "xep-0339/ex-02-code-the-ssrc-attribute.xml": _PLACEHOLDER,
    "xep-0340/ex-06-result.xml": _PLACEHOLDER,
    "xep-0483/ex-16-accepting-a-meeting-invitation.xml": "<meeting/> has lost its namespace",
    "xep-0517/ex-08-illustrative-datachannel-text-content.xml": "a transport in the namespace of XEP-0343, which has none",
    "inbox-av_conferences/ex-01a-juliet-initiates-a-jingle-session-with-the-conference-room.xml": _PLACEHOLDER,
    "inbox-av_conferences/ex-03-conference-room-initiates-a-session-with-juliet-to-send-rome.xml": _PLACEHOLDER,
    "inbox-jingle-sdp/ex-03-initiator-sends-a-subsequent-candidate.xml": _PRIORITY + ", and a pwd of 16 characters",
}
