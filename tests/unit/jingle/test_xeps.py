"""Every Element table against real stanzas and against itself; the lists computed from the files."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinglebridge import jingle
from jinglebridge.jingle import (
    JMI_TAGS,
    XEPS,
    build_jingle,
    build_jmi,
    jingle_text,
    parse_jingle,
    parse_jmi,
    xep_0166,
    xep_0167,
    xep_0176,
    xep_0293,
    xep_0294,
    xep_0320,
    xep_0338,
    xep_0339,
    xep_0343,
    xep_0353,
    xep_0371,
    xep_0507,
)
from jinglebridge.xml import Element, parse_text, to_text
from tests.unit.cases import CASES

ELEMENTS = {
    "candidate": xep_0176.CANDIDATE,
    "transport": xep_0176.TRANSPORT,
    "payload-type": xep_0167.PAYLOAD_TYPE,
    "description": xep_0167.DESCRIPTION,
    "reason": xep_0166.REASON,
}
PAIRS = sorted(path for path in CASES.glob("xep_*/*.xml") if not path.name.endswith(".out.xml"))
# The XEPs' own examples are not copied; they are read where a checkout of them lies beside this one.
EXAMPLES = Path(os.environ.get("XEP_EXAMPLES", CASES.parent.parent.parent / "shared" / "xep-examples"))


def plain(value):
    """A dataclass or NamedTuple as JSON would hold it."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("path", PAIRS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_file_pairs(path):
    """parse == json, build == xml. A new case is two files."""
    source = path.read_text().strip()
    el = parse_text(source)
    if el.tag in JMI_TAGS:
        value, text = parse_jmi(el), to_text(build_jmi(parse_jmi(el)))
    else:
        element: Element = ELEMENTS[el.tag.partition("}")[2]]
        value = element.parse(el)
        text = element.text(value)
        assert to_text(element.build(value)) == text
    assert plain(value) == json.loads(path.with_suffix(".json").read_text())
    written = path.with_suffix(".out.xml")
    assert text == (written.read_text().strip() if written.exists() else source)


def jingles():
    yield from sorted((CASES / "dino").glob("*.xml"))
    if EXAMPLES.exists():
        for number in (xep.number for xep in XEPS):
            yield from sorted((EXAMPLES / f"xep-{number}").glob("*.xml"))


@pytest.mark.parametrize("path", list(jingles()), ids=lambda p: p.stem)
def test_real_stanzas_survive_parse_and_build(path):
    root = ET.parse(path).getroot()
    for el in root.iter(xep_0166.JINGLE.clark):
        if el.get("action") is None:
            continue  # a fragment that only shows an inner element
        value = parse_jingle(el)
        assert parse_jingle(build_jingle(value)) == value
        assert jingle_text(value) == to_text(build_jingle(value))
        assert "<crypto " not in jingle_text(value)
    for el in root.iter():
        if el.tag in JMI_TAGS:
            assert parse_jmi(build_jmi(parse_jmi(el))) == parse_jmi(el)


def test_the_table_of_xeps_is_computed():
    numbers = "0166 0167 0176 0272 0293 0294 0320 0338 0339 0343 0353 0371 0482 0507"
    assert [xep.number for xep in XEPS] == numbers.split()
    root = Path(jingle.__file__).parent.parent
    for xep in XEPS:
        assert (root / xep.file).is_file() and xep.version and xep.title and xep.namespaces[0].startswith("urn:")
        assert f"version {xep.version}" in (root / xep.file).read_text().partition("\n")[0]
    assert XEPS[0].title == "Jingle"


def test_features_are_those_of_the_files_and_of_the_media():
    everything = jingle.features()
    assert "urn:ietf:rfc:3264" not in everything
    assert {"urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:dtls:0", "urn:xmpp:jingle-message:0", "urn:ietf:rfc:5888"} <= set(everything)
    assert set(everything) - set(jingle.features(audio=False)) == {xep_0167.AUDIO}
    assert set(everything) - set(jingle.features(video=False)) == {xep_0167.VIDEO}


