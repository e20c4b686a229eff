"""Drives supervisord, which keeps the local processes running: restart with backoff, rotated logs, status.

Every program has a configuration file of its own, so that one can be added, changed or removed without the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.local.layout import Layout, private_directory
from infra.local.readiness import Status
from tools.pulumi_home import write_private


@dataclass(frozen=True)
class Program:
    """What supervisord runs under `name`, in the working directory `directory`."""

    name: str
    command: Sequence[str]
    directory: Path
    stop_signal: str = "TERM"
    stop_seconds: int = 30

    def configuration(self, log: Path) -> str:
        """The text of the program's file."""
        options = {
            "command": " ".join(_quoted(part) for part in self.command),
            "directory": str(self.directory).replace("%", "%%"),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "20",
            "stopsignal": self.stop_signal,
            "stopwaitsecs": str(self.stop_seconds),
            "stopasgroup": "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(log).replace("%", "%%"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "3",
        }
        return f"[program:{self.name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())


def _quoted(text: str) -> str:
    """A double-quoted word for supervisor, which splits as `shlex` does and expands `%(…)s`."""
    if "\n" in text:
        raise ValueError(f"{text!r} has a line break; a path with one cannot be supervised")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


class Supervisor:
    """The supervisord of one state directory; it outlives the process that started it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._programs = layout.run / "programs"

    def running(self) -> bool:
        """Whether supervisord answers on its socket."""
        try:
            self._call("supervisor.getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def start(self) -> None:
        """Starts supervisord when it does not run yet; it daemonizes itself."""
        if self.running():
            return
        for folder in (self._layout.run, self._layout.logs, self._programs):
            private_directory(folder)
        for stale in self._programs.glob("*.conf"):
            stale.unlink()
        configuration = self._layout.run / "supervisord.conf"
        write_private(configuration, self._configuration())
        command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self._layout.root)
        self._wait_until_up()

    def stop(self) -> None:
        """Stops every program, then supervisord; returns when its process has ended."""
        try:
            pid = int(self._call("supervisor.getPID"))
        except (OSError, xmlrpc.client.Error):
            return
        process = psutil.Process(pid)
        self._call("supervisor.shutdown")
        process.wait(timeout=90)

    def put(self, program: Program) -> None:
        """Runs `program`, in place of an earlier one of the same name; returns once the process has been started."""
        self.remove(program.name)
        path = self._programs / f"{program.name}.conf"
        log = self._layout.log(program.name)
        write_private(path, program.configuration(log))
        self._call("supervisor.reloadConfig")
        self._call("supervisor.addProcessGroup", program.name)
        self._call("supervisor.startProcess", program.name, False)

    def remove(self, name: str) -> None:
        """Stops and forgets the program; nothing happens when there is none of that name."""
        try:
            self._call("supervisor.stopProcess", name, True)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (Faults.BAD_NAME, Faults.NOT_RUNNING):
                raise
        try:
            self._call("supervisor.removeProcessGroup", name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
        (self._programs / f"{name}.conf").unlink(missing_ok=True)

    def status(self, name: str) -> Status:
        """How the program is; state UNKNOWN when there is no such program or no supervisord."""
        try:
            info = self._call("supervisor.getProcessInfo", name)
        except (OSError, xmlrpc.client.Error):
            return Status("UNKNOWN", 0)
        return Status(str(info["statename"]), int(info["start"]))

    def pids(self) -> set[int]:
        """supervisord and all its descendants."""
        try:
            parent = psutil.Process(int(self._call("supervisor.getPID")))
        except (OSError, xmlrpc.client.Error, psutil.NoSuchProcess):
            return set()
        return {parent.pid, *(child.pid for child in parent.children(recursive=True))}

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._layout.socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            function: Any = proxy
            for part in method.split("."):
                function = getattr(function, part)
            return function(*arguments)

    @retry(
        retry=retry_if_exception_type(ConnectionError), stop=stop_after_delay(30), wait=wait_fixed(0.1), reraise=True
    )
    def _wait_until_up(self) -> None:
        if not self.running():
            raise ConnectionError(f"supervisord does not answer on {self._layout.socket}; see {self._layout.logs}")

    def _configuration(self) -> str:
        as_root = "user=root\n" if os.geteuid() == 0 else ""
        return (
            "[supervisord]\n"
            f"logfile={self._layout.logs}/supervisord.log\nlogfile_maxbytes=10MB\nlogfile_backups=3\n"
            f"pidfile={self._layout.run}/supervisord.pid\nchildlogdir={self._layout.logs}\numask=077\n{as_root}"
            "[unix_http_server]\n"
            f"file={self._layout.socket}\nchmod=0700\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
            "[include]\n"
            f"files = {self._programs}/*.conf\n"
        )
