"""Written by hand, one case at least for each row of the mapping tables: what an SDP is in Jingle and the reverse.

`tests/cases/translate/README.md` says what the files are. The expectations come from the specifications, not from our output.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jinglebridge import errors
from jinglebridge.calls.ending import reject_reason
from jinglebridge.calls.reasons import END_REASONS, TO_JINGLE, from_jingle
from jinglebridge.errors import ProtocolError, ResourceConstraint
from jinglebridge.jingle import (
    Finish,
    Jingle,
    Proceed,
    Reason,
    Reject,
    Retract,
    Role,
    build_jingle,
    build_jmi,
    jingle_text,
    parse_jingle,
    parse_jmi,
)
from jinglebridge.jingle.roles import senders_to_direction
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import POLICIES
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from jinglebridge.translate.stream import StreamTranslator
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import CASES

FOLDER = CASES / "translate"
ROWS: dict[str, list[str]] = json.loads((FOLDER / "rows.json").read_text())
OPTIONS = {"row", "title", "rule", "authors", "ways", "note", "valid", "refused", "peer", "extensions", "answer", "offer", "previous"}
# Rows that say something of one side only.
ONE_AUTHOR = {"M-1/1": "initiator", "M-1/2": "responder", "M-2/1": "initiator", "M-2/2": "responder"}


class Case(NamedTuple):
    """One .json and the files beside it."""

    path: Path
    meta: dict[str, Any]

    def file(self, suffix: str, author: str) -> str | None:
        """Text of a file of this case: the responder's own one, or the initiator's read for the responder."""
        own = self.path.with_name(f"{self.path.stem}.responder{suffix}")
        if author == "responder" and own.exists():
            return own.read_text()
        shared = self.path.with_name(self.path.stem + suffix)
        if not shared.exists():
            return None
        text = shared.read_text()
        return text if author == "initiator" or "authors" in self.meta else for_responder(text)

    def beside(self, option: str) -> str | None:
        """Text of the file that an option names."""
        name = self.meta.get(option)
        return None if name is None else (self.path.parent / name).read_text()

    @property
    def authors(self) -> list[str]:
        return list(self.meta.get("authors", ["initiator", "responder"]))

    @property
    def ways(self) -> list[str]:
        """ "sdp": the SDP is translated, "xml": the XML is."""
        if "refused" in self.meta:
            return [self.meta["refused"]["way"]]
        return list(self.meta.get("ways", ["sdp", "xml"]))


def for_responder(text: str) -> str:
    """An initiator's document as the responder would have written it: an answer. Nothing else may depend on the role."""
    assert not re.search('sendonly|recvonly|senders="(initiator|responder)"', text), "a direction: write .responder files"
    for old, new in (("a=setup:actpass", "a=setup:active"), ('setup="actpass"', 'setup="active"'), ("session-initiate", "session-accept")):
        text = text.replace(old, new)
    return text


@cache
def cases() -> list[Case]:
    return [Case(path, json.loads(path.read_text())) for path in sorted(FOLDER.glob("m-*/*.json"))]


def described() -> list[Case]:
    return [case for case in cases() if not {"direction", "reason"} & case.meta.keys()]


def runs() -> Iterator[Any]:
    for case in described():
        for author in case.authors:
            for way in case.ways:
                yield pytest.param(case, author, way, id=f"{case.path.parent.name}/{case.path.stem}-{author}-from-{way}")


# --- comparison


def sdp_view(text: str) -> list[list[str]]:
    """Sections of lines, sorted by attribute: lines of one attribute keep their order, different ones have none."""
    sections: list[list[str]] = [[]]
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(re.sub(r"^o=- (\d{1,19}) (\d+) IN IP4 0\.0\.0\.0$", own_origin, line))
    return [sorted(lines, key=lambda line: line[2:].partition(":")[0] if line[0] == "a" else f" {line[0]}") for lines in sections]


def own_origin(found: re.Match[str]) -> str:
    assert 0 < int(found[1]) < 2**63
    return f"o=- 1 {found[2]} IN IP4 0.0.0.0"


