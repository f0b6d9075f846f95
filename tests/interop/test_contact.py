"""The IM contact against itself: what tests the bridge has to be right before it may judge."""

from __future__ import annotations

import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from jinglebridge.demo import contact
from jinglebridge.demo.handset import Handset, Json
from jinglebridge.demo.lab import Ejabberd, LabError, Prosody
from jinglebridge.demo.peer import checks
from jinglebridge.demo.peer.names import MODERN, disco_query, own_ver, ver_of_query

from .servers import HandsetFactory, unique_user

NS = {"j": "urn:xmpp:jingle:1", "i": "urn:xmpp:jingle:transports:ice-udp:1", "r": "urn:xmpp:jingle:apps:rtp:1"}


def two_tones() -> tuple[int, int]:
    """Drawn for each run, far enough apart, and none of the other's harmonics."""
    first = random.randrange(400, 1400, 10)
    return first, random.choice([hz for hz in range(400, 1400, 10) if abs(hz - first) > 150 and hz % first and first % hz])


Test = Callable[[Json], Any]


def hears(hz: int) -> Test:
    return lambda r: r["heard"]["hz"] and abs(r["heard"]["hz"] - hz) < 6 and r["heard"]["share"] > 0.8 and not r["heard"]["silence"]


def shows_more_than(frames: int) -> Test:
    return lambda r: r["video"]["frames"] > frames + 3


def knows(handset: Handset, jid: str) -> None:
    """Wait until `handset` has checked the caps of `jid`."""
    handset.until(lambda r: any(full.startswith(jid) and p["features"] for full, p in r["peers"].items()))


def acquainted(
    make: HandsetFactory, server: Ejabberd | Prosody, shapes: tuple[str, str], tones: tuple[int, int]
) -> tuple[Handset, Handset]:
    a, b = (make(server, unique_user(shape), "--shape", shape, "--tone", str(hz)) for shape, hz in zip(shapes, tones, strict=True))
    a.send("subscribe", jid=b.jid)
    knows(a, b.jid)
    knows(b, a.jid)
    return a, b


def in_call(a: Handset, b: Handset, media: list[str], tones: tuple[int, int]) -> None:
    """`a` calls `b`; both are connected, hear the other's tone, and with video see new pictures."""
    sid = a.send("call", to=b.jid, media=media)["call"]
    for side, other in ((a, tones[1]), (b, tones[0])):
        side.wait("state", call=sid, state="connected")
        side.until(hears(other))
        assert side.report(log=False)["packets"]["audio"] > 10
        if "video" in media:
            seen = side.report(log=False)["video"]["frames"]
            side.until(shows_more_than(seen))


def wanted(report: Json, action: str) -> list[ET.Element]:
    return [ET.fromstring(line["xml"]) for line in report["log"] if line["what"] == action and line["dir"] == "out"]


@pytest.mark.parametrize("shapes", [("modern", "modern"), ("dino", "modern"), ("modern", "dino")], ids="-".join)
def test_call_with_sound_and_picture(ejabberd: Ejabberd, handset: HandsetFactory, shapes: tuple[str, str]) -> None:
    tones = two_tones()
    a, b = acquainted(handset, ejabberd, shapes, tones)
    in_call(a, b, ["audio", "video"], tones)
    a.send("mute")
    b.wait("info", info="mute")
    b.until(lambda r: r["heard"]["silence"] and r["call"]["muted_by_peer"])
    a.send("unmute")
    b.until(hears(tones[0]))
    (b if shapes[0] == "modern" else a).send("hangup")  # from either side, over the three runs
    for side in (a, b):
        side.wait("ended")
    reports = [side.report() for side in (a, b)]
    for shape, report in zip(shapes, reports, strict=True):
        described = wanted(report, "session-initiate") + wanted(report, "session-accept")
        assert len(described) == 1
        (dino_shaped if shape == "dino" else modern_shaped)(described[0])
    assert [r["violations"] for r in reports] == [[], []]


