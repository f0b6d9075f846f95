"""All 402 recorded negotiations with extensions: every line comes back, and nothing is said twice.

Three things hold for each description: no line is lost; without the private elements it is the default output to the letter; and when
a standard element is altered, the SDP that comes back is altered, with nothing left of the old value.
"""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import pytest

from jinglebridge.jingle import Content, IceUdpTransport, Jingle, jingle_text, parse_jingle
from jinglebridge.jingle.private import NS as NS_PRIVATE
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.tails import candidate_extras, candidate_with_extras
from jinglebridge.translate.trickle import candidate_from_sdp
from jinglebridge.xml import parse_text, to_text
from tests.fuzz.targets import without_private
from tests.unit.corpus import Description, whole_corpus
from tests.unit.expected import differences, kept

pytestmark = pytest.mark.no_cover  # see pyproject.toml


DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
NS_JINGLE = "urn:xmpp:jingle:1"
NS_RTP = "urn:xmpp:jingle:apps:rtp:1"
NS_ICE = "urn:xmpp:jingle:transports:ice-udp:1"
NS_DTLS = "urn:xmpp:jingle:apps:dtls:0"
NS_SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
NS_HDREXT = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
NS_GROUP = "urn:xmpp:jingle:apps:grouping:0"
NS_FB = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
NS_SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"


def first(problems: list[str]) -> str:
    return f"{len(problems)} problems, the first of them:\n" + "\n".join(islice(problems, 20))


def test_every_line_comes_back_but_keys_and_placeholders():
    problems = []
    for number, one in enumerate(whole_corpus()):
        sdp = parse(one.sdp)
        for author in ("initiator", "responder") if number % 4 == 0 else (one.author,):
            xml = sdp_to_xml(one.sdp, author, extensions=True, answer=one.kind == "answer")
            back = parse(xml_to_sdp(xml, author, extensions=True))
            found = differences(kept(sdp.lines), kept(back.lines))
            if [media.mid for media in sdp.media] != [media.mid for media in back.media]:
                found.append("other sections")
            for said, got in zip(sdp.media, back.media, strict=False):
                found += [f"in section {said.index}: {what}" for what in differences(kept(said.lines), kept(got.lines))]
            problems += [f"{one.case}, {one.kind} as {author}: {what}" for what in found]
    assert not problems, first(problems)


def test_without_the_private_elements_it_is_the_default_to_the_letter():
    private = 0
    for one in whole_corpus():
        answer = one.kind == "answer"
        default = sdp_to_xml(one.sdp, one.author, answer=answer)
        xml = sdp_to_xml(one.sdp, one.author, extensions=True, answer=answer)
        private += xml.count(NS_PRIVATE)
        tree = parse_text(xml)
        without_private(tree)
        assert to_text(tree) == default, one.case
        # Who does not ask for the extensions gets the default SDP of the same text.
        assert xml_to_sdp(xml, one.author) == xml_to_sdp(default, one.author), one.case
        assert xml_to_sdp(default, one.author, extensions=True) == xml_to_sdp(default, one.author), one.case
    assert private > 1500


class Change(NamedTuple):
    """What was done to a stanza. `there` and `gone` are regular expressions for lines of section `name`, or of the session ("")."""

    name: str
    there: list[str]
    gone: list[str]


Alteration = Callable[[ET.Element, random.Random], Change | None]
ALTERATIONS: list[Alteration] = []


def alteration(function: Alteration) -> Alteration:
    ALTERATIONS.append(function)
    return function


def some(tree: ET.Element, chance: random.Random, ns: str, tag: str, where: Callable[[ET.Element], bool] = lambda el: True) -> Iterator:
    """One element of that name with its content: (content, parent, element); nothing if there is none."""
    found = [
        (content, parent, el)
        for content in tree.iter(f"{{{NS_JINGLE}}}content")
        for parent in content.iter()
        for el in parent
        if el.tag == f"{{{ns}}}{tag}" and where(el)
    ]
    return iter([chance.choice(found)] if found else [])