def same_sdp(found: str, wanted: str) -> None:
    """Line by line. In wanted a=mid, a=msid and a=group lines ``*`` stands for a word of our own choice."""
    got, want = sdp_view(found), sdp_view(wanted)
    for lines, expected in zip(got, want, strict=False):
        for at, line in enumerate(expected):
            if re.match("a=(mid|msid|group):", line) and "*" in line and at < len(lines):
                pattern = re.escape(line).replace(r"\*", r"[!-~]+")
                if re.fullmatch(pattern, lines[at]):
                    expected[at] = lines[at]
    assert got == want
    sdp = parse(found)
    assert {name for value in sdp.all("group") for name in value.split()[1:]} <= {media.mid for media in sdp.media}


def xml_view(text: str) -> Any:
    """The tree without layout; ids of candidates become their number, since they are ours to choose."""
    root = ET.fromstring(text)
    ids = [el.get("id", "") for ns in ("ice-udp:1", "ice:0") for el in root.iter(f"{{urn:xmpp:jingle:transports:{ns}}}candidate")]
    assert len(set(ids)) == len(ids) and "" not in ids
    names = {id: f"candidate {number}" for number, id in enumerate(ids)}

    def view(el: ET.Element) -> Any:
        attributes = {k: names[v] if k == "id" and el.tag.endswith("}candidate") else v for k, v in el.attrib.items()}
        children = sorted((view(child) for child in el), key=lambda child: child if child[0].endswith("}lift") else child[:1])
        return el.tag, sorted(attributes.items()), "".join((el.text or "").split()) if len(el) == 0 else "", children

    return view(root)


# --- translation


def to_xml(case: Case, author: str, sdp: str) -> str:
    """What the library makes of the case's SDP."""
    meta, offer = case.meta, case.beside("offer")
    extensions, peer = meta.get("extensions", False), meta.get("peer", "none")
    if offer is None:
        return sdp_to_xml(sdp, author, extensions=extensions, peer=peer, answer=meta.get("answer"))
    role = Role(author)
    offered = read_jingle(offer) if offer.startswith("<") else from_sdp(parse(offer), role.other, creator=role.other)
    answer = from_sdp(parse(sdp), role, accept_of=offered, policy=POLICIES[peer], extensions=extensions)
    action = "session-accept" if role is Role.RESPONDER else "content-accept"
    return jingle_text(Jingle(action, "0", contents=answer.contents, groups=answer.groups, unknown=answer.unknown))


def read_jingle(xml: str) -> Described:
    jingle = parse_jingle(parse_text(xml))
    return Described(jingle.contents, jingle.groups, jingle.unknown)


def to_text_sdp(case: Case, author: str, xml: str) -> str:
    """What the library makes of the case's XML."""
    meta, offer, previous = case.meta, case.beside("offer"), case.beside("previous")
    if offer is None and previous is None:
        return xml_to_sdp(xml, author, extensions=meta.get("extensions", False), peer=meta.get("peer"))
    return to_sdp(
        read_jingle(xml),
        Role(author),
        session_id=1,
        version=1,
        offer=None if offer is None else parse(offer),
        previous=None if previous is None else parse(previous),
        extensions=meta.get("extensions", False),
    ).format()


@pytest.mark.parametrize(("case", "author", "way"), list(runs()))
def test_hand_written_case(case: Case, author: str, way: str) -> None:
    source = case.file(f".{way}", author)
    assert source is not None
    translate = to_xml if way == "sdp" else to_text_sdp
    refused = case.meta.get("refused")
    if refused is not None:
        with pytest.raises(ProtocolError) as caught:
            translate(case, author, source)
        assert type(caught.value) is getattr(errors, refused["error"])
        assert {key: getattr(caught.value, key) for key in ("reason", "rule") if key in refused} == {
            key: refused[key] for key in ("reason", "rule") if key in refused
        }
        return
    found = translate(case, author, source)
    if way == "sdp":
        assert xml_view(found) == xml_view(case.file(".again.xml", author) or case.file(".xml", author) or "")
    else:
        same_sdp(found, case.file(".back.sdp", author) or case.file(".sdp", author) or "")


@pytest.mark.parametrize("case", [c for c in cases() if "direction" in c.meta], ids=lambda c: c.path.stem)
def test_content_modify_is_a_direction_in_the_authors_sdp(case: Case) -> None:
    (author,) = case.authors
    jingle = parse_jingle(parse_text(case.file(".xml", author) or ""))
    assert senders_to_direction(jingle.contents[0].senders, Role(author)) == case.meta["direction"]
    assert xml_view(to_text(build_jingle(jingle))) == xml_view(case.file(".xml", author) or "")


