from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops.errors import PlatformError
from mlops.profile import CLI_CLIENT_ID, find, origin, resolve

LOCAL = {
    "tracking_url": "http://127.0.0.1:5500",
    "issuer": "http://127.0.0.1:5540",
    "cli_client_id": "mlops-cli-local",
    "parts": [{"name": "database", "tcp": "127.0.0.1:5532"}],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory below the one that has `.state/platform.json`."""
    write(tmp_path / ".state", LOCAL)
    below = tmp_path / "notebooks" / "iris"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path


def write(state: Path, document: Any) -> None:
    state.mkdir(parents=True, exist_ok=True)
    (state / "platform.json").write_text(json.dumps(document))


def test_platform_is_found_from_below_its_project(project: Path) -> None:
    platform = resolve(env={})
    assert (platform.tracking_url, platform.issuer, platform.client_id) == (
        "http://127.0.0.1:5500",
        "http://127.0.0.1:5540",
        "mlops-cli-local",
    )


def test_named_state_directory_comes_before_the_current_one(project: Path) -> None:
    write(project / "other", LOCAL | {"tracking_url": "http://127.0.0.1:6500/"})
    assert resolve(env={"MLFLOW_PLATFORM_STATE": str(project / "other")}).tracking_url == "http://127.0.0.1:6500"


def test_option_comes_before_environment_and_environment_before_file(project: Path) -> None:
    env = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5500", "MLOPS_ISSUER": "https://env", "MLOPS_CLIENT_ID": "env"}
    assert resolve(env=env).issuer == "https://env"
    chosen = resolve("http://127.0.0.1:5500/", "https://option/", "option", "http://localhost:1/x", env=env)
    assert (chosen.issuer, chosen.client_id, chosen.redirect) == ("https://option", "option", "http://localhost:1/x")


def test_issuer_of_one_platform_is_not_taken_for_another(project: Path) -> None:
    platform = resolve("https://mlflow.example.com", env={})
    assert (platform.issuer, platform.client_id) == (None, CLI_CLIENT_ID)


def test_no_platform_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"no platform given: .*MLFLOW_TRACKING_URI.*make up"):
        resolve(env={"MLFLOW_PLATFORM_STATE": str(tmp_path)})


@pytest.mark.parametrize(
    "url", ["sqlite:///mlflow.db", "databricks", "https://", "https://ada:pw@host", "https://host/?token=x"]
)
def test_url_that_is_none_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(PlatformError, match="URL") as caught:
        resolve(url, env={"MLFLOW_PLATFORM_STATE": "/nowhere"})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (LOCAL | {"issuer": 5}, "issuer: "),
        (LOCAL | {"parts": [{"name": "x"}]}, "parts.0: .*`health` or `tcp`"),
        ([], "document: "),
    ],
)
def test_damaged_file_is_named_with_its_key(tmp_path: Path, document: Any, message: str) -> None:
    write(tmp_path, document)
    with pytest.raises(PlatformError, match=f"platform.json: {message}.*make up"):
        find({"MLFLOW_PLATFORM_STATE": str(tmp_path)})


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, LOCAL | {"later": 1})
    assert find({"MLFLOW_PLATFORM_STATE": str(tmp_path)})


def test_file_that_somebody_else_left_in_a_parent_is_ignored(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    owner = (project / ".state").stat().st_uid
    if owner == 0:
        os.chown(project / ".state", 12345, -1)
        assert find({}) is None
    else:
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
        assert find({}) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://MLflow.Example.com/a/b?c", "https://mlflow.example.com"),
        ("https://mlflow.example.com:443", "https://mlflow.example.com"),
        ("http://127.0.0.1:5500/", "http://127.0.0.1:5500"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://user@evil.example.com/", "https://evil.example.com"),
        ("sqlite:///mlflow.db", None),
        ("http://host:port/", None),
        ("", None),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, expected: str | None) -> None:
    assert origin(url) == expected
