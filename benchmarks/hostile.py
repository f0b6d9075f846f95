"""Descriptions of a given size, and such as nobody means well with: 64 KiB each, as many as the limits let through."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle

from inputs import AV_DATA, candidate, offer

FULL = 64 * 1024
MOST_SECTIONS, MOST_CANDIDATES = 14, 90


def sized(length: int) -> str:
    """A good description of at most that many characters (from 700 on): first more sections, then more candidates."""
    head, *sections = offer(AV_DATA).split("\r\nm=")
    small = [line for line in sections[0].split("\r\n") if not line.startswith(("a=extmap", "a=ssrc", "a=rtcp-fb", "a=msid"))]
    kept = [line for line in small if not line.startswith(("a=rtpmap", "a=fmtp")) or ":111 " in line]
    kinds = cycle((kept, sections[1].split("\r\n"), sections[0].split("\r\n")))
    kept[0] = "audio 9 UDP/TLS/RTP/SAVPF 111"
    found: list[list[str]] = []
    size = len(head)
    while len(found) < MOST_SECTIONS:
        section = [f"a=mid:{len(found)}" if line.startswith("a=mid:") else line for line in next(kinds)]
        size += len("\r\n".join(section)) + 4
        if found and size > length:
            size -= len("\r\n".join(section)) + 4
            break
        found.append(section)
    chance = random.Random(length)
    for number in range(MOST_CANDIDATES * len(found)):
        line = candidate(chance)
        if size + len(line) + 2 > length:
            break
        found[number % len(found)].append(line)
        size += len(line) + 2
    lines = [line for line in head.split("\r\n") if not line.startswith("a=group")]
    return "\r\n".join(lines) + "".join("\r\nm=" + "\r\n".join(line for line in section if line) for section in found) + "\r\n"


def sdps() -> Iterator[tuple[str, str]]:
    """Name and text of bad SDPs."""
    good = sized(1000)

    def filled(line: str) -> str:
        lines = []
        size = len(good)
        while size < FULL - 200 and len(lines) < 1900:
            lines.append(line.replace("#", str(len(lines))))
            size += len(lines[-1]) + 2
        return good + "\r\n".join(lines) + "\r\n"

    for line in (
        "a=#" + "x" * 28,
        "a=rtcp-fb:111 nack x#=" + "y" * 8,
        "a=fmtp:111 a#=" + "b" * 16,
        "a=rtpmap:# x#/" + "9" * 18,
        "a=extmap:1 urn:x:#" + "z" * 12,
        "a=ssrc:# cname:" + "c" * 14,
        "a=ssrc-group:FID #" + " 7" * 8,
        "a=group:BUNDLE #" + " 0" * 8,
        "a=candidate:# 1 udp 1 192.0.2.1 9 typ host",
        "a=fingerprint:sha-256 #" + ":AB" * 32,
        "a=fmtp:111 " + ";" * 8000,
        "a=fmtp:111 " + "x=1;" * 2000,
        "a=rtcp-fb:* " + "x " * 4000,
        "a=extmap:1 urn:x " + "y " * 4000,
        "a=crypto:" + ":" * 8000,
        "m=audio 9 RTP/AVP " + "1 " * 60,
    ):
        yield line[:24], filled(line)
    yield "one line", "v=0\r\na=" + "x" * (FULL - 20)
    yield "line ends", "v=0" + "\r\n" * (FULL // 2 - 4)
    yield "blanks", "v=0\r\n" + " " * (FULL - 8)


def xmls(good: str) -> Iterator[tuple[str, str]]:
    """Name and text of bad Jingle; `good` is a small good one."""
    at = good.index("<payload-type")
    before, after = good[:at], good[at:]

    def filled(piece: str) -> str:
        count = (FULL - len(good)) // (len(piece) + 2)
        return before + "".join(piece.replace("#", str(number)) for number in range(min(count, 3900))) + after

    for piece in (
        "<payload-type id='#' name='x'/>",
        '<payload-type id="7" name="n#" clockrate="8000"/>',
        '<payload-type id="7" name="n#"><parameter name="a" value="b"/></payload-type>',
        '<rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="t#"/>',
        '<rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="1" uri="u#"/>',
        '<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="#"><parameter name="cname" value="c"/></source>',
        '<x a#="b"/>',
        '<payload-type a#="b"/>',
        "<y/>",
        "<payload-type >",
        "</payload-type>",
        "<payload-type ></payload-type>",
        "&amp;",
        "&#x;",
        '"',
        "<",
        ">",
        "<x>",
    ):
        yield piece[:24], filled(piece)
    yield "attributes", before + "<x" + "".join(f' a{number}="b"' for number in range(6000)) + "/>" + after
    yield "one value", before + f'<x a="{"b" * (FULL - len(good))}"/>' + after
    yield "deep", before + "<x>" * 3000 + "</x>" * 3000 + after
    candidates = (
        '<candidate component="1" foundation="1" generation="0" id="c" ip="192.0.2.1" network="0" port="x" priority="1" type="host"/>'
    )
    yield "candidates", good.replace("</transport>", candidates * ((FULL - len(good)) // len(candidates)) + "</transport>")
