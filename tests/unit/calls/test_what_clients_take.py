"""What each kind of client is told of a change in a running call, and what it is spared. J-171, J-212 … J-219."""

from __future__ import annotations

import pytest

from jinglebridge import sdp
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import JMI, PeerResource
from jinglebridge.calls.states import Signalling
from jinglebridge.errors import EndpointError, TieBreak
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Role
from jinglebridge.translate.policy import SAFE
from jinglebridge.translate.session import from_sdp
from tests.unit.calls.world import ANSWER, DEVICE, OFFER, PHONE, World, answer_of_peer, talking_in, talking_out

NODES = {
    "dino": "https://dino.im", "conversations": "http://conversations.im", "monal": "https://monal-im.org/", "movim": "https://movim.eu/",
    "stanza": "https://stanzajs.org", "nobody": "https://example.org",
}  # fmt: skip


def next_version(sdp: str) -> str:
    first, origin, rest = sdp.split("\r\n", 2)
    user, session, version, *more = origin.split()
    return "\r\n".join([first, " ".join([user, session, str(int(version) + 1), *more]), rest])


def with_another_video(sdp: str) -> str:
    video = "m=video" + sdp.partition("m=video")[2].replace("a=mid:1", "a=mid:2")
    lines = [line for line in video.splitlines() if not line.startswith(("a=ssrc", "a=msid", "a=candidate"))]
    return next_version(sdp).replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 2") + "\r\n".join(lines) + "\r\n"


CHANGES = {
    "restart": next_version(OFFER).replace("a=ice-ufrag:", "a=ice-ufrag:fresh").replace("a=ice-pwd:", "a=ice-pwd:fresh"),
    "add": with_another_video(OFFER),
    "hold": next_version(OFFER).replace("a=sendrecv", "a=inactive"),
    "remove": next_version(OFFER).replace("m=video 9 ", "m=video 0 "),
}
WHOLE = {"restart": ["transport-info"], "add": ["content-add"], "hold": ["content-modify"] * 2, "remove": ["content-modify"]}
# Kind of client -> change -> actions that it hears, or the `what` of the error that the page gets.
TOLD: dict[str, dict[str, list[str] | str]] = {
    "dino": WHOLE | {"restart": "ice-restart"},
    "conversations": WHOLE | {"hold": ["session-info"], "remove": []},
    "monal": {"restart": "ice-restart", "add": [], "hold": ["session-info"], "remove": []},
    "movim": WHOLE | {"restart": "ice-restart"},
    "stanza": {"restart": ["transport-info"], "add": [], "hold": ["session-info"], "remove": []},
    "nobody": WHOLE | {"restart": "ice-restart"},
}


def talking_to(kind: str) -> World:
    return talking_out(World(PeerResource(PHONE, DEVICE | {JMI}, node=NODES[kind])))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", TOLD)
def test_each_client_hears_of_a_change_what_it_can_take(kind, change):
    """COMPAT(Dino 0.4.2, Conversations 2.12, Monal 6, stanza.js 12): what a client refuses, or never answers, is not sent."""
    w = talking_to(kind)
    event = ev.Described(w.state.call, "offer", CHANGES[change])
    wanted = TOLD[kind][change]
    if isinstance(wanted, str):
        with pytest.raises(EndpointError) as error:
            w.does(event)
        assert (error.value.code, error.value.what) == ("not-negotiable", wanted)
        return
    lines = w.does(event)
    assert [line.split()[3] for line in lines if line.startswith("page > phone")] == wanted
    # What need not be waited for, or cannot be asked, is answered at once.
    assert ("page: answer" in lines) is (wanted not in (["content-add"], ["transport-info"]))


@pytest.mark.parametrize(("kind", "empty"), [("conversations", True), ("dino", False), ("movim", False)])
def test_a_content_in_the_bundle_has_an_empty_transport_for_conversations(kind, empty):
    """J-214. COMPAT(Conversations 2.12)."""
    w = talking_to(kind)
    w.does(ev.Described(w.state.call, "offer", CHANGES["add"]))
    (jingle,) = w.sent("content-add")
    (content,) = jingle.contents
    assert (content.transport.ufrag is None and content.transport.fingerprints == ()) is empty


def test_movim_answers_a_new_content_with_a_session_accept():
    """COMPAT(Movim 0.31): of everything, also of what was there."""
    w = talking_to("movim")
    w.does(ev.Described(w.state.call, "offer", CHANGES["add"]))
    described = from_sdp(sdp.parse(CHANGES["add"]), Role.INITIATOR, policy=SAFE)
    whole = Jingle("session-initiate", w.state.sid, contents=described.contents, groups=described.groups)
    assert w.sends(answer_of_peer(whole, with_another_video(ANSWER))) == ["page: answer"]


def restart(ufrag: str) -> tuple[Content, ...]:
    transport = IceUdpTransport(ufrag=ufrag, pwd=ufrag * 6)
    return tuple(Content(name, Role.INITIATOR, transport=transport) for name in ("0", "1"))


def test_a_restart_by_the_called_one_would_end_a_session_of_stanza_js():
    """COMPAT(stanza.js 12): it puts new credentials into the answer that it has, which its browser does not take in a stable state."""
    w = talking_in(World(PeerResource(PHONE, DEVICE | {JMI}, node=NODES["stanza"])))
    assert not w.state.abilities.restart and talking_to("stanza").state.abilities.restart
    offer = next_version(ANSWER).replace("a=ice-ufrag:", "a=ice-ufrag:fresh").replace("a=ice-pwd:", "a=ice-pwd:fresh")
    with pytest.raises(EndpointError) as error:
        w.does(ev.Described("id1", "offer", offer.replace("a=setup:active", "a=setup:actpass")))
    assert error.value.what == "ice-restart"


def test_conversations_answers_a_restart_by_a_candidate():
    """COMPAT(Conversations 2.12): without one it is an offer of its own, which crosses ours."""
    w = talking_to("conversations")
    w.does(ev.Described(w.state.call, "offer", CHANGES["restart"]))
    with pytest.raises(TieBreak):
        w.sends("transport-info", contents=restart("abcd"))
    assert w.state.signalling is Signalling.LOCAL_OFFER


@pytest.mark.parametrize("given", [{"ufrag": "{}"}, {}], ids=["stanza.js", "Movim"])
def test_candidates_without_a_pwd_are_of_the_current_credentials(given):
    """COMPAT(stanza.js 12): the ufrag without the pwd. COMPAT(Movim 0.31): neither."""
    w = talking_to("movim")
    side = w.state.side.peer
    ufrag = side.content("0").transport.ufrag
    attributes = " ".join(f'{key}="{value.format(ufrag)}"' for key, value in given.items())
    candidate = '<candidate component="1" foundation="1" ip="192.0.2.9" port="5000" priority="7" protocol="udp" type="host"/>'
    transport = f'<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" {attributes}>{candidate}</transport>'
    content = f'<content creator="initiator" name="0">{transport}</content>'
    xml = f'<jingle xmlns="urn:xmpp:jingle:1" action="transport-info" sid="{w.state.sid}">{content}</jingle>'
    assert w.sends_xml(xml) == ["page: candidate 0 0"]
