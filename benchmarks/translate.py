"""Translations per CPU second, on real offers, a different one each time, nothing remembered between two.

usage: python benchmarks/translate.py [--seconds 2] [OFFER.sdp ...]

Without files: the first offers of tests/cases/corpus. The o= line of each offer is altered for every run, so that no cache could help.
The figures are operations per CPU second of one process; compare only figures of one machine and one hour.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

from jinglebridge.translate import sdp_to_xml, xml_to_sdp

CORPUS = Path(__file__).parent.parent / "tests" / "cases" / "corpus"


def offers(files: list[str]) -> list[str]:
    if files:
        return [Path(file).read_text() for file in files]
    found = [json.loads(path.read_text())["rounds"][0]["offer"] for path in sorted(CORPUS.glob("chromium*av*.json"))]
    return [sdp for sdp in found if "m=audio" in sdp and "m=video" in sdp]


def rate(run: Callable[[str], str], inputs: list[str], seconds: float) -> float:
    """Operations per CPU second."""
    done, start = 0, process_time()
    while (spent := process_time() - start) < seconds:
        run(inputs[done % len(inputs)])
        done += 1
    return done / spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("offers", nargs="*")
    args = parser.parse_args()
    sdps = [sdp.replace(" IN IP4", f"{number} IN IP4", 1) for sdp in offers(args.offers) for number in range(200)]
    xmls = [sdp_to_xml(sdp).replace('sid="0"', f'sid="{number}"') for number, sdp in enumerate(sdps)]
    sys.stdout.write(
        f"offers: {len(sdps)}, mean {sum(map(len, sdps)) // len(sdps)} bytes of SDP, {sum(map(len, xmls)) // len(xmls)} of XML\n"
    )
    sys.stdout.write(f"sdp_to_xml {rate(sdp_to_xml, sdps, args.seconds):8.0f} ops/CPU s\n")
    sys.stdout.write(f"xml_to_sdp {rate(xml_to_sdp, xmls, args.seconds):8.0f} ops/CPU s\n")


if __name__ == "__main__":
    main()
