"""A local stack for the tests: a copy of the project in a temporary directory, on free ports, run by the engine."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

PROJECT = Path(__file__).parents[2]
PREFIX = "mlflow-platform:"


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, all different, below the range that outgoing connections take theirs from."""
    free: list[int] = []
    for port in random.sample(range(10_000, 32_000), k=1_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                free.append(port)
        if len(free) == count:
            return free
    raise AssertionError(f"no {count} free ports between 10000 and 32000")


@dataclass
class LocalStack:
    """One stack. `settings` is the content of its Pulumi.local.yaml, without the project's prefix."""

    directory: Path
    settings: dict[str, Any]
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def prepare(cls, directory: Path) -> LocalStack:
        """Copies the project's files to `directory` and gives every part a free port; starts nothing."""
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT, capture_output=True, check=True
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = PROJECT / name, directory / name
            if source.is_file() and not name.startswith("tests/"):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (directory / ".venv").symlink_to(Path(sys.prefix))
        document = yaml.safe_load((directory / "Pulumi.local.yaml").read_text())
        settings = {key.removeprefix(PREFIX): value for key, value in document["config"].items()}
        ports = iter(free_ports(6 + len(settings["models"])))
        settings["tracking"] |= {
            "port": next(ports),
            "server_port": next(ports),
            "management_port": next(ports),
            "workers": 2,
        }
        settings["local"] |= {
            "database_port": next(ports),
            "object_store_port": next(ports),
            "identity_port": next(ports),
        }
        for model in settings["models"]:
            model["port"] = next(ports)
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "GOPATH", "MLFLOW_PLATFORM_CACHE", "XDG_CACHE_HOME")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment["PULUMI_HOME"] = str(directory / ".pulumi-home")
        stack = cls(directory, settings, environment)
        stack.write_settings()
        return stack

    def write_settings(self) -> None:
        """Makes Pulumi.local.yaml say what `settings` says."""
        config = {PREFIX + key: value for key, value in self.settings.items()}
        (self.directory / "Pulumi.local.yaml").write_text(yaml.safe_dump({"config": config}))

    def pulumi(self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
        """Runs the project's own pulumi command; returns what it printed, both streams together."""
        run = subprocess.run(
            [sys.executable, "-m", "tools", "run", "pulumi", *arguments, "--stack", "local"],
            cwd=self.directory,
            env={**self.environment, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and run.returncode != 0:
            raise AssertionError(f"pulumi {arguments} exited with {run.returncode}:\n{run.stdout}")
        return run.stdout

    def up(self) -> str:
        """`make up`."""
        return self.pulumi("up", "--yes", "--refresh")

    def destroy(self) -> str:
        """`make down`."""
        return self.pulumi("destroy", "--yes", "--refresh")

    @property
    def state(self) -> Path:
        return self.directory / ".state"

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the stack's settings name, by what listens there."""
        tracking, local = self.settings["tracking"], self.settings["local"]
        return {
            "tracking": tracking["port"],
            "mlflow": tracking["server_port"],
            "management": tracking["management_port"],
            "database": local["database_port"],
            "object-store": local["object_store_port"],
            "identity": local["identity_port"],
            **{f"serving-{model['name']}": model["port"] for model in self.settings["models"]},
        }

    @property
    def tracking_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['tracking']}"

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.ports['identity']}"

    def token(self, email: str, audience: str = "mlops-cli") -> str:
        """An id token for a seeded user, through the provider's authorization code flow as a browser would."""
        callback = "http://127.0.0.1/callback"
        query = {
            "response_type": "code",
            "client_id": audience,
            "redirect_uri": callback,
            "scope": "openid email groups",
        }
        with httpx.Client(base_url=self.issuer, trust_env=False, timeout=30) as client:
            answer = client.post("/oauth2/authorize", params=query, data={"sub": email})
            form = {"grant_type": "authorization_code", "redirect_uri": callback, "client_id": audience}
            form["code"] = httpx.URL(answer.headers["location"]).params["code"]
            response = client.post("/oauth2/token", data={**form, "client_secret": "-"})
            return str(response.raise_for_status().json()["id_token"])

    def api(self, token: str | None, workspace: str = "iris") -> httpx.Client:
        """A plain HTTP client of the tracking server."""
        headers = {"X-MLFLOW-WORKSPACE": workspace}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(base_url=self.tracking_url, headers=headers, trust_env=False, timeout=60)

    def client_environment(self, email: str, workspace: str = "iris") -> dict[str, str]:
        """The environment in which plain MLflow code is `email` in `workspace`."""
        return {
            **self.environment,
            "MLFLOW_TRACKING_URI": self.tracking_url,
            "MLFLOW_TRACKING_TOKEN": self.token(email),
            "MLFLOW_WORKSPACE": workspace,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    @contextmanager
    def signed_in(self, email: str, workspace: str = "iris") -> Iterator[None]:
        """Makes plain `mlflow` calls of this process those of `email` in `workspace`."""
        import mlflow

        wanted = self.client_environment(email, workspace)
        names = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE")
        saved = {name: os.environ.get(name) for name in names}
        os.environ.update({name: wanted[name] for name in names})
        mlflow.set_tracking_uri(self.tracking_url)
        mlflow.set_registry_uri(self.tracking_url)
        mlflow.set_workspace(workspace)
        try:
            yield
        finally:
            for name, value in saved.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)

    def processes(self) -> list[psutil.Process]:
        """supervisord and everything below it."""
        try:
            pid = int((self.state / "run" / "supervisord.pid").read_text())
            parent = psutil.Process(pid)
        except (OSError, ValueError, psutil.NoSuchProcess):
            return []
        return [parent, *parent.children(recursive=True)]

    def parts(self) -> set[int]:
        """supervisord and the processes that it runs, without what those start for themselves; by process id."""
        return {each.pid for each in self.processes()[:1] for each in (each, *each.children())}

    def exported(self) -> dict[str, Any]:
        """The stack's resources as the engine keeps them, by name."""
        document = json.loads(self.pulumi("stack", "export"))
        return {each["urn"].rpartition("::")[2]: each for each in document["deployment"]["resources"]}
