"""What a complete call costs: CPU of the bridge beside that of ejabberd, latency of each step beside client ↔ client, memory, growth.

usage: python benchmarks/calls.py [--short] [--calls 600] [--paced 100] [--active 100 1000 5000] [--markdown] [--json FILE]

Everything is real: a private ejabberd, `jinglebridge run`, WebSockets, IM clients over c2s. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from calls_ends import NODES, ImEnd, WebEnd
from calls_lab import BridgeProcess, Server
from calls_scripts import Negotiation, Times, Up, direct, hang_up, hang_up_direct, page_calls, page_is_called
from calls_stanzas import negotiations

BURST = 8  # calls of one page in a row: what a session may ask for in a moment is a limit of the bridge (400 units)
CONTACTS = 16
AT_ONCE = 4
BUDGETS = {"cpu": 1.0, "latency": 2.0, "call": 30.0, "user": 20.0, "growth": 1.2}


@dataclass
class Stage:
    """A bridge with its pages and contacts."""

    server: Server
    bridge: BridgeProcess
    ims: list[ImEnd]
    webs: list[WebEnd] = field(default_factory=list)
    halves: list[Negotiation] = field(default_factory=list)
    talk: float = 0.0  # seconds from media to the end
    done: int = 0

    @property
    def at_once(self) -> int:
        """How many calls are made at the same time: as many are being set up, however long they last."""
        return AT_ONCE + round(100 * self.talk)

    async def add_webs(self, http: aiohttp.ClientSession, count: int) -> None:
        """Open pages until there are `count`; each has one of the contacts on its list and sees it."""
        while len(self.webs) < count:
            number = len(self.webs)
            few = [WebEnd() for _ in range(min(20, count - number))]
            contacts = [self.contact(number + i).bare for i in range(len(few))]
            await asyncio.gather(*(w.open(http, self.bridge, f"page{number + i}", contacts[i]) for i, w in enumerate(few)))
            for web in few:
                while (await web.get("", "contact"))[1]["contact"]["presence"] != "available":
                    pass
            self.webs += few

    def contact(self, number: int) -> ImEnd:
        return self.ims[number % len(self.ims)]

    def next_halves(self) -> Negotiation:
        self.done += 1
        return self.halves[self.done % len(self.halves)]

    async def up(self, number: int, times: Times, paced: bool = False, other: int = 0) -> Up:
        """Every second call is from the contact to the page. `other`: how many contacts after its own one."""
        web, im = self.webs[number % len(self.webs)], self.contact(number % len(self.webs) + other)
        script = page_calls if (number // len(self.webs) + number) % 2 == 0 else page_is_called
        return await script(web, im, self.next_halves(), times, paced)

    async def calls(self, first: int, count: int, times: Times) -> None:
        """Complete calls, some at once."""

        async def worker(start: int) -> None:
            await asyncio.sleep(self.talk * (start - first) / self.at_once)  # not all in the same moment
            for number in range(start, first + count, self.at_once):
                up = await self.up(number, times)
                await asyncio.sleep(self.talk)
                await hang_up(up, times)

        await asyncio.gather(*(worker(first + i) for i in range(self.at_once)))

    async def direct_call(self, number: int, times: Times, paced: bool = False) -> None:
        one, two = self.contact(2 * number), self.contact(2 * number + 1)
        await hang_up_direct(await direct(one, two, self.next_halves(), times, paced), times)

    async def direct_calls(self, count: int, times: Times) -> None:
        async def worker(start: int) -> None:
            for number in range(start, count, AT_ONCE):
                await self.direct_call(number, times)

        await asyncio.gather(*(worker(i) for i in range(AT_ONCE)))

    async def quiet(self) -> None:
        """Until there is little left to do: what is counted shall belong to the calls before. Pings of many pages never end."""
        for _ in range(20):
            before = self.server.cpu + self.bridge.cpu
            await asyncio.sleep(0.25)
            if self.server.cpu + self.bridge.cpu - before <= 0.02:
                return


@asynccontextmanager
async def stage(
    server: Server, folder: Path, name: str, pages: int, halves: list[Negotiation], peer: str
) -> AsyncIterator[tuple[Stage, aiohttp.ClientSession]]:
    with BridgeProcess(folder / name, server) as bridge:
        ims = [ImEnd(peer) for _ in range(CONTACTS)]
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            for number, im in enumerate(ims):
                await im.open(server, f"{name}{number}")
            found = Stage(server, bridge, ims, halves=halves)
            try:
                await found.add_webs(http, pages)
                yield found, http
            finally:
                for end in [*found.webs, *ims]:
                    await end.close()
        complaints = bridge.complaints()
        if complaints:
            raise SystemExit(f"{len(complaints)} complaints in the bridge's log, first: {complaints[0]}")


async def spending(it: Stage, args: argparse.Namespace) -> dict[str, Any]:
    """CPU milliseconds per call, bridged and direct calls in turn."""
    times = Times()
    it.talk = args.talk
    await it.calls(0, args.warm, times)
    await it.direct_calls(args.warm, times)
    rounds: dict[str, list[float]] = {"bridge": [], "ejabberd": [], "ejabberd_direct": []}
    each, first = args.calls // args.rounds, args.warm
    for _ in range(args.rounds):
        await it.quiet()
        bridge, server = it.bridge.cpu, it.server.cpu
        await it.calls(first, each, times)
        await it.quiet()
        rounds["bridge"].append(1000 * (it.bridge.cpu - bridge) / each)
        rounds["ejabberd"].append(1000 * (it.server.cpu - server) / each)
        first += each
        server = it.server.cpu
        await it.direct_calls(each, times)
        await it.quiet()
        rounds["ejabberd_direct"].append(1000 * (it.server.cpu - server) / each)
    it.talk = 0.0
    found = {name: statistics.median(values) for name, values in rounds.items()}
    return {
        "cpu_ms": found,
        "rounds": rounds,
        "ratio": found["bridge"] / found["ejabberd"],
        "ratio_range": [min(ratios := [b / e for b, e in zip(rounds["bridge"], rounds["ejabberd"], strict=True)]), max(ratios)],
        "calls_per_cpu_second": 1000 / found["bridge"],
    }


async def latency(it: Stage, args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds per step, one call at a time, bridged and direct in turn."""
    bridged, beside = Times(), Times()
    for number in range(args.paced):
        with_bridge, without = Times(), Times()
        await hang_up(await it.up(args.warm + args.calls + number, with_bridge, paced=True), with_bridge)
        await it.direct_call(number, without, paced=True)
        for name, values in with_bridge.steps.items():  # of the direct call the same steps, so that neither side has more of the slow ones
            bridged.steps[name] += values
            beside.steps[name] += without.steps[name]
    steps = {}
    for name in bridged.steps:
        steps[name] = {"bridged": _points(bridged.steps[name]), "direct": _points(beside.steps[name])}
    both = [[t for name in steps for t in times.steps[name]] for times in (bridged, beside)]
    steps["all steps"] = {"bridged": _points(both[0]), "direct": _points(both[1])}
    for step in steps.values():
        step["ratio"] = {point: step["bridged"][point] / step["direct"][point] for point in ("p50", "p99")}
    return steps