CANDIDATES = st.builds(
    xep_0176.Candidate,
    component=st.integers(1, 256),
    foundation=st.from_regex(r"[A-Za-z0-9+/]{1,32}", fullmatch=True),
    ip=st.ip_addresses(v=4).filter(lambda ip: not (ip.is_multicast or ip.is_unspecified)).map(str)
    | st.just("fd00::2")
    | st.just("x-1.local"),
    port=st.integers(1, 65535),
    priority=st.integers(1, 2**31 - 1),
    type=st.sampled_from(xep_0176.TYPES),
    protocol=st.sampled_from(["udp", "tcp"]),
    generation=st.integers(0, 255),
    id=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    network=st.integers(0, 255),
    related_address=st.none() | st.ip_addresses().map(str),
    related_port=st.none() | st.integers(0, 65535),
    unknown=st.just(()),
    tcptype=st.none() | st.sampled_from(["active", "passive", "so"]),
)
WORDS = st.from_regex(r"[!-~]{1,20}", fullmatch=True)
LINES = st.text(alphabet=st.characters(blacklist_categories=("C", "Z")), max_size=20)
NONE = st.just(())
PARTS = LINES.filter(lambda value: ";" not in value)
FEEDBACK = st.builds(
    xep_0293.RtcpFb, WORDS, st.none() | WORDS, st.lists(st.builds(xep_0293.FbParameter, WORDS, LINES), max_size=2).map(tuple), NONE
)
PAYLOADS = st.builds(
    xep_0167.PayloadType,
    id=st.integers(0, 127),
    name=WORDS.filter(lambda name: "/" not in name),
    clockrate=st.integers(1, 2**31 - 1),
    channels=st.integers(0, 255),
    ptime=st.none() | st.integers(1, 100),
    parameters=st.lists(
        st.builds(xep_0167.Parameter, PARTS.filter(lambda name: "=" not in name and name.strip("0123456789/,-")), PARTS)
        | st.builds(xep_0167.Parameter, st.just(""), PARTS),
        max_size=3,
    ).map(tuple),
    feedback=st.lists(FEEDBACK, max_size=3).map(tuple),
    trr_int=st.lists(st.builds(xep_0293.TrrInt, st.integers(0, 9)), max_size=1).map(tuple),
    maxptime=st.none() | st.integers(1, 100),
    unknown=st.just(()),
)
EXTENSIONS = st.builds(
    xep_0294.HeaderExtension,
    st.integers(1, 4351),
    WORDS,
    st.none() | st.sampled_from(jingle.Senders),
    st.lists(st.builds(xep_0294.HdrextParameter, WORDS, st.none() | LINES), max_size=2).map(tuple),
    NONE,
)
SOURCES = st.builds(
    xep_0339.Source,
    st.integers(0, 2**32 - 1),
    st.lists(st.builds(xep_0339.SourceParameter, WORDS.filter(lambda name: ":" not in name), st.none() | LINES), max_size=2).map(tuple),
    NONE,
)
DESCRIPTIONS = st.builds(
    xep_0167.RtpDescription,
    media=st.sampled_from(["audio", "video"]),
    payload_types=st.lists(PAYLOADS, max_size=3).map(tuple),
    bandwidths=st.lists(st.builds(xep_0167.Bandwidth, WORDS, st.integers(0, 2**31 - 1)), max_size=2).map(tuple),
    rtcp_mux=st.booleans(),
    feedback=st.lists(FEEDBACK, max_size=2).map(tuple),
    header_extensions=st.lists(EXTENSIONS, max_size=2).map(tuple),
    extmap_allow_mixed=st.booleans(),
    source_groups=st.lists(st.builds(xep_0339.SourceGroup, WORDS, st.lists(SOURCES, max_size=2).map(tuple), NONE), max_size=2).map(tuple),
    sources=st.lists(SOURCES, max_size=2).map(tuple),
    categories=st.lists(st.builds(jingle.Category, st.sampled_from(xep_0507.NAMES)), max_size=2).map(tuple),
    streams=st.lists(st.builds(xep_0339.Stream, WORDS, st.none() | WORDS), max_size=1).map(tuple),
)
TRANSPORTS = st.builds(
    xep_0176.IceUdpTransport,
    ufrag=st.none() | WORDS,
    pwd=st.none() | WORDS,
    fingerprints=st.lists(
        st.builds(
            xep_0320.Fingerprint,
            st.just("sha-256"),
            st.none() | st.sampled_from(["active", "actpass"]),
            st.from_regex(r"([0-9A-F]{2}:){1,31}[0-9A-F]{2}", fullmatch=True),
        ),
        max_size=2,
    ).map(tuple),
    candidates=st.lists(CANDIDATES, max_size=3).map(tuple),
    gathering_complete=st.booleans(),
    trickle=st.booleans(),
    remote_candidates=st.just((xep_0176.RemoteCandidate(1, "192.0.2.1", 9),)) | NONE,
    sctp=st.none() | st.builds(jingle.Sctpmap, st.integers(1, 65535), WORDS, st.integers(1, 65535)),
    channels=st.lists(
        st.builds(
            jingle.Channel,
            st.none() | st.integers(0, 65535),
            st.none() | st.integers(0, 65535),
            st.none() | st.integers(0, 65535),
            st.booleans(),
            st.booleans(),
            st.none() | LINES,
        ),
        max_size=2,
    ).map(tuple),
)
ICE_TRANSPORTS = st.builds(replace, TRANSPORTS, ns=st.just(xep_0371.NS), ice2=st.booleans())
CONTENTS = st.builds(
    jingle.Content,
    name=LINES,
    creator=st.sampled_from(jingle.Role),
    senders=st.none() | st.sampled_from(jingle.Senders),
    description=st.none() | DESCRIPTIONS,
    transport=st.none() | TRANSPORTS | ICE_TRANSPORTS,
)
JINGLES = st.builds(
    jingle.Jingle,
    action=st.sampled_from(sorted(jingle.ACTIONS)),
    sid=st.from_regex(r"[ -~]{1,40}", fullmatch=True),
    initiator=st.none() | LINES,
    contents=st.lists(CONTENTS, max_size=2).map(tuple),
    groups=st.lists(st.builds(xep_0338.Group, WORDS, st.lists(LINES, max_size=3).map(tuple)), max_size=2).map(tuple),
    reason=st.none()
    | st.builds(jingle.Reason, st.none() | st.sampled_from(["success", "busy"]), LINES, st.none() | st.just("crypto-required")),
    info=st.lists(
        st.builds(
            jingle.SessionInfo, st.sampled_from(sorted(xep_0167.INFO)), st.none() | st.just(jingle.Role.RESPONDER), st.none() | LINES
        ),
        max_size=2,
    ).map(tuple),
)


@pytest.mark.no_cover
@settings(max_examples=150, deadline=None)
@given(JINGLES)
def test_parse_of_build_is_the_value(value):
    el = build_jingle(value)
    text = to_text(el)
    assert jingle_text(value) == text
    assert parse_jingle(parse_text(text)) == value


def test_every_element_of_the_files_is_declared_once():
    seen = [
        v.clark
        for module in (xep_0166, xep_0167, xep_0176, xep_0293, xep_0294, xep_0320, xep_0338, xep_0339, xep_0343, xep_0371, xep_0507)
        for v in vars(module).values()
        if isinstance(v, Element) and v.ns == module.NS
    ]
    assert len(seen) == len(set(seen))
    assert xep_0353.NS == "urn:xmpp:jingle-message:0"
