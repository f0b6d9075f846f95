"""Counters for the operator, in Prometheus' text format, on a loopback listener of their own."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from jinglebridge.calls import effects as fx
from jinglebridge.errors import OperatorError


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._started = Counter("jinglebridge_calls_started", "Calls that began to ring.", ["direction"], registry=self.registry)
        self._ended = Counter("jinglebridge_calls_ended", "Calls that ended, by reason.", ["reason"], registry=self.registry)
        self._connected = Counter("jinglebridge_calls_connected", "Calls whose media connected.", registry=self.registry)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A value that is read when somebody asks."""
        Gauge(f"jinglebridge_{name}", text, registry=self.registry).set_function(value)

    def note(self, note: fx.Note) -> None:
        if note.event == "call-started":
            self._started.labels(note.detail).inc()
        elif note.event == "call-ended":
            self._ended.labels(note.detail).inc()
        elif note.event == "media-connected":
            self._connected.inc()

    async def serve(self, host: str, port: int) -> web.AppRunner:
        """Raises OperatorError if the port is in use."""

        async def metrics(request: web.Request) -> web.Response:
            return web.Response(body=generate_latest(self.registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise OperatorError(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what uses the port, or change [web] metrics"
            ) from None
        return runner