def dynamic(el: ET.Element) -> bool:
    """A payload type that stands for itself: no other one depends on it."""
    return el.get("name", "").lower() not in ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn")


def named(el: ET.Element) -> bool:
    """A parameter with a name; apt= ties its codec to another one."""
    return el.get("name") not in (None, "", "apt")


@alteration
def codec_renamed(tree, chance):
    for content, _, el in some(tree, chance, NS_RTP, "payload-type", dynamic):
        id, old = el.get("id"), el.get("name")
        el.set("name", "X-OTHER")
        return Change(content.get("name"), [f"a=rtpmap:{id} X-OTHER/.*"], [f"a=rtpmap:{id} {old}/.*"])


@alteration
def clock_rate_changed(tree, chance):
    for content, _, el in some(tree, chance, NS_RTP, "payload-type", dynamic):
        id, old = el.get("id"), el.get("clockrate")
        el.set("clockrate", "12345")
        return Change(content.get("name"), [rf"a=rtpmap:{id} [^/]+/12345(/.*)?"], [rf"a=rtpmap:{id} [^/]+/{old}(/.*)?"])


@alteration
def codec_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_RTP, "payload-type"):
        if len(parent.findall(f"{{{NS_RTP}}}payload-type")) > 2 and dynamic(el):
            parent.remove(el)
            id = el.get("id")
            return Change(
                content.get("name"), [], [rf"a=(rtpmap|fmtp|rtcp-fb):{id} .*", rf"m=\S+ \S+ \S+ (.* )?{id}( .*)?", rf"a=fmtp:.*apt={id}"]
            )


@alteration
def parameter_changed(tree, chance):
    for content, parent, el in some(tree, chance, NS_RTP, "parameter", named):
        id, name, old = parent.get("id"), re.escape(el.get("name")), re.escape(el.get("value"))
        el.set("value", "4711")
        return Change(content.get("name"), [rf"a=fmtp:{id} (.*;)?{name}=4711(;.*)?"], [rf"a=fmtp:{id} (.*; ?)?{name}={old}(;.*)?"])


@alteration
def parameter_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_RTP, "parameter", named):
        parent.remove(el)
        return Change(content.get("name"), [], [rf"a=fmtp:{parent.get('id')} (.*; ?)?{re.escape(el.get('name'))}=.*"])


@alteration
def feedback_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_FB, "rtcp-fb", lambda el: len(el) == 0):
        parent.remove(el)
        rest = " ".join(filter(None, (el.get("type"), el.get("subtype"))))
        return Change(content.get("name"), [], [re.escape(f"a=rtcp-fb:{parent.get('id', '*')} {rest}")])


@alteration
def candidate_moved(tree, chance):
    for content, _, el in some(tree, chance, NS_ICE, "candidate"):
        ip, old, foundation, priority = (el.get(name) for name in ("ip", "port", "foundation", "priority"))
        el.set("port", "4711")
        line = rf"a=candidate:{re.escape(foundation)} 1 \S+ {priority} {re.escape(ip)}"
        return Change(content.get("name"), [rf"{line} 4711 typ .*"], [rf"{line} {old} typ .*"])


@alteration
def candidate_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_ICE, "candidate"):
        parent.remove(el)
        words = [re.escape(el.get(name)) for name in ("priority", "ip", "port")]
        return Change(content.get("name"), [], [rf"a=candidate:\S+ 1 \S+ {' '.join(words)} typ .*"])


@alteration
def all_candidates_removed(tree, chance):
    for content, parent, _ in some(tree, chance, NS_ICE, "candidate"):
        for el in parent.findall(f"{{{NS_ICE}}}candidate"):
            parent.remove(el)
        return Change(content.get("name"), [], [r"a=candidate:\S+ 1 .*"])


@alteration
def direction_changed(tree, chance):
    rtp = [content for content in tree.iter(f"{{{NS_JINGLE}}}content") if content.find(f"{{{NS_RTP}}}description") is not None]
    for content in rtp[:1]:
        new = "none" if content.get("senders") != "none" else "both"
        content.set("senders", new)
        line = {"none": "inactive", "both": "sendrecv"}[new]
        others = "|".join(DIRECTIONS - {line})
        return Change(content.get("name"), [f"a={line}"], [f"a=({others})"])


