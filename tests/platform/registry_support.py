"""What the registry's tests share: raw REST calls as a user, cheap model versions, and the CLI as a user."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import httpx
import pytest

EDITOR = "grace@example.com"
ADMIN = "ada@example.com"
APPROVER = "rosalind@example.com"
STRANGER = "alan@example.com"
WORKSPACE = "iris"
OWN = "/api/2.0/mlops/registry"
MLFLOW = "/api/2.0/mlflow"


class Platform(Protocol):
    """The part of the `platform` fixture that these tests use."""

    @property
    def tracking_url(self) -> str: ...

    def token(self, email: str) -> str: ...


class Rest:
    """Raw HTTP as one user; every method returns the response as it came."""

    def __init__(self, platform: Platform, email: str, workspace: str = WORKSPACE) -> None:
        headers = {"Authorization": f"Bearer {platform.token(email)}", "X-MLFLOW-WORKSPACE": workspace}
        self._http = httpx.Client(base_url=platform.tracking_url, headers=headers, timeout=60)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self._http.get(path, params=params)

    def send(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self._http.request(method, path, json=body)

    def change(self, action: str, **body: Any) -> httpx.Response:
        return self.send("POST", f"{OWN}/{action}", **{"request_id": uuid4().hex, **body})

    def set_alias(self, name: str, alias: str, version: int) -> httpx.Response:
        return self.send("POST", f"{MLFLOW}/registered-models/alias", name=name, alias=alias, version=str(version))

    def upload(self, path: str, content: bytes) -> httpx.Response:
        return self._http.put(f"/api/2.0/mlflow-artifacts/artifacts/{path}", content=content)

    def history(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.get(f"{OWN}/history", name=name).raise_for_status().json()
        return answer

    def aliases(self, name: str) -> dict[str, int]:
        model = self.get(f"{MLFLOW}/registered-models/get", name=name).raise_for_status().json()["registered_model"]
        return {alias["alias"]: int(alias["version"]) for alias in model.get("aliases", [])}

    def tags(self, name: str, version: int) -> dict[str, str]:
        found = self.get(f"{MLFLOW}/model-versions/get", name=name, version=version).raise_for_status().json()
        return {tag["key"]: tag.get("value", "") for tag in found["model_version"].get("tags", [])}


@dataclass
class Model:
    """A registered model of its own for one test, and the people who work on it."""

    name: str
    editor: Rest
    approver: Rest
    experiment: str

    def version(self, **extra: Any) -> int:
        """Registers a new version with one small artifact; `artifact_path(version)` is where it lies."""
        run = self.editor.send("POST", f"{MLFLOW}/runs/create", experiment_id=self.experiment).raise_for_status().json()
        info = run["run"]["info"]
        self.editor.upload(_path(info) + "/model/MLmodel", b"flavors: {}\n").raise_for_status()
        body = {"name": self.name, "source": f"{info['artifact_uri']}/model", "run_id": info["run_id"], **extra}
        made = self.editor.send("POST", f"{MLFLOW}/model-versions/create", **body).raise_for_status().json()
        return int(made["model_version"]["version"])

    def artifact_path(self, version: int) -> str:
        """The path of the version's artifact behind the artifact proxy."""
        found = self.editor.get(f"{MLFLOW}/model-versions/get", name=self.name, version=version).json()["model_version"]
        run = self.editor.get(f"{MLFLOW}/runs/get", run_id=found["run_id"]).json()["run"]
        return _path(run["info"]) + "/model/MLmodel"

    def gate(self, version: int, *, passed: bool = True, compared: bool = False, **extra: Any) -> httpx.Response:
        """Records a gate's result as the approver, as `mlops gate` does after measuring."""
        now = self.approver.get(f"{OWN}/version", name=self.name, version=version).raise_for_status().json()
        check = {"name": "accuracy", "value": 0.95 if passed else 0.5, "expected": ">= 0.9", "passed": passed}
        body = {
            "name": self.name,
            "version": version,
            "checks": [check],
            "fingerprint": now["fingerprint"],
            "champion": now["champion"],
            "compared": compared,
            "report": "runs:/none/gate.md",
            **{f"{kind}_digest": "0" * 64 for kind in ("report", "data", "gate")},
            **extra,
        }
        return self.approver.change("gate", **body)

    def approve(self, version: int) -> httpx.Response:
        return self.approver.change("approve", name=self.name, version=version, reason="measured well")

    def promote(self, version: int, expected: int | None) -> httpx.Response:
        return self.approver.change("promote", name=self.name, version=version, expected_champion=expected)

    def approved_version(self) -> int:
        """A new version that is gated and approved, so that it could be promoted."""
        version = self.version()
        self.gate(version).raise_for_status()
        self.approve(version).raise_for_status()
        return version

    def champion(self) -> int:
        """A new version that is champion."""
        version = self.approved_version()
        self.promote(version, self.approver.aliases(self.name).get("champion")).raise_for_status()
        return version


def make_model(platform: Platform) -> Model:
    """A model that no other test knows."""
    name = f"model-{secrets.token_hex(4)}"
    editor = Rest(platform, EDITOR)
    editor.send("POST", f"{MLFLOW}/registered-models/create", name=name).raise_for_status()
    made = editor.send("POST", f"{MLFLOW}/experiments/create", name=name).raise_for_status().json()
    return Model(name, editor, Rest(platform, APPROVER), made["experiment_id"])


@contextmanager
def signed_in(platform: Platform, email: str, monkeypatch: pytest.MonkeyPatch, url: str = "") -> Iterator[None]:
    """MLflow's client, in this process, as `email`."""
    import mlflow

    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", url or platform.tracking_url)
        patch.setenv("MLFLOW_TRACKING_TOKEN", platform.token(email))
        patch.setenv("MLFLOW_WORKSPACE", WORKSPACE)
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(url or platform.tracking_url)
        yield
        mlflow.set_tracking_uri(before)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def mlops(
    platform: Platform, email: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str
) -> Outcome:
    """Runs `mlops ARGS` as `email`, through the same entry point as the shell."""
    from mlops.cli import main

    capsys.readouterr()
    with signed_in(platform, email, monkeypatch), monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["mlops", *args])
        with pytest.raises(SystemExit) as ended:
            main()
    captured = capsys.readouterr()
    code = ended.value.code
    return Outcome(code if isinstance(code, int) else int(code is not None), captured.out, captured.err)


def _path(info: dict[str, Any]) -> str:
    return str(info["artifact_uri"]).removeprefix("mlflow-artifacts:/").lstrip("/")
