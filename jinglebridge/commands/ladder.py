"""How `jinglebridge calls` looks: one line per call, and the ladder of one call.

What a peer or a page chose (names of contents, JIDs) reaches the terminal without control characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

ARROWS = {
    ("page", "bridge"): "page  -> bridge         ",
    ("bridge", "page"): "page  <- bridge         ",
    ("peer", "bridge"): "         bridge <-  peer",
    ("bridge", "peer"): "         bridge ->  peer",
    ("bridge", "bridge"): "         bridge         ",
}


def safe(text: str) -> str:
    """Without what moves a cursor or turns the direction of writing."""
    return "".join(c if c.isprintable() else "?" for c in text)


def listed(calls: list[dict[str, Any]]) -> Iterator[str]:
    """Those that are over first, then the live ones, then how many they are."""
    for call in calls:
        arrow = "->" if call["direction"] == "out" else "<-"
        state = f"ended: {call['reason']}, by {call['by']}" if call["ended"] else call["state"]
        words = (call["call"], f"{call['own']} {arrow} {call['peer']}", state, "+".join(call["media"]), f"{call['seconds']:.0f} s")
        yield safe("  ".join((*words, media_words(call), relay_words(call))))
    live = sum(1 for call in calls if not call["ended"])
    yield f"{live} live call{'' if live == 1 else 's'}, {len(calls) - live} that ended in the last hour"


def one(call: dict[str, Any], *, unsafe: bool) -> Iterator[str]:
    """What is known of a call, then each step with its time since the beginning."""
    arrow = "->" if call["direction"] == "out" else "<-"
    yield safe(f"{call['own']} {arrow} {call['peer']}  {'+'.join(call['media'])}")
    yield safe(f"call {call['call']}  sid {call['sid']}")
    began = datetime.fromtimestamp(call["began"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    now = f"ended: {call['reason']}, by {call['by']}," if call["ended"] else f"{call['state']},"
    yield safe(f"began {began}; {now} after {call['seconds']:.1f} s")
    yield f"{media_words(call)}; {relay_words(call)}"
    yield ""
    for step in call["steps"]:
        where = ARROWS[step["from"], step["to"]]
        yield safe(f"{step['at']:+9.3f} s  {where}  {step['what']} {step['detail']}").rstrip()
        if "text" in step:
            yield from _indented(step["text"].splitlines())
    yield from _omissions(call, unsafe)


def media_words(call: dict[str, Any]) -> str:
    return {None: "media not told", False: "no media seen", True: "media seen"}[call["mediaSeen"]]


def relay_words(call: dict[str, Any]) -> str:
    """Who had relay candidates, and whether the path in use goes by a relay."""
    whose = [who for who, has in call["relayCandidates"].items() if has]
    used = {None: "", False: ", not used", True: ", used"}[call["relayed"]] if whose or call["relayed"] else ""
    return f"relay candidates: {' and '.join(whose) or 'none'}{used}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"             | {safe(line)}"


def _omissions(call: dict[str, Any], unsafe: bool) -> Iterator[str]:
    if call["leftOut"]:
        yield f"({call['leftOut']} steps in the middle were not kept)"
    if unsafe and not call["texts"]:
        yield "(no SDP, candidates or stanzas: [admin] texts is false)"
    elif unsafe and not any("text" in step for step in call["steps"]):
        yield "(no SDP, candidates or stanzas of this call are left)"