def every_transport(tree: ET.Element, attribute: str, new: str) -> tuple[str, str]:
    """Alter all transports, since bundled ones share theirs; the name of the first content, and the old value there."""
    transports = list(tree.iter(f"{{{NS_ICE}}}transport"))
    old = transports[0].get(attribute)
    for el in transports:
        el.set(attribute, new)
    return next(tree.iter(f"{{{NS_JINGLE}}}content")).get("name"), re.escape(old)


@alteration
def ufrag_changed(tree, chance):
    name, old = every_transport(tree, "ufrag", "neWu")
    return Change(name, ["a=ice-ufrag:neWu"], [f"a=ice-ufrag:{old}", f"a=candidate:.* ufrag {old}( .*)?"])


@alteration
def password_changed(tree, chance):
    name, old = every_transport(tree, "pwd", "neWneWneWneWneWneWneWn")
    return Change(name, ["a=ice-pwd:neWneWneWneWneWneWneWn"], [f"a=ice-pwd:{old}"])


@alteration
def fingerprint_changed(tree, chance):
    new = ":".join(["5A"] * 32)
    for content, _, el in some(tree, chance, NS_DTLS, "fingerprint", lambda el: el.get("hash") == "sha-256"):
        old, el.text = el.text, new
        return Change(content.get("name"), [f"a=fingerprint:sha-256 {new}"], [rf"a=fingerprint:\S+ {old}"])


@alteration
def setup_changed(tree, chance):
    prints = list(tree.iter(f"{{{NS_DTLS}}}fingerprint"))
    old = prints[0].get("setup")
    new = "passive" if old != "passive" else "active"
    for el in prints:
        el.set("setup", new)
    return Change(next(tree.iter(f"{{{NS_JINGLE}}}content")).get("name"), [f"a=setup:{new}"], [f"a=setup:{old}"])


@alteration
def header_extension_renumbered(tree, chance):
    for content, _, el in some(tree, chance, NS_HDREXT, "rtp-hdrext"):
        old, uri = el.get("id"), re.escape(el.get("uri"))
        el.set("id", "99")
        return Change(content.get("name"), [rf"a=extmap:99(/\S+)? {uri}.*"], [rf"a=extmap:{old}(/\S+)? {uri}.*"])


@alteration
def header_extension_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_HDREXT, "rtp-hdrext"):
        parent.remove(el)
        return Change(content.get("name"), [], [rf"a=extmap:\S+ {re.escape(el.get('uri'))}.*"])


@alteration
def group_member_removed(tree, chance):
    for group in tree.findall(f"{{{NS_GROUP}}}group"):
        if len(group) > 1:
            name = group[-1].get("name")
            group.remove(group[-1])
            return Change("", [r"a=group:BUNDLE .*"], [rf"a=group:BUNDLE (.* )?{re.escape(name)}( .*)?"])


@alteration
def group_removed(tree, chance):
    groups = tree.findall(f"{{{NS_GROUP}}}group")
    for group in groups:
        tree.remove(group)
    return Change("", [], ["a=group:.*"]) if groups else None


@alteration
def source_changed(tree, chance):
    for content, _, el in some(tree, chance, NS_SSMA, "source"):
        old = el.get("ssrc")
        for one in content.iter(f"{{{NS_SSMA}}}source"):
            if one.get("ssrc") == old:
                one.set("ssrc", "4711")
        return Change(
            content.get("name"), ["a=ssrc(:|-group:.* )4711 .*|a=ssrc-group:.* 4711"], [rf"a=ssrc:{old} .*", rf"a=ssrc-group:.*\b{old}\b.*"]
        )


