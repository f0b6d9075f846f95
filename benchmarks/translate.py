"""How fast descriptions are translated: ours beside other translators and beside floors, on a different real offer each time.

usage: python benchmarks/translate.py [--peers DIR] [--seconds 1] [--rounds 3] [--inputs 200] [--markdown]

See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import peers
from hostile import FULL, sdps, sized, xmls
from inputs import descriptions

from jinglebridge.errors import ProtocolError
from jinglebridge.kept import Kept
from jinglebridge.translate import sdp_to_xml, xml_to_sdp

OURS = "jinglebridge"
FORGETFUL = "jinglebridge, everything forgotten each time"
BASE = "stanza.js 12.22.1"
SIZES = (1, 4, 16, 64)  # KiB
PEERS_CJS = Path(__file__).parent / "peers.cjs"

Rates = dict[str, dict[str, list[float]]]
Run = Callable[[str], object]


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def rate(run: Run, inputs: list[str], seconds: float) -> float:
    """Operations per CPU second, over the inputs in turn."""
    for text in inputs:
        run(text)
    done, start = 0, process_time()
    while (spent := process_time() - start) < seconds:
        run(inputs[done % len(inputs)])
        done += 1
    return done / spent


def forgetting(run: Run) -> Run:
    memories = [thing for thing in gc.get_objects() if isinstance(thing, Kept)]

    def forgetful(text: str) -> object:
        for memory in memories:
            memory.clear()
        return run(text)

    return forgetful


def in_python(folder: Path | None) -> tuple[dict[str, tuple[Run | None, Run | None]], list[str]]:
    """What runs in this process, by name: SDP to XML and XML to SDP (None: it has no such direction). And what is missing."""
    found: dict[str, tuple[Run | None, Run | None]] = {
        OURS: (sdp_to_xml, xml_to_sdp),
        FORGETFUL: (forgetting(sdp_to_xml), forgetting(xml_to_sdp)),
    }
    missing = []
    if folder is not None:
        sys.path.append(str(folder / "python"))
    try:
        name, to_xml, to_sdp = peers.slixmpp_jingle()
        found[name] = (to_xml, to_sdp)
    except ImportError as problem:
        missing.append(f"slixmpp-jingle: {problem}")
    found["floor: ElementTree parse"] = (None, ET.fromstring)
    try:
        from lxml import etree

        found["floor: lxml parse"] = (None, etree.fromstring)
    except ImportError as problem:
        missing.append(f"lxml: {problem}")
    found["floor: split into lines and at the colon"] = (lambda sdp: [line.partition(":") for line in sdp.split("\r\n")], None)
    return found, missing


def in_node(folder: Path | None, inputs: Path, seconds: float) -> list[dict[str, Any]]:
    """One dict per JavaScript translator, see peers.cjs."""
    if folder is None:
        return [{"name": "JavaScript", "missing": "no --peers DIR given"}]
    environment = {**os.environ, "NODE_PATH": str(folder.resolve() / "node_modules")}
    try:
        done = subprocess.run(
            ["node", PEERS_CJS, inputs, str(seconds)], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
    except (OSError, subprocess.SubprocessError) as problem:
        return [{"name": "JavaScript", "missing": str(problem)}]
    return [json.loads(line) for line in done.stdout.splitlines()]


def measured(args: argparse.Namespace) -> tuple[Rates, list[str]]:
    """Rates by name and direction, one per round; the rounds are interleaved. And what is missing."""
    texts = descriptions(args.inputs)
    stanzas = [sdp_to_xml(sdp) for sdp in texts]
    for name, items in (("offers", texts), ("Jingle of them", stanzas)):
        lengths = sorted(map(len, items))
        show(f"{len(items)} {name}: {lengths[0]} to {lengths[-1]} characters, mean {sum(lengths) // len(lengths)}")
    show("")
    candidates, missing = in_python(args.peers)
    gc.collect()
    gc.freeze()  # what was loaded to measure others must not cost us collections
    found: Rates = {}
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.json"
        inputs.write_text(json.dumps({"sdps": texts, "xmls": stanzas}))
        for _ in range(args.rounds):
            for name, (to_xml, to_sdp) in candidates.items():
                for direction, run, items in (("toXml", to_xml, texts), ("toSdp", to_sdp, stanzas)):
                    if run is not None:
                        found.setdefault(name, {}).setdefault(direction, []).append(rate(run, items, args.seconds))
            for row in in_node(args.peers, inputs, args.seconds):
                if "missing" in row:
                    missing.append(f"{row['name']}: {row['missing']}")
                    continue
                for direction in ("toXml", "toSdp"):
                    found.setdefault(row["name"], {}).setdefault(direction, []).append(row[direction])
                    if f"{direction}Taken" in row:
                        missing.append(f"{row['name']}: takes only {row[f'{direction}Taken']} of {len(texts)} inputs ({direction})")
    return found, list(dict.fromkeys(missing))


def table(found: Rates, markdown: bool) -> None:
    """Medians, and their ratio to stanza.js where that was measured."""
    middle = {name: {way: statistics.median(rates) for way, rates in ways.items()} for name, ways in found.items()}
    rows = [("", "SDP → Jingle /s", "× stanza.js", "Jingle → SDP /s", "× stanza.js")]
    for name, ways in middle.items():
        row = [name]
        for way in ("toXml", "toSdp"):
            value = ways.get(way)
            base = middle.get(BASE, {}).get(way)
            row += ["" if value is None else f"{value:,.0f}", "" if value is None or base is None else f"{value / base:.2f}"]
        rows.append((row[0], row[1], row[2], row[3], row[4]))
    if markdown:
        rows.insert(1, ("---", "---:", "---:", "---:", "---:"))
        show("\n".join(f"| {' | '.join(row)} |" for row in rows))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        show("  ".join((row[0].ljust(widths[0]), *cells)))


def best(run: Run, text: str, times: int = 5) -> float:
    """CPU milliseconds of the fastest of some runs; refusals count as well."""
    found = []
    for _ in range(times):
        start = process_time()
        try:
            run(text)
        except ProtocolError:
            pass
        found.append(1000 * (process_time() - start))
    return min(found)


def growth() -> None:
    show("\nGrowth: CPU milliseconds for a text of so many KiB, and per KiB")
    for direction, run in (("SDP → Jingle", sdp_to_xml), ("Jingle → SDP", xml_to_sdp)):
        cells = []
        for size in SIZES:
            length = 1024 * size
            text = sized(length) if run is sdp_to_xml else sdp_to_xml(sized(length))
            while len(text) > 1024 * size and length > 700:
                length = int(0.95 * length)
                text = sdp_to_xml(sized(length))
            spent = best(run, text, 20)
            cells.append(f"{len(text) / 1024:.1f} KiB {spent:.2f} ms ({1024 * spent / len(text):.3f})")
        show(f"{direction}  {'   '.join(cells)}")


def hostile() -> None:
    show(f"\nHostile texts of {FULL // 1024} KiB: CPU milliseconds, the three worst")
    good = sdp_to_xml(sized(1000))
    for direction, run, texts in (("SDP → Jingle", sdp_to_xml, sdps()), ("Jingle → SDP", xml_to_sdp, xmls(good))):
        worst = sorted(((best(run, text), name) for name, text in texts), reverse=True)[:3]
        show(f"{direction}  {'   '.join(f'{spent:.1f} ({name!r})' for spent, name in worst)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Translations per CPU second; see benchmarks/README.md.")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="folder with the other translators: node_modules/ and python/")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds per figure")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many rounds is shown")
    parser.add_argument("--inputs", type=int, default=200, help="number of different offers")
    parser.add_argument("--markdown", action="store_true", help="the table as the README has it")
    args = parser.parse_args()
    found, missing = measured(args)
    table(found, args.markdown)
    for line in missing:
        show(f"note: {line}")
    growth()
    hostile()


if __name__ == "__main__":
    main()
