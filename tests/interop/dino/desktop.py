"""A desktop without a screen: X server, window manager, session bus, sound server, notifications. One per person."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jinglebridge.demo.lab import LabError, end_process

from ..bridge import wait_for

SIZE = (1280, 800)
CORNER = ("1279", "799")  # where there is nothing
RATE = 16000  # samples per second when listening
NEEDED = {
    "Xvfb": "xvfb", "openbox": "openbox", "xdotool": "xdotool", "dbus-daemon": "dbus", "pulseaudio": "pulseaudio",
    "parec": "pulseaudio-utils", "gapplication": "libglib2.0-bin", "unshare": "util-linux", "ip": "iproute2",
}  # fmt: skip
SYSTEM_PYTHON = "/usr/bin/python3"  # has gi, of Debian's python3-gi

Json = dict[str, Any]


def require(programs: dict[str, str]) -> None:
    """Raises LabError that names the Debian packages that are missing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
    missing = [package for program, package in programs.items() if shutil.which(program, path=path) is None]
    if missing:
        raise LabError(f"{' '.join(missing)}: is not installed: apt install {' '.join(missing)}")


class Desktop:
    """`start`, `stop`; everything that runs on it is a `run` or a `spawn`. The microphone plays `hz` for ever."""

    def __init__(self, folder: Path, hz: int) -> None:
        self.folder, self.hz = folder, hz
        self._processes: list[subprocess.Popen[Any]] = []
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_", "PULSE_", "WAYLAND_"))}
        self.notifications: queue.Queue[Json] = queue.Queue()
        self._notifier: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        require(NEEDED)
        for name in ("run", "log", "screen", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        run = self.folder / "run"
        run.chmod(0o700)
        self.environment |= {
            "HOME": str(self.folder / "home"), "XDG_RUNTIME_DIR": str(run), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={run}/bus",
            "PULSE_RUNTIME_PATH": str(run / "pulse"), "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo", "LIBGL_ALWAYS_SOFTWARE": "1",
            "GTK_A11Y": "none", "NO_AT_BRIDGE": "1", "LC_ALL": "C.UTF-8", "LANGUAGE": "en", "GSETTINGS_BACKEND": "memory",
        }  # fmt: skip
        self.environment["DISPLAY"] = f":{self._x_server()}"
        self.spawn("dbus", "dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={run}/bus")
        self.spawn(
            "pulse", "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit=yes", "--use-pid-file=no",
            "-L", f"module-native-protocol-unix socket={run}/pulse/native auth-anonymous=1",
            "-L", "module-null-sink sink_name=speaker",
            # Dino takes no monitor for a microphone, and module-sine-source hands out blocks of seconds: so a sine into a sink of its
            # own, and that sink's monitor under the name of a microphone.
            "-L", "module-null-sink sink_name=tone", "-L", f"module-sine sink=tone frequency={self.hz}",
            "-L", "module-remap-source source_name=microphone master=tone.monitor source_properties=device.description=Microphone",
        )  # fmt: skip
        wait_for("the session bus", (run / "bus").exists)
        self.spawn("openbox", "openbox")
        wait_for("the sound server", lambda: self._does("pactl", "set-default-source", "microphone"))
        self.run("pactl", "set-default-sink", "speaker")
        self.run("xdotool", "mousemove", *CORNER)
        self._start_notifier()

    def stop(self) -> None:
        for process in reversed(self._processes):
            end_process(process, SIGTERM)
        if self._reader:
            self._reader.join(10)
        for pipe in (pipe for process in self._processes for pipe in (process.stdin, process.stdout)):
            if pipe:
                pipe.close()
        self._processes.clear()

    def spawn(self, name: str, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a program in this session; ended by `stop`. Its output is in log/NAME.log."""
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
            process = subprocess.Popen(command, env=self.environment, cwd=self.folder, start_new_session=True, **options)
        self._processes.append(process)
        return process

    def run(self, *command: str, patience: float = 20.0, check: bool = True) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=patience, cwd=self.folder)
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _does(self, *command: str) -> bool:
        return subprocess.run(command, env=self.environment, capture_output=True, timeout=20).returncode == 0

    def _x_server(self) -> str:
        """Start it on a free display; the display's number. No key repeats itself (`-r`): a busy machine lets go of one late."""
        reading, writing = os.pipe()
        try:
            self.spawn(
                "xvfb", "Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp", "-r",
                "-fbdir", str(self.folder / "screen"), pass_fds=(writing,),
            )  # fmt: skip
        finally:
            os.close(writing)
        with os.fdopen(reading) as file:
            number = file.readline().strip()
        if not number:
            raise LabError(f"Xvfb did not start, see {self.folder}/log/xvfb.log")
        return number

    # --- the screen

    def screen(self) -> NDArray[np.uint8]:
        """What is on the screen now: rows of pixels of (red, green, blue)."""
        data = (self.folder / "screen/Xvfb_screen0").read_bytes()  # an XWD file that the server keeps up to date
        header = np.frombuffer(data, ">u4", 25)
        start, line = int(header[0]) + 12 * int(header[19]), int(header[12])
        width, height = int(header[4]), int(header[5])
        pixels = np.frombuffer(data, np.uint8, line * height, start).reshape(height, line // 4, 4)
        return pixels[:, :width, 2::-1]

    def click(self, x: int, y: int) -> None:
        """As a hand does it: GTK overlooks a button that is pressed and released within a millisecond, now and then.

        The pointer then leaves for a corner: where it rests, GTK shows a hint, which is a window like others for who looks for windows.
        """
        self.run(
            "xdotool", "mousemove", str(x), str(y), "sleep", "0.3", "mousedown", "1", "sleep", "0.1", "mouseup", "1", "mousemove", *CORNER
        )

    def windows(self, name: str) -> list[int]:
        """Ids of the visible windows whose title matches, oldest first."""
        return sorted(map(int, self.run("xdotool", "search", "--onlyvisible", "--name", name, check=False).split()))

    def geometry(self, window: int) -> tuple[int, int, int, int]:
        """(left, top, width, height)"""
        lines = dict(line.split("=") for line in self.run("xdotool", "getwindowgeometry", "--shell", str(window)).split())
        return int(lines["X"]), int(lines["Y"]), int(lines["WIDTH"]), int(lines["HEIGHT"])

    # --- sound

    def listen(self, seconds: float = 0.6, source: str = "speaker.monitor") -> NDArray[np.float64]:
        """What the loudspeaker plays from now on; samples of -1 … 1 at RATE."""
        command = ["parec", "-d", source, "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=50"]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout is not None
            with process.stdout as sound:
                data = sound.read(int(RATE * seconds) * 2)
        finally:
            process.terminate()
            process.wait(10)
        return np.frombuffer(data, "<i2").astype(float) / 32768

    # --- notifications

    def _start_notifier(self) -> None:
        program = Path(__file__).with_name("notifier.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._notifier = self.spawn("notifier", SYSTEM_PYTHON, "-u", str(program), **pipes)
        self._reader = threading.Thread(target=self._read_notifications, args=(self._notifier.stdout,), daemon=True)
        self._reader.start()
        try:
            self.notified(lambda n: "ready" in n)
        except queue.Empty:
            log = (self.folder / "log/notifier.log").read_text()
            raise LabError(f"the notification service did not start (is python3-gi installed?): {log}") from None

    def _read_notifications(self, lines: Any) -> None:
        for line in lines:
            self.notifications.put(json.loads(line))

    def notified(self, wanted: Callable[[Json], Any], patience: float = 20.0) -> Json:
        """The next notification (or end of one) like that; others before it are passed over."""
        while True:
            told = self.notifications.get(timeout=patience)
            if wanted(told):
                return told

    def press(self, notification: Json, action: str) -> None:
        assert self._notifier is not None and self._notifier.stdin is not None
        assert action in notification["actions"], notification
        self._notifier.stdin.write(f"{notification['shown']} {action}\n")
        self._notifier.stdin.flush()