@pytest.mark.parametrize("case", [c for c in cases() if "reason" in c.meta], ids=lambda c: c.path.stem)
def test_reason_in_three_languages(case: Case) -> None:
    """M-9: .xml is the session-terminate, .jmi.xml the message of XEP-0353. `sent` false: it is only read."""
    wanted = case.meta["reason"]
    reason, sent = wanted["json"], wanted.get("sent", True)
    assert reason in END_REASONS
    xml = case.file(".xml", "initiator")
    if xml is not None:
        jingle = parse_jingle(parse_text(xml))
        assert from_jingle(None if jingle.reason is None else jingle.reason.condition) == reason
        if sent:
            assert jingle.reason is not None and TO_JINGLE[reason][0] == jingle.reason.condition
            assert xml_view(jingle_text(jingle)) == xml_view(xml)
    message = case.file(".jmi.xml", "initiator")
    if message is not None:
        jmi = parse_jmi(parse_text(message))
        assert xml_view(to_text(build_jmi(jmi))) == xml_view(message)
        match jmi:
            case Finish(reason=Reason(condition=condition)):
                assert TO_JINGLE[reason][1] == condition
            case Reject(reason=Reason(condition=condition)):
                assert reject_reason(reason) == condition
            case Retract(reason=Reason(condition=condition)):
                assert condition == "cancel"
            case _:
                assert isinstance(jmi, Proceed)
    if "stanza_error" in wanted:
        assert [ResourceConstraint.type, ResourceConstraint.condition] == wanted["stanza_error"]


# --- the table itself


def test_every_row_has_a_case_for_every_author() -> None:
    covered: dict[str, set[str]] = {}
    for case in cases():
        covered.setdefault(case.meta["row"], set()).update(case.authors)
    rows = {f"{table}/{number}" for table, titles in ROWS.items() for number in range(1, len(titles) + 1)}
    assert set(covered) == rows
    lacking = {row: authors for row, authors in covered.items() if authors != {ONE_AUTHOR.get(row)} and len(authors) < 2}
    assert lacking == {}


def test_every_case_says_where_its_expectation_comes_from() -> None:
    for case in cases():
        assert case.meta["title"] and case.meta["rule"] and case.meta.keys() <= OPTIONS | {"direction", "reason"}, case.path
        assert case.path.parent.name == case.meta["row"].partition("/")[0].lower()
        assert int(case.path.stem[:2]) == int(case.meta["row"].partition("/")[2])


def test_no_file_is_left_over() -> None:
    stems = Counter(path.parent / path.name.partition(".")[0] for path in FOLDER.glob("m-*/*"))
    assert {stem for stem in stems if not stem.with_name(stem.name + ".json").exists()} == set()


def test_all_eight_directions_in_offer_answer_and_modify() -> None:
    """J-109: 2 authors, 4 directions, 3 kinds of exchange."""
    names = {case.path.stem.removeprefix("01-").removeprefix("02-") for case in cases() if case.path.parent.name == "m-2"}
    wanted = {f"{a}-{k}-{d}" for a in Role for k in ("offer", "answer", "modify") for d in ("sendrecv", "sendonly", "recvonly", "inactive")}
    assert wanted <= names


def test_the_version_counts_every_sdp_for_an_endpoint() -> None:
    """M-1 row 4: one session id for a call, 1 and then one more for each description."""
    offer = (FOLDER / "m-1" / "01-offer.sdp").read_text()
    answer = offer.replace("actpass", "active")
    translator = StreamTranslator()
    lines = []
    for kind, dir, sdp in (("offer", "a2b", offer), ("answer", "b2a", answer), ("offer", "a2b", offer), ("answer", "b2a", answer)):
        reply = translator.handle({"id": 1, "call": "c", "dir": dir, "kind": kind, "round": 1, "sdp": sdp})
        lines.append(reply["sdp"].split("\r\n")[1].split())
    assert [fields[2] for fields in lines] == ["1", "1", "2", "2"]
    assert len({fields[1] for fields in lines}) == 1