@alteration
def cname_changed(tree, chance):
    for content, _, el in some(tree, chance, NS_SSMA, "parameter", lambda el: el.get("name") == "cname"):
        old = re.escape(el.get("value"))
        for one in content.iter(f"{{{NS_SSMA}}}parameter"):
            if one.get("name") == "cname":
                one.set("value", "another")
        return Change(content.get("name"), [r"a=ssrc:\d+ cname:another"], [rf"a=ssrc:\d+ cname:{old}"])


@alteration
def msid_changed(tree, chance):
    for content, _, el in some(tree, chance, NS_SSMA, "parameter", lambda el: el.get("name") == "msid"):
        old = re.escape(el.get("value"))
        for one in content.iter(f"{{{NS_SSMA}}}parameter"):
            if one.get("name") == "msid":
                one.set("value", "another one")
        # Who does not send has no a=msid; then only the old one goes.
        there = ["a=msid:another one"] if content.get("senders") in (None, "both") else []
        return Change(content.get("name"), there, [rf"a=(msid|ssrc:\d+ msid):{old}"])


@alteration
def sctp_port_changed(tree, chance):
    for content, _, el in some(tree, chance, NS_SCTP, "sctpmap"):
        old = el.get("number")
        el.set("number", "4711")
        return Change(content.get("name"), ["a=sctp-port:4711"], [f"a=sctp-port:{old}"])


@alteration
def reduced_size_removed(tree, chance):
    for content, parent, el in some(tree, chance, NS_RTP, "rtcp-reduced-size"):
        parent.remove(el)
        return Change(content.get("name"), [], ["a=rtcp-rsize"])


def altered(one: Description, alter: Alteration, seed: int) -> list[str]:
    """Problems with one alteration of one description; [] also where there is nothing to alter."""
    xml = sdp_to_xml(one.sdp, one.author, extensions=True, answer=one.kind == "answer")
    tree = parse_text(xml)
    change = alter(tree, random.Random(seed))
    if change is None:
        return []
    counted[alter.__name__] += 1
    sdp = xml_to_sdp(to_text(tree), one.author, extensions=True)
    if sdp == xml_to_sdp(xml, one.author, extensions=True):
        return [f"{one.case}, {one.kind}, {alter.__name__}: nothing changed"]
    back = parse(sdp)
    lines = list(back.lines)
    if change.name:
        media = next(m for m in back.media if (m.mid or str(m.index)) == change.name)
        # What stands at session level is true for the section that has none of it.
        own = {line[2:].partition(":")[0] for line in media.lines if line.startswith("a=")}
        own |= DIRECTIONS if own & DIRECTIONS else set()
        lines = [*media.lines, *(line for line in back.lines if line.startswith("a=") and line[2:].partition(":")[0] not in own)]
    found = [f"{there} is missing" for there in change.there if not any(re.fullmatch(there, line) for line in lines)]
    found += [f"{line} is left" for gone in change.gone for line in lines if re.fullmatch(gone, line)]
    return [f"{one.case}, {one.kind}, {alter.__name__}: {what}" for what in found]


counted: Counter[str] = Counter()


def test_a_changed_standard_element_changes_the_sdp_and_nothing_old_is_left():
    problems = []
    for number, one in enumerate(whole_corpus()):
        for index, alter in enumerate(ALTERATIONS):
            if (number + index) % 6 == 0:
                problems += altered(one, alter, number)
    assert not problems, first(problems)
    assert all(counted[alter.__name__] >= 10 for alter in ALTERATIONS), counted


def test_every_trickled_candidate_comes_back_to_the_letter():
    seen = 0
    for one in whole_corpus():
        for init in one.candidates:
            text = str(init["candidate"] or "")
            found = candidate_from_sdp(text, id="c7")
            if found is None:
                continue
            seen += 1
            unknown = candidate_extras(text, found)
            content = Content("0", transport=IceUdpTransport("u", "p", candidates=(found,)), unknown=unknown)
            read = parse_jingle(parse_text(jingle_text(Jingle("transport-info", "s", contents=(content,))))).contents[0]
            assert read.transport is not None
            assert candidate_with_extras(read.transport.candidates[0], read.unknown) == text, one.case
    assert seen > 2000
