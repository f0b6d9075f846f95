"""What the person who runs a bridge does wrong, and looks at: real processes, real servers.

Each mistake is one line on standard error that says what to do, with the right exit status and without a traceback.
"""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd, Prosody, free_port, replaced
from jinglebridge.web import tokens

from .bridge import BridgeProcess, wait_for
from .servers import HandsetFactory, skipped_when_missing
from .test_contact import hears

Result = subprocess.CompletedProcess[str]
QUIET = {"level": "info", "format": "text"}


@pytest.fixture(scope="module")
def running(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge that runs at level debug."""
    bridge = BridgeProcess(tmp_path_factory.mktemp("running"), ejabberd, log={"level": "debug", "format": "text"})
    yield bridge
    bridge.close()


def run(bridge: BridgeProcess, patience: float = 30.0) -> Result:
    """`jinglebridge run` until it ends by itself."""
    return bridge.command("run", patience=patience)


def one_line(result: Result, status: int, *words: str) -> str:
    """The only line on standard error. Fails when there is more, or another exit status."""
    lines = result.stderr.splitlines()
    assert result.returncode == status and len(lines) == 1, (result.returncode, result.stderr)
    assert lines[0].startswith("jinglebridge: ") and result.stdout == ""
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]


Broken = Callable[..., BridgeProcess]


@pytest.fixture
def broken(ejabberd: Ejabberd, tmp_path: Path) -> Broken:
    """A bridge that is not started: ``broken(xmpp={"secret": ""})``."""
    return lambda server=ejabberd, **sections: BridgeProcess(tmp_path / "broken", server, start=False, **({"log": QUIET} | sections))


def test_a_key_that_does_not_exist(broken: Broken) -> None:
    one_line(run(broken(web={"lisen": "x"})), 2, "[web]", "unknown key", "lisen", "bridge.toml")
    one_line(run(broken(wed={"listen": "x"})), 2, "unknown key", "wed")
    one_line(run(broken(web={"listen": 8080})), 2, "[web] listen")


def test_a_missing_or_unreadable_secret(broken: Broken) -> None:
    one_line(run(broken(xmpp={"secret": ""})), 2, "[xmpp] secret or secret_file is missing", "put in")
    one_line(run(broken(xmpp={"secret": "", "secret_file": "nothing"})), 2, "[xmpp] secret_file", "nothing")


def test_no_configuration_at_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jinglebridge", "run", "--config", str(tmp_path / "none.toml")]
    one_line(subprocess.run(command, capture_output=True, text=True, timeout=30), 2, "no such file", "none.toml")


@pytest.mark.parametrize("key", ["listen", "metrics"])
def test_a_port_in_use(broken: Broken, key: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        one_line(run(broken(web={key: f"127.0.0.1:{port}"})), 1, f"cannot listen on 127.0.0.1:{port}", f"[web] {key}")


def test_a_server_that_is_down(broken: Broken) -> None:
    port = free_port()
    result = run(broken(xmpp={"port": port, "start_timeout": 0.3}))
    one_line(result, 3, f"no XMPP server answers at 127.0.0.1:{port}", "start it, or correct [xmpp] host and port")


def test_a_port_that_is_not_a_component_port(broken: Broken, ejabberd: Ejabberd) -> None:
    one_line(run(broken(xmpp={"port": ejabberd.c2s, "start_timeout": 0.3})), 3, "[xmpp]", "port")


@pytest.mark.parametrize("kind", ["ejabberd", "prosody"])
def test_a_wrong_secret_and_an_unknown_domain(broken: Broken, request: pytest.FixtureRequest, kind: str) -> None:
    server = request.getfixturevalue(kind)
    line = one_line(
        run(broken(server, xmpp={"secret": "wrong-secret"})), 3, f"refused the secret of component {server.component}", "compare"
    )
    assert "wrong-secret" not in line
    unknown = run(broken(server, xmpp={"domain": "nobody.im.test", "start_timeout": 1.0}))
    one_line(unknown, 3, "nobody.im.test", "[xmpp]")


def test_a_folder_that_cannot_be_used(broken: Broken, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one_line(run(broken(store={"path": str(tmp_path / "file" / "store")})), 1, "[store] path", "name another")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "jinglebridge.db").write_bytes(b"no database " * 100)
    one_line(run(broken(store={"path": str(tmp_path / "store")})), 1, "the store cannot be opened", "jinglebridge.db")


def test_a_second_bridge_on_the_same_folder(broken: Broken, running: BridgeProcess) -> None:
    folder = str(running.folder / "store")
    one_line(run(broken(store={"path": folder})), 1, f"another bridge is running with [store] path {folder}", "jinglebridge stop")
    assert running.ready()


@pytest.fixture
def echoing(running: BridgeProcess, handset: HandsetFactory) -> Callable[[], Handset]:
    """Start a call of an IM contact to echo@, which hears itself."""

    def start() -> Handset:
        contact = handset(running.server, None, "--tone", "700")
        contact.send("call", to=running.jid("echo"), media=["audio"])
        contact.until(hears(700))
        return contact

    return start


def goes_on(contact: Handset) -> None:
    before = contact.report(log=False)["packets"]["audio"]
    contact.until(lambda r: r["packets"]["audio"] > before + 20)
    contact.until(hears(700))


def ends_well(contact: Handset, bridge: BridgeProcess) -> None:
    contact.send("hangup")
    contact.wait("ended")
    wait_for("the bridge forgot the call", lambda: bridge.calls() == [])


def test_a_second_bridge_on_the_same_domain(broken: Broken, running: BridgeProcess, echoing: Callable[[], Handset]) -> None:
    """It refuses to run; the first keeps its call, and is ready as soon as the second has gone."""
    contact = echoing()
    one_line(run(broken()), 3, f"another bridge is connected as {running.server.component}", "stop it first")
    goes_on(contact)
    wait_for("the first bridge is ready", running.ready, 10.0)
    assert len(running.calls()) == 1
    ends_well(contact, running)


def test_calls_and_one_call(running: BridgeProcess, echoing: Callable[[], Handset]) -> None:
    """While it lives and when it is over; what could harm is shown only with --unsafe. J-248."""
    contact = echoing()
    sid = contact.report(log=False)["call"]["sid"]
    listed = running.command("calls").stdout.splitlines()
    assert listed[-1].startswith("1 live call, ")
    assert contact.jid in listed[-2] and "audio" in listed[-2] and "<-" in listed[-2] and "connected" in listed[-2]
    (call,) = running.calls()
    assert call["sid"] == sid and call["peer"] == contact.full and call["own"].startswith(running.jid("echo") + "/")
    ends_well(contact, running)
    shown = [running.command("calls", "show", id).stdout for id in (sid, call["call"], sid[:12])]
    assert shown[0] == shown[1] == shown[2] and f"call {call['call']}  sid {sid}" in shown[0]
    assert steps_of(shown[0])[-3:] == ["bridge ->  peer finish success", "page <- bridge ended ended", "bridge call-ended ended, by peer"]
    for step in (
        "bridge <-  peer propose audio",
        "page <- bridge incoming audio",
        "page -> bridge accept",
        "bridge ->  peer proceed",
        "bridge <-  peer session-initiate",
        "page <- bridge description offer",
        "page -> bridge description answer",
        "bridge ->  peer session-accept",
        "bridge <-  peer result session-accept",
        "page -> bridge stats connected",
        "bridge <-  peer session-terminate success",
    ):
        assert any(line.startswith(step) for line in steps_of(shown[0])), (step, shown[0])
    unsafe = running.command("calls", "show", sid, "--unsafe").stdout
    told = secrets_of(contact)
    assert set(told) == {"ufrag", "pwd", "ip", "fingerprint"} and all(told.values())
    for kind, values in told.items():
        for value in values:
            assert value not in shown[0] and value in unsafe, (kind, value)
    assert "a=setup:" in unsafe and "<jingle" in unsafe and "a=" not in shown[0] and "<" not in shown[0].replace("<-", "")
    one_line(running.command("calls", "show", "nothing"), 1, "no call of now or of the last hour has the id nothing")
    one_line(running.command("calls", "show"), 1, "needs the id")


def steps_of(shown: str) -> list[str]:
    """The steps of a ladder without their times: "page -> bridge accept"."""
    found = re.findall(r"^ +\+[0-9.]+ s +(.*)$", shown, re.M)
    return [
        re.sub(r"^(page|bridge) +(<-|->)( ? )(bridge|peer) +", r"\1 \2\3\4 ", re.sub(r"^bridge +(?=\w)", "bridge ", line)) for line in found
    ]


def secrets_of(contact: Handset) -> dict[str, set[str]]:
    """What both sides' stanzas of the last call held."""
    found: dict[str, set[str]] = {"ufrag": set(), "pwd": set(), "ip": set(), "fingerprint": set()}
    for line in contact.report()["log"]:
        for transport in transports(line["xml"]):
            found["ufrag"].add(transport.get("ufrag", ""))
            found["pwd"].add(transport.get("pwd", ""))
            for child in transport:
                if child.tag.endswith("}candidate"):
                    found["ip"].add(child.get("ip", ""))
                elif child.tag.endswith("}fingerprint"):
                    found["fingerprint"].add(child.text or "")
    return found


def test_secrets_are_in_no_log(running: BridgeProcess, echoing: Callable[[], Handset]) -> None:
    """A whole call at level debug. J-248."""
    contact = echoing()
    ends_well(contact, running)
    token = running.token("anna")
    report = contact.report()
    passwords = {t.get("pwd", "") for line in report["log"] for t in transports(line["xml"])}
    assert len(passwords) >= 2, "both sides'"
    wait_for("the end of the call", lambda: "call-ended" in running.log())
    log = running.log()
    assert "call-started" in log
    for secret in {running.server.secret, running.token_secret, token, *passwords}:
        assert len(secret) > 8 and secret not in log
    assert "<jingle" not in log and "a=ice" not in log and "Traceback" not in log


def transports(xml: str) -> list[ET.Element]:
    found = ET.fromstring(xml).iter("{urn:xmpp:jingle:transports:ice-udp:1}transport")
    return [t for t in found if t.get("pwd")]


def test_the_doctor_of_a_healthy_bridge(running: BridgeProcess) -> None:
    result = running.command("doctor")
    assert result.returncode == 0 and result.stderr == "", result
    assert result.stdout.splitlines()[-1] == "all is well"
    found = checks(result)
    assert {k: v for k, v in found.items() if v != "ok"} == {"https": "WARN"}, result.stdout
    relays = {name for name in found if name.startswith("relay turn:127.0.0.1:")}
    assert relays and set(found) - relays == {"configuration", "https", "self-check", "server", "privileges", "STUN/TURN", "echo call"}
    assert "relays by 127.0.0.1" in result.stdout
    assert "tone" in result.stdout and running.calls() == []


def checks(result: Result) -> dict[str, str]:
    return {m[2]: m[1] for m in re.finditer(r"^(ok|WARN|FAIL) +(.+?): ", result.stdout, re.M)}


def advised(result: Result) -> bool:
    """Each finding is followed by what to do."""
    lines = result.stdout.splitlines()
    return all(lines[i + 1].strip().startswith("→") for i, line in enumerate(lines) if line.startswith(("WARN", "FAIL")))


def test_the_doctor_alone_with_findings(broken: Broken, prosody: Prosody) -> None:
    """Prosody of the lab has no TURN; the server's name and the tokens are wrong."""
    bridge = broken(prosody, xmpp={"server": "wrong.test"}, tokens={"secret": ""})
    result = bridge.command("doctor")
    assert result.returncode == 1 and result.stderr == "", result
    found = checks(result)
    assert (found["server"], found["STUN/TURN"], found["tokens"], found["echo call"]) == ("FAIL", "WARN", "WARN", "ok"), result.stdout
    assert result.stdout.splitlines()[-1] == "1 thing to mend" and advised(result)
    good = broken(prosody).command("doctor")
    assert good.returncode == 0 and checks(good)["STUN/TURN"] == "WARN", good.stdout


def test_the_doctor_of_a_bridge_that_cannot_connect(broken: Broken) -> None:
    result = broken(xmpp={"secret": "wrong-secret"}).command("doctor")
    assert result.returncode == 1 and checks(result)["connection"] == "FAIL" and "compare [xmpp] secret" in result.stdout
    assert "Traceback" not in result.stderr and "wrong-secret" not in result.stdout + result.stderr
    one_line(broken(xmpp={"nonsense": 1}).command("doctor"), 2, "unknown key")


class Granting(Ejabberd):
    """ejabberd that trusts the bridge with more than it needs: mod_privilege."""

    def fragment(self) -> str:
        grants = "  mod_privilege:\n    roster:\n      both: jinglebridge_ice\n    message:\n      outgoing: jinglebridge_ice\n"
        return replaced(super().fragment(), {"\nmodules:\n": f"\nmodules:\n{grants}"})


@pytest.mark.long
def test_the_doctor_says_what_the_server_grants(tmp_path: Path) -> None:
    """XEP-0356: never needed, but an operator should know."""
    with skipped_when_missing(), Granting(tmp_path / "ejabberd") as server:
        result = BridgeProcess(tmp_path / "bridge", server, start=False).command("doctor")
    assert "ok    privileges: granted by the server: message (outgoing), roster (both)" in result.stdout, result.stdout


def test_token_create(running: BridgeProcess, broken: Broken) -> None:
    domain = running.server.component

    def create(*words: str, of: BridgeProcess = running) -> Result:
        command = [sys.executable, "-m", "jinglebridge", "token", "create", "--config", str(of.config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    made = create("anna", "--display-name", "Anna", "--contact", "bob@im.test", "--contact", "eve@im.test")
    identity = tokens.verify(made.stdout.strip(), running.token_secret, domain).identity
    assert identity == tokens.Identity("anna", "Anna", ("bob@im.test", "eve@im.test")) and made.stderr == ""
    link = create("anna", "--link").stdout.strip()
    assert link.startswith(f"{running.url}/#token=")
    assert tokens.verify(link.partition("=")[2], running.token_secret, domain).identity.user == "anna"
    one_line(create("guest-1"), 1, "reserved")
    one_line(create("guest-1", "--device"), 1, "reserved")
    one_line(create("anna", of=broken(tokens={"secret": ""})), 2, "[tokens] secret_file is missing", "openssl rand")


def test_check_config(running: BridgeProcess, tmp_path: Path) -> None:
    def check(*words: str) -> Result:
        return subprocess.run([sys.executable, "-m", "jinglebridge", "check-config", *words], capture_output=True, text=True, timeout=30)

    good = check(str(running.config))
    assert good.returncode == 0 and f"good. Component {running.server.component}" in good.stdout
    sample = check("--sample").stdout
    (tmp_path / "sample.toml").write_text(sample)
    one_line(check(str(tmp_path / "sample.toml")), 2, "component.secret")
    one_line(check(), 2, "name a configuration file")


def test_nobody_listens(broken: Broken) -> None:
    for command in ("calls", "stop"):
        one_line(broken().command(command), 1, "no bridge is running here")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "stop", "stop --end-calls"])
def test_an_orderly_end(prosody: Prosody, tmp_path: Path, handset: HandsetFactory, how: Any) -> None:
    """The contact of a live call hears that it is over; the process ends with 0 and leaves nothing behind."""
    bridge = BridgeProcess(tmp_path, prosody, log=QUIET)
    store = tmp_path / "store"
    assert stat.S_IMODE(store.stat().st_mode) == 0o700 and stat.S_IMODE((store / "admin.sock").stat().st_mode) == 0o600
    contact = handset(prosody)
    contact.send("call", to=bridge.jid("echo"), media=["audio"])
    contact.wait("state", state="connected")
    if isinstance(how, str):
        done = bridge.command(*how.split())
        assert (done.returncode, done.stdout, done.stderr) == (0, "stopping\n", "")
        assert bridge.process is not None and bridge.process.wait(10) == 0
    else:
        assert bridge.signal(how) == 0
    assert contact.wait("ended")["reason"] == ("peer: success" if how == "stop --end-calls" else "peer: gone")
    assert "Traceback" not in bridge.log() and not (store / "admin.sock").exists()
    bridge.start()
    bridge.close()


def test_a_signal_while_it_still_waits_for_the_server(broken: Broken) -> None:
    bridge = broken(xmpp={"port": free_port(), "start_timeout": 60.0})
    bridge.start(ready=False)
    wait_for("it listens", lambda: bridge.http("/healthz")[0] == 200)
    assert bridge.http("/readyz")[0] == 503
    assert bridge.signal(signal.SIGTERM) == 0 and "Traceback" not in bridge.log()