def _points(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": 1000 * ordered[len(ordered) // 2], "p99": 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]}


async def sizes(server: Server, folder: Path, args: argparse.Namespace, halves: list[Negotiation]) -> dict[str, Any]:
    """Memory per idle user and per active call, CPU per call while few and while many calls are up. A fresh bridge."""
    few, some, many = args.active
    async with stage(server, folder, "sizes", BURST * 4, halves, args.peer) as (it, http):
        times, held, order = Times(), list[Up](), itertools.count()
        await it.calls(0, args.warm, times)
        await it.quiet()
        before, first = it.bridge.resident, len(it.webs)
        await it.add_webs(http, first + args.idle)
        await it.quiet()
        found: dict[str, Any] = {"kib_per_idle_user": (it.bridge.resident - before) / args.idle, "idle_users": args.idle}
        await it.add_webs(http, many // BURST + few)

        async def hold(count: int) -> None:
            async def worker(start: int) -> None:
                for _ in range(start, count, AT_ONCE):
                    # A second propose of the same two would be the first call, moved to another device.
                    this = next(order)
                    held.append(await it.up(this, times, other=1 + this // len(it.webs)))

            await asyncio.gather(*(worker(len(held) + i) for i in range(AT_ONCE)))

        async def cost(by_itself: list[float]) -> float:
            """Of a call. What the bridge spends in such a time anyway, since pages ping and calls are asked whether they go on, is no part
            of it, and is noted as a share of a core."""
            await it.quiet()
            start, begun = it.bridge.cpu, time.monotonic()
            await it.calls(it.done, args.growth, times)
            await it.quiet()
            spent, took = it.bridge.cpu - start, time.monotonic() - begun
            start = it.bridge.cpu
            await asyncio.sleep(took)
            by_itself.append((it.bridge.cpu - start) / took)
            return 1000 * (spent - took * by_itself[-1]) / args.growth

        alone: dict[int, list[float]] = {few: [], many: []}

        await hold(few)
        costs = {few: [await cost(alone[few]) for _ in range(2)]}
        await it.quiet()
        before = it.bridge.resident
        await hold(few + some)
        await it.quiet()
        found["kib_per_new_call"] = (it.bridge.resident - before) / some
        await asyncio.sleep(args.settle)
        found["kib_per_active_call"] = (it.bridge.resident - before) / some
        await hold(many)
        await asyncio.sleep(args.settle)  # timers of their beginning
        costs[many] = [await cost(alone[many]) for _ in range(4)]
        while len(held) > few:
            await asyncio.gather(*(hang_up(held.pop(), times) for _ in range(min(AT_ONCE, len(held) - few))))
        await asyncio.sleep(args.settle)  # and of their end
        costs[few] += [await cost(alone[few]) for _ in range(2)]
        found |= {"active": [few, some, many], "cpu_ms": {str(n): statistics.median(c) for n, c in costs.items()}, "runs": costs}
        found |= {"alone": alone, "core": statistics.median(alone[many])}
        found["growth"] = found["cpu_ms"][str(many)] / found["cpu_ms"][str(few)]
    return found


def verdict(value: float, budget: float) -> str:
    return f"≤ {budget:g}: {'met' if value <= budget else 'missed'}"


def report(found: dict[str, Any], markdown: bool) -> str:
    rows = [("what", "value", "budget")]
    if (spent := found.get("spending")) is not None:
        cpu = spent["cpu_ms"]
        rows += [
            ("bridge, CPU ms per call", f"{cpu['bridge']:.2f}", ""),
            ("ejabberd, CPU ms for the same calls", f"{cpu['ejabberd']:.2f}", ""),
            ("ejabberd, CPU ms per call client ↔ client", f"{cpu['ejabberd_direct']:.2f}", ""),
            (
                "bridge ÷ ejabberd",
                f"{spent['ratio']:.2f} ({' … '.join(f'{r:.2f}' for r in spent['ratio_range'])})",
                verdict(spent["ratio"], BUDGETS["cpu"]),
            ),
            ("complete calls per CPU second of the bridge", f"{spent['calls_per_cpu_second']:.0f}", ""),
        ]
    for name, step in found.get("latency", {}).items():
        text = " ".join(f"{p} {step['bridged'][p]:.2f} / {step['direct'][p]:.2f} ms = {step['ratio'][p]:.2f}" for p in ("p50", "p99"))
        rows.append((f"latency, {name}", text, verdict(step["ratio"]["p99"], BUDGETS["latency"]) if name == "all steps" else ""))
    if (size := found.get("sizes")) is not None:
        few, some, many = size["active"]
        per, user, call = size["cpu_ms"], size["kib_per_idle_user"], size["kib_per_active_call"]
        cpu_text = f"{per[str(few)]:.2f} → {per[str(many)]:.2f} = {size['growth']:.2f}"
        rows += [
            (f"KiB per idle page ({size['idle_users']})", f"{user:.1f}", verdict(user, BUDGETS["user"])),
            (
                f"KiB per active call ({some})",
                f"{call:.1f}; as soon as it is up {size['kib_per_new_call']:.1f}",
                verdict(call, BUDGETS["call"]),
            ),
            (f"CPU ms per call, {few} → {many} active", cpu_text, verdict(size["growth"], BUDGETS["growth"])),
            (f"share of a core without new calls, {many} active", f"{100 * size['core']:.1f} %", ""),
        ]
    if markdown:
        return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], ("---", "---", "---"), *rows[1:]))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


async def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    server = Server(folder / "ejabberd", spin=args.spin)
    for name in ("main", "sizes"):
        for number in range(CONTACTS):
            server._accounts[f"{name}{number}"] = f"{name}{number}"
    halves = negotiations(args.negotiations)
    found: dict[str, Any] = {"arguments": {k: str(v) for k, v in vars(args).items()}}
    with server:
        if "calls" in args.only or "latency" in args.only:
            pages = (args.calls + args.warm) // BURST + CONTACTS
            async with stage(server, folder, "main", pages, halves, args.peer) as (it, _):
                if "calls" in args.only:
                    found["spending"] = await spending(it, args)
                if "latency" in args.only:
                    if "calls" not in args.only:
                        await it.calls(0, args.warm, Times())
                    found["latency"] = await latency(it, args)
        if "sizes" in args.only:
            found["sizes"] = await sizes(server, folder, args, halves)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of complete calls; see benchmarks/README.md.")
    parser.add_argument("--calls", type=int, default=600, help="bridged calls, and as many direct ones, whose CPU is counted")
    parser.add_argument(
        "--rounds", type=int, default=5, help="they are made in so many rounds, bridged and direct in turn; the median is shown"
    )
    parser.add_argument("--talk", type=float, default=0.0, metavar="SECONDS", help="how long a call lasts whose CPU is counted")
    parser.add_argument("--warm", type=int, default=64, help="calls before anything is counted")
    parser.add_argument("--paced", type=int, default=100, help="calls of each kind whose steps are timed one by one")
    parser.add_argument("--idle", type=int, default=500, help="idle pages")
    parser.add_argument("--active", type=int, nargs=3, default=[100, 1000, 5000], metavar="N", help="few, some, many active calls")
    parser.add_argument("--growth", type=int, default=200, help="calls made to find the cost of one while others are up")
    parser.add_argument("--settle", type=float, default=50, help="seconds until a call's memory is looked at again: it gets smaller")
    parser.add_argument("--negotiations", type=int, default=200, help="different descriptions")
    parser.add_argument("--only", nargs="+", choices=("calls", "latency", "sizes"), default=["calls", "latency", "sizes"])
    parser.add_argument(
        "--peer", choices=NODES, default="conversations", help="what the IM clients say they are; bridge: another jinglebridge"
    )
    parser.add_argument(
        "--spin", action="store_true", help="let ejabberd's schedulers wait busily, as it does by default: counts as its CPU"
    )
    parser.add_argument("--short", action="store_true", help="small numbers for everything: less than a minute")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the servers' files and logs here")
    args = parser.parse_args()
    if args.short:
        args.calls, args.rounds, args.warm, args.paced = 96, 3, 32, 12
        args.idle, args.active, args.growth, args.negotiations, args.settle = 60, [10, 120, 300], 32, 40, 1
    with tempfile.TemporaryDirectory() as temporary, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(args, args.folder or Path(temporary)))
    sys.stdout.write(report(found, args.markdown) + "\n")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
