"""A container engine for the image tests: the one that answers, or, as root, a Docker daemon of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

USER = "65532:65532"


class Engine:
    """Docker at `host`; containers share the network of this machine, as a pod's share theirs."""

    def __init__(self, host: str | None) -> None:
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "0", **({"DOCKER_HOST": host} if host else {})}

    def call(self, *arguments: str | Path) -> str:
        """The output of `docker ARGUMENTS`; CalledProcessError when it fails."""
        run = subprocess.run(
            ["docker", *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    def run(self, image: str, *command: str, env: Mapping[str, str], files: Path | None = None) -> str:
        """Runs `command` to completion, confined as a pod is; its output."""
        return self.call("run", "--rm", *self._confined(env, files), image, *command)

    @contextlib.contextmanager
    def running(self, image: str, *command: str, env: Mapping[str, str], files: Path | None = None) -> Iterator[str]:
        """Keeps `command`, or what the image runs by itself, running; yields the container."""
        container = self.call("run", "--detach", *self._confined(env, files), image, *command)
        try:
            yield container
        finally:
            self.call("stop", "--time", "10", container)
            self.call("rm", container)

    def _confined(self, env: Mapping[str, str], files: Path | None) -> list[str]:
        options = ["--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        options += ["--tmpfs=/scratch:uid=65532,gid=65532,mode=0700"]
        options += [] if files is None else [f"--volume={files}:/etc/mlflow-platform:ro"]
        inside = {"MLOPS_SCRATCH": "/scratch", "TMPDIR": "/scratch", **env}
        return options + [f"--env={name}={value}" for name, value in inside.items()]


def answering() -> Engine | None:
    """The engine that the environment names, when it answers."""
    engine = Engine(None)
    if shutil.which("docker") is None:
        return None
    try:
        engine.call("info")
    except subprocess.CalledProcessError:
        return None
    return engine


@contextlib.contextmanager
def own(folder: Path) -> Iterator[Engine]:
    """A daemon with its data in `folder`, without a bridge and without touching the machine's packet filter."""
    host = f"unix://{folder / 'docker.sock'}"
    command = ["dockerd", f"--host={host}", f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}"]
    command += [f"--pidfile={folder / 'docker.pid'}", "--bridge=none", "--iptables=false"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        engine = Engine(host)
        _wait(engine)
        yield engine
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)
        shutil.rmtree(folder / "data", ignore_errors=True)  # some GB


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.3), retry=retry_if_exception_type(subprocess.CalledProcessError))
def _wait(engine: Engine) -> None:
    engine.call("info")