def modern_shaped(stanza: ET.Element) -> None:
    assert [c.get("name") for c in stanza.iterfind("./j:jingle/j:content", NS)] in (["0", "1"], ["audio", "video"])
    assert stanza.find(".//i:candidate", NS) is None, "it trickles"


def dino_shaped(stanza: ET.Element) -> None:
    contents = stanza.findall("./j:jingle/j:content", NS)
    assert "urn:xmpp:jingle:apps:grouping:0" not in ET.tostring(stanza, encoding="unicode")
    assert len({t.get("ufrag") for t in stanza.iterfind(".//i:transport", NS)}) == len(contents) == 2
    assert all(c.find(".//i:candidate", NS) is not None for c in contents)
    if stanza.find("./j:jingle[@action='session-initiate']", NS) is not None:
        assert [c.get("name") for c in contents] == ["audio", "video"]
        assert stanza.find(".//r:encryption", NS) is not None
    else:
        assert all(len(d.findall("r:payload-type", NS)) == 1 for d in stanza.iterfind(".//r:description", NS))
        assert {f.get("setup") for f in stanza.iter("{urn:xmpp:jingle:apps:dtls:0}fingerprint")} == {"active"}


def test_call_through_prosody_and_a_second_one(prosody: Prosody, handset: HandsetFactory) -> None:
    tones = two_tones()
    a, b = acquainted(handset, prosody, ("modern", "modern"), tones)
    for caller, callee, heard in ((a, b, tones), (b, a, tones[::-1])):
        in_call(caller, callee, ["audio"], (heard[0], heard[1]))
        callee.send("hangup")
        caller.wait("ended")
        callee.wait("ended")
    assert a.report()["violations"] == b.report()["violations"] == []


