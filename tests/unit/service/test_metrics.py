"""Counters and gauges, as Prometheus reads them."""

from __future__ import annotations

import aiohttp
import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.demo.lab import free_port
from jinglebridge.errors import OperatorError
from jinglebridge.service.metrics import Metrics


async def test_what_is_counted():
    metrics = Metrics()
    metrics.gauge("calls_live", "Calls.", lambda: 3)
    for note in (("call-started", "out"), ("call-ended", "declined"), ("call-ended", "declined"), ("media-connected", ""), ("other", "")):
        metrics.note(fx.Note(note[0], "c", "s", note[1]))
    port = free_port()
    runner = await metrics.serve("127.0.0.1", port)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as reply:
        text = await reply.text()
    assert 'jinglebridge_calls_started_total{direction="out"} 1.0' in text
    assert 'jinglebridge_calls_ended_total{reason="declined"} 2.0' in text
    assert "jinglebridge_calls_connected_total 1.0" in text and "jinglebridge_calls_live 3.0" in text
    with pytest.raises(OperatorError, match=rf"cannot listen on 127.0.0.1:{port} .*\[web\] metrics"):
        await Metrics().serve("127.0.0.1", port)
    await runner.cleanup()
