"""Writes the generated parts of the documentation from the code.

    .venv/bin/python scripts/gen_docs.py            write what is stale
    .venv/bin/python scripts/gen_docs.py --check    write nothing; exit status 1 if something is stale

A whole file is generated, or the part of a page between ``<!-- generated: name -->`` and ``<!-- end generated -->``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import docs_call  # noqa: E402
import docs_frames  # noqa: E402
import docs_tables  # noqa: E402

from jinglebridge.calls.states import mermaid  # noqa: E402
from jinglebridge.config import sample  # noqa: E402
from jinglebridge.web.messages import schema  # noqa: E402

DOCS = ROOT / "docs"
SECTION = re.compile(r"(<!-- generated: ([a-z0-9 .-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def schema_file() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


FILES: dict[str, Callable[[], str]] = {
    "reference/jinglebridge.sample.toml": sample,
    "reference/jinglebridge.v1.schema.json": schema_file,
}
SECTIONS: dict[str, Callable[[], str]] = {
    "configuration": docs_tables.configuration,
    "command-line": docs_tables.command_line,
    "exit-statuses": docs_tables.exit_statuses,
    "error-codes": docs_tables.error_codes,
    "end-reasons": docs_tables.end_reasons,
    "stanza-errors": docs_tables.stanza_errors,
    "native-conditions": docs_tables.native_conditions,
    "xeps": docs_tables.xeps,
    "metrics": docs_tables.metrics,
    "limits": docs_tables.limits,
    "policies": docs_tables.policies,
    "states": mermaid,
    "client-frames": docs_frames.client_frames,
    "server-frames": docs_frames.server_frames,
    "frame-parts": docs_frames.parts,
    **docs_call.sections(DOCS / "topics" / "one-call.jsonl"),
}


def filled(text: str) -> str:
    """A page with its generated sections made anew. Raises KeyError for a section nobody makes."""
    return SECTION.sub(lambda found: found[1] + SECTIONS[found[2]]().strip("\n") + "\n" + found[3], text)


def wanted() -> dict[Path, str]:
    """Every file of the documentation that has a generated part, as it should be."""
    pages = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
    used = {name for text in pages.values() for _, name, _ in SECTION.findall(text)}
    if unused := set(SECTIONS) - used:
        raise SystemExit(f"no page has the section {', '.join(sorted(unused))}")
    return {DOCS / name: make() for name, make in FILES.items()} | {page: filled(text) for page, text in pages.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something is stale")
    args = parser.parse_args()
    stale = {path: text for path, text in wanted().items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        sys.stdout.write(f"{'stale' if args.check else 'wrote'}: {path.relative_to(ROOT)}\n")
        if not args.check:
            path.write_text(text, encoding="utf-8")
    if args.check and stale:
        sys.stdout.write("run: .venv/bin/python scripts/gen_docs.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
