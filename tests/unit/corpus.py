"""Every real negotiation, packed: 314 cases, 402 rounds, 804 descriptions with the candidates that came after them. No tests here.

`tests/cases/corpus.jsonl.xz` holds one case per line; the files in `tests/cases/corpus/` are 25 of them, to be read by people.
A new recording goes in with `python -m tests.unit.corpus FOLDER`, where FOLDER holds files of the shape that `pack` reads.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PACKED = Path(__file__).parent.parent / "cases" / "corpus.jsonl.xz"
_ROUND = ("offer", "answer", "offerCandidates", "answerCandidates")


class Round(NamedTuple):
    """One offer and its answer. `by`: the side that made this offer, "initiator" is who made the first one of the case."""

    case: str
    number: int
    by: str
    offer: str
    answer: str
    offer_candidates: tuple[dict[str, Any], ...]
    answer_candidates: tuple[dict[str, Any], ...]

    @property
    def other(self) -> str:
        return "responder" if self.by == "initiator" else "initiator"

    def __str__(self) -> str:
        return f"{self.case} round {self.number + 1}"


class Description(NamedTuple):
    """One SDP. `author`: session role of who wrote it."""

    case: str
    kind: str
    author: str
    sdp: str
    candidates: tuple[dict[str, Any], ...]


@cache
def cases() -> tuple[dict[str, Any], ...]:
    """The cases as the packed file has them: name, rounds."""
    with lzma.open(PACKED, "rt", encoding="utf-8") as lines:
        return tuple(map(json.loads, lines))


def rounds() -> Iterator[Round]:
    for case in cases():
        for number, turn in enumerate(case["rounds"]):
            by = "initiator" if turn["by"] == "offerer" else "responder"
            candidates = (tuple(turn["offerCandidates"]), tuple(turn["answerCandidates"]))
            yield Round(case["name"], number, by, turn["offer"], turn["answer"], *candidates)


def whole_corpus() -> Iterator[Description]:
    """Every description of every round."""
    for turn in rounds():
        yield Description(str(turn), "offer", turn.by, turn.offer, turn.offer_candidates)
        yield Description(str(turn), "answer", turn.other, turn.answer, turn.answer_candidates)


def pack(folder: Path) -> int:
    """Write the packed file from ``OFFERER__ANSWERER__SCENARIO.json`` files (offer, answer, candidates, renegotiations)."""
    lines = []
    for path in sorted(folder.glob("*__*__*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        turns = [{"by": "offerer"} | {key: case[key] for key in _ROUND}, *case.get("renegotiations", ())]
        found = [{"by": turn["by"]} | {key: turn[key] for key in _ROUND} for turn in turns]
        for turn in found:
            turn |= {key: turn[key]["sdp"] for key in ("offer", "answer")}
        lines.append(json.dumps({"name": path.stem, "rounds": found}, ensure_ascii=False, separators=(",", ":")))
    text = "\n".join(lines).encode()
    PACKED.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    return len(lines)


if __name__ == "__main__":
    print(pack(Path(sys.argv[1])), "cases")  # noqa: T201