def test_decline_retract_and_no_answer(ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    a, b = acquainted(handset, ejabberd, ("modern", "modern"), (500, 900))
    b.send("auto", mode="decline")
    a.send("call", to=b.jid)
    assert a.wait("ended")["reason"] == "declined"
    b.send("auto", mode="ring")
    a.send("call", to=b.jid)
    a.wait("state", state="ringing")
    a.send("retract")
    b.wait("ended", reason="retracted")
    a.wait("ended", reason="cancelled")
    b.send("auto", mode="ignore")
    a.send("call", to=b.jid)
    b.wait("incoming")
    assert a.report()["call"]["state"] == "proposing"
    a.send("retract")
    b.wait("ended", reason="retracted")
    assert a.report()["violations"] == b.report()["violations"] == []


def test_direct_call_rings_and_is_accepted_by_hand(ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    a, b = acquainted(handset, ejabberd, ("modern", "modern"), (500, 900))
    b.send("auto", mode="ring")
    a.send("call", to=b.full, media=["audio"], direct=True)
    a.wait("info", info="ringing")
    b.send("accept")
    a.until(hears(900))
    b.send("hangup")
    assert a.wait("ended")["reason"] == "peer: success"
    assert a.report()["violations"] == b.report()["violations"] == []


def test_crossing_calls_become_one(ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    a, b = acquainted(handset, ejabberd, ("modern", "modern"), (500, 900))
    for _ in range(20):  # whether the two proposes really cross is up to the scheduler: again until they do
        a.post("call", to=b.jid)
        b.post("call", to=a.jid)
        calls = []
        for side in (a, b):
            try:
                calls.append(side.answer()["call"])
            except LabError as error:  # the other's propose was faster than the command to this one
                assert "a call is running" in str(error)
        if len(calls) == 2:
            break
        a.send("hangup")
        for side in (a, b):
            side.until(lambda r: r["call"]["state"] == "ended")
    else:
        pytest.fail("the proposes never crossed")
    connected = [side.until(lambda r: r["call"]["state"] == "connected")["call"] for side in (a, b)]
    assert {call["sid"] for call in connected} == {min(calls)}, "the lower id wins"


def test_echo_sends_the_sound_back(ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    a = handset(ejabberd, None, "--tone", "660")
    b = handset(ejabberd)  # echo
    a.send("call", to=b.jid, media=["audio", "video"])
    a.until(hears(660))
    a.until(lambda r: r["video"]["frames"] > 5)


def test_contact_comes_back_after_its_server_died(own_ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    a = handset(own_ejabberd)
    own_ejabberd.kill9()
    a.wait("offline")
    own_ejabberd.start()
    a.wait("online", timeout=15)
    assert a.report()["jid"] == a.full, "same resource as before"


def test_server_names_its_relay_and_a_call_goes_with_it(ejabberd: Ejabberd, handset: HandsetFactory) -> None:
    """The STUN/TURN part of ejabberd/ejabberd.yml works: XEP-0215 answers, TURN allocates."""
    a, b = handset(ejabberd, None, "--turn", "--tone", "700"), handset(ejabberd, None, "--tone", "900")
    a.send("call", to=b.jid)
    a.until(hears(900))
    types = {c.get("type") for s in wanted(a.report(), "transport-info") for c in s.iter(f"{{{NS['i']}}}candidate")}
    assert types >= {"host", "relay"}


def test_wrong_password_is_one_clear_line(ejabberd: Ejabberd) -> None:
    ejabberd.register("known", "right")
    with pytest.raises(LabError, match="refused the password"):
        Handset(ejabberd, "known", password="wrong", register=False)


def test_contact_imports_nothing_of_the_package_but_its_own_files() -> None:
    code = "import sys, runpy; sys.argv = ['contact.py', '--help']\ntry: runpy.run_path(sys.argv.pop(0) and %r, run_name='__main__')\n"
    code += "except SystemExit: pass\nprint(*sorted(m for m in sys.modules if m.startswith('jinglebridge')))"
    done = subprocess.run([sys.executable, "-c", code % contact.__file__], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    allowed = ("jinglebridge", "jinglebridge.demo", "jinglebridge.demo.peer")
    assert [m for m in loaded if m not in allowed and not m.startswith("jinglebridge.demo.peer.")] == []


# --- the judge itself -------------------------------------------------------------------------------------------------

GOOD = """<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'><content creator='initiator' name='0'>
<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'>
<parameter name='minptime' value='10'/></payload-type><rtcp-mux/></description>
<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='abcdefghijklmnopqrstuv'>
<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>{print}</fingerprint>
<candidate component='1' foundation='1' generation='0' id='x' ip='192.0.2.1' network='0'
 port='9000' priority='7' protocol='udp' type='host'/>
</transport></content></jingle>""".format(print=":".join(["AB"] * 32))


def test_the_judge_finds_a_good_offer_good() -> None:
    assert checks.description(ET.fromstring(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("setup='actpass'", "setup='active'"),
        ("pwd='abcdefghijklmnopqrstuv'", ""),
        ("ufrag='abcd'", "ufrag='a b c'"),
        ("hash='sha-256'", "hash='sha-1'"),
        ("AB:AB", "ab:ab"),
        (" generation='0'", ""),
        (" id='x'", ""),
        ("192.0.2.1", "4f1c.local"),
        ("protocol='udp'", "protocol='tcp'"),
        ("component='1'", "component='2'"),
        ("priority='7'", "priority='0'"),
        ("value='10'", "value='1 0'"),
        ("value='10'", ""),
        ("<rtcp-mux/>", ""),
        ("<rtcp-mux/>", "<rtcp-mux/><encryption><crypto tag='1'/></encryption>"),
        ("creator='initiator'", "creator='responder'"),
        ("name='0'", "name='0' senders='none'"),
        ("clockrate='48000'", ""),
        ("media='audio'", "media='text'"),
    ],
)
def test_the_judge_sees(old: str, new: str) -> None:
    assert old in GOOD
    assert checks.description(ET.fromstring(GOOD.replace(old, new))) != []


def test_caps_hash_of_the_specification() -> None:
    """XEP-0115 §5.2 and §5.3, the published examples."""
    simple = """<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' name='Exodus 0.9.1' type='pc'/>
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/></query>"""
    assert ver_of_query(ET.fromstring(simple)) == "QgayPKawpkPSDYmwT/WM94uAlu0="
    assert ver_of_query(disco_query(MODERN, None)) == own_ver(MODERN)
