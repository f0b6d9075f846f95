"""What is fuzzed, what must hold, and which exceptions each target allows.

A target takes the text of one input. It returns for a good one, raises one of its allowed exceptions for a bad one, and anything else
is a finding: another exception, or an AssertionError of a rule that does not hold. No fuzzer is needed to call one:
``TARGETS["sdp"].run(text)``.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from lxml import etree

from jinglebridge.errors import BadRequest, ProtocolError, Refused, SdpError
from jinglebridge.jingle import build_jingle, build_jmi, jingle_text, parse_jingle, parse_jmi, xep_0353
from jinglebridge.jingle.private import NS as NS_PRIVATE
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.sdp import SessionDescription, parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.stream import StreamTranslator
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp
from jinglebridge.xml import Element, parse_text, to_text
from jinglebridge.xmltext import ILLEGAL
from tests.unit.readers import READERS

SEEDS = Path(__file__).parent / "seeds"
TABLES = {value.tag: value for value in vars(xep_0353).values() if isinstance(value, Element)}


class Target(NamedTuple):
    """`seeds`: a folder in `seeds/`; `allowed`: the exceptions that a bad input may raise."""

    run: Callable[[str], None]
    allowed: tuple[type[Exception], ...]
    seeds: str


def whole(sdp: str) -> SessionDescription:
    """An SDP that we wrote: it is one, every line ends in CRLF, and nothing in it could end a line or leave XML."""
    assert sdp.endswith("\r\n") and sdp.count("\n") == sdp.count("\r") == sdp.count("\r\n")
    assert ILLEGAL.search(sdp) is None
    found = parse(sdp)
    assert found.format() == sdp
    assert "\na=crypto:" not in sdp
    return found


def well_formed(xml: str) -> ET.Element:
    """XML that we wrote: two libraries read it, and ours reads the same."""
    try:
        etree.fromstring(xml.encode())
    except etree.XMLSyntaxError as problem:
        # A foreign child may have a namespace that is no URI. Streams carry it, so do we.
        assert problem.code in (etree.ErrorTypes.WAR_NS_URI, etree.ErrorTypes.WAR_NS_URI_RELATIVE), problem
    found = ET.fromstring(xml)
    assert same(parse_text(xml), found)
    return found


def same(one: ET.Element, two: ET.Element) -> bool:
    """Equal trees; blanks between elements do not count, since no table reads them."""
    if one.tag != two.tag or dict(one.attrib) != dict(two.attrib) or len(one) != len(two):
        return False
    text = (one.text or "") == (two.text or "") if not len(one) else (one.text or "").strip() == (two.text or "").strip()
    return text and all(map(same, one, two))


def stays(sdp: str, author: str, extensions: bool, answer: bool) -> None:
    """An SDP that we wrote survives another journey, and a third changes nothing any more.

    The first ones may spread a=msid over the sources, where Jingle has it (J-202), and a cname over the groups; o= has another number.
    """

    def again(text: str) -> str:
        return xml_to_sdp(sdp_to_xml(text, author, extensions=extensions, answer=answer), author, extensions=extensions)

    second = again(sdp)
    was, now = parse(sdp), parse(second)
    assert facts(now) == facts(was) and addresses(now) == addresses(was)
    # With extensions a line that came back without a home may have one now (a codec, say), and is cleaned up with it.
    assert extensions or settled(now) == settled(was)
    if crc32(second.encode()) % 4 == 0:  # the same rule once more, and the dearest of all
        assert settled(parse(again(second))) == settled(now)


def settled(sdp: SessionDescription) -> list[set[str]]:
    """The lines of each section as words, whose order may change, as may that of lines; but what `stays` excepts."""
    return [{words(line) for line in section.lines if not _SPREAD(line)} for section in (sdp, *sdp.media)]


def words(line: str) -> str:
    """A parameter without value has two spellings, and format parameters are in any order."""
    if line.startswith("a=fmtp:"):
        return " ".join(sorted(line.replace(";", " ").split()))
    return " ".join(word.rstrip("=") for word in line.split())


_SPREAD = re.compile(r"o=|a=msid:|a=ssrc:\d+ (msid|cname):").match


def sdp_target(text: str) -> None:
    """Parse, format, and every reader of values."""
    found = parse(text)
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    assert found.format() == "\r\n".join(lines) + "\r\n"
    assert parse(found.format()).format() == found.format()
    for section in (found, *found.media):
        for name, read in READERS.items():
            for value in section.all(name):
                try:
                    read(value)
                except SdpError:
                    continue


def options(text: str) -> tuple[str, bool]:
    """Author and extensions by a checksum, so that one seed serves all four and its mutations try the others."""
    number = crc32(text.encode("utf-8", "surrogatepass"))
    return ("initiator", "responder")[number & 1], bool(number & 2)


def to_xml_target(text: str) -> None:
    """SDP to XML: well-formed, and what comes back from it stays as it is from then on."""
    author, extensions = options(text)
    xml = sdp_to_xml(text, author, extensions=extensions)
    well_formed(xml)
    back = xml_to_sdp(xml, author, extensions=extensions)
    whole(back)
    stays(back, author, extensions, "-accept" in xml[:80])


def to_sdp_target(text: str) -> None:
    """XML to SDP: an SDP, and what comes back from it stays as it is from then on."""
    author, extensions = options(text)
    sdp = xml_to_sdp(text, author, extensions=extensions)
    whole(sdp)
    well_formed(text)
    answer = parse_jingle(parse_text(text)).action in ("session-accept", "content-accept")
    stays(sdp, author, extensions, answer)


def without_private(el: ET.Element) -> None:
    """Remove the elements of the private namespace."""
    for child in list(el):
        if child.tag.startswith(f"{{{NS_PRIVATE}}}"):
            el.remove(child)
        else:
            without_private(child)


def restore_target(text: str) -> None:
    """Private elements, whatever they say: an SDP as good as the default one, whose standard facts are the same."""
    author, _ = options(text)
    tree = parse_text(text)
    sdp = whole(xml_to_sdp(text, author, extensions=True))
    without_private(tree)
    default = whole(xml_to_sdp(to_text(tree), author))
    assert whole(xml_to_sdp(text, author)).format() == default.format()
    assert not facts(default) - facts(sdp)
    assert addresses(default) <= addresses(sdp)


def facts(sdp: SessionDescription) -> Counter[tuple[str, ...]]:
    """What decides who may read the media of a section and which way they go: no private element may alter it."""
    return Counter(
        (
            str(media.inherited("ice-ufrag")),
            str(media.inherited("ice-pwd")),
            str(media.inherited("setup")),
            media.effective_direction,
            *sorted(value.upper() for value in media.inherited_all("fingerprint")),
        )
        for media in sdp.media
        if not media.rejected
    )


def addresses(sdp: SessionDescription) -> set[str]:
    """Where media go."""
    return {" ".join(value.lower().split()[:8]) for media in sdp.media for value in media.all("candidate")}


def xml_target(text: str) -> None:
    """The reader of text and the reader of trees say the same, and refuse the same."""
    table = TABLES.get(text.strip(" \t\r\n<").partition(" ")[0], JINGLE)
    assert alike(outcome(lambda: table.read(text)), outcome(lambda: table.parse(parse_text(text))))


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except BadRequest as problem:
        return str(problem)


def alike(one: Any, two: Any, *, written: bool = False) -> bool:
    """Equal values, elements kept aside included, which do not count in ==.

    `written`: one of them was written and read; then marks that are read only (such as that there was SDES) do not count.
    """
    if isinstance(one, ET.Element):
        return isinstance(two, ET.Element) and (same(one, two) if written else ET.tostring(one) == ET.tostring(two))
    if type(one) is not type(two):
        return False
    if is_dataclass(one):
        names = [f.name for f in fields(one) if f.compare or f.name == "unknown" or not written]
        return all(alike(getattr(one, name), getattr(two, name), written=written) for name in names)
    if isinstance(one, tuple):
        return len(one) == len(two) and all(alike(x, y, written=written) for x, y in zip(one, two, strict=True))
    return bool(one == two)


def jingle_target(text: str) -> None:
    """The model of any <jingle/>: what is written is read again as the same, and the two writers agree."""
    value = parse_jingle(parse_text(text))
    written = jingle_text(value)
    assert well_formed(written) is not None
    assert alike(parse_jingle(parse_text(written)), value, written=True)
    assert to_text(build_jingle(value)) == written


def jmi_target(text: str) -> None:
    """The model of any JMI element."""
    value = parse_jmi(parse_text(text))
    written = to_text(build_jmi(value))
    well_formed(written)
    assert alike(parse_jmi(parse_text(written)), value, written=True)


def candidate_target(text: str) -> None:
    """One trickled candidate: what is written is one line, and is read as the same."""
    found = candidate_from_sdp(text, id="c")
    if found is not None:
        written = candidate_to_sdp(found)
        assert written.isprintable() and written.startswith("candidate:")
        again = candidate_from_sdp(written, id="c")
        assert again is not None and candidate_to_sdp(again) == written


def stream_target(text: str) -> None:
    """Lines of JSON to the stream translator: one reply each with the same id (if it can be one), never an exception, no bad SDP."""
    for one in (StreamTranslator(), StreamTranslator(extensions=True)):
        for line in text.split("\n"):
            message = decoded(line)
            if isinstance(message, dict):
                reply(one.handle(message), message)


def decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def reply(answer: dict[str, Any], message: dict[str, Any]) -> None:
    id = message.get("id")
    assert len(answer) == 2 and answer["id"] == (None if isinstance(id, dict | list) else id)
    json.dumps(answer)
    for said in answer.get("out", [answer]):
        if "sdp" in said:
            whole(said["sdp"])
        candidate = said.get("candidate")
        if candidate is not None:
            assert candidate["candidate"].isprintable()


TARGETS = {
    "sdp": Target(sdp_target, (SdpError,), "sdp"),
    "to_xml": Target(to_xml_target, (Refused,), "sdp"),
    "to_sdp": Target(to_sdp_target, (BadRequest, Refused), "xml"),
    "restore": Target(restore_target, (BadRequest, Refused), "private"),
    "xml": Target(xml_target, (), "xml"),
    "jingle": Target(jingle_target, (BadRequest,), "xml"),
    "jmi": Target(jmi_target, (BadRequest,), "jmi"),
    "candidate": Target(candidate_target, (SdpError,), "candidate"),
    "stream": Target(stream_target, (), "stream"),
}
assert all(issubclass(one, ProtocolError) for target in TARGETS.values() for one in target.allowed)


def seeds(name: str) -> list[str]:
    """The seed inputs of a target."""
    return [path.read_bytes().decode() for path in sorted((SEEDS / TARGETS[name].seeds).iterdir())]
