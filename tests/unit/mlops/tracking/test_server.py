"""How the environment of a container becomes the `mlflow server` command."""

from __future__ import annotations

import configparser
import itertools
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops.errors import PlatformError
from mlops.tracking import server
from mlops.tracking.identity_settings import identity_settings

AUTH_URI = "postgresql+psycopg://mlflow_auth@127.0.0.1/mlflow_auth"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    identity = tmp_path / "identity.json"
    identity.write_text(json.dumps({"issuers": [], "admins": [], "teams": []}))
    monkeypatch.setenv("MLOPS_IDENTITY_FILE", str(identity))
    identity_settings.cache_clear()
    yield {
        "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg://mlflow@127.0.0.1/mlflow",
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/artifacts",
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": "sealing",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "session-signing-secret",
        "MLOPS_AUTH_DATABASE_URI": AUTH_URI,
        "MLOPS_LISTEN": "127.0.0.1:5000",
        "MLOPS_MANAGEMENT_LISTEN": "0.0.0.0:9000",
        "MLOPS_SCRATCH": str(tmp_path / "scratch"),
    }
    identity_settings.cache_clear()


@pytest.mark.parametrize("missing", sorted(server.REQUIRED))
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_missing_variable_is_named_with_what_was_expected(
    environment: dict[str, str], missing: str, how: str
) -> None:
    environment[missing] = ""
    if how == "absent":
        del environment[missing]
    with pytest.raises(PlatformError, match=f"{missing} is not set; expected"):
        server.prepare(environment)


@pytest.mark.parametrize("name", ["MLFLOW_BACKEND_STORE_URI", "MLOPS_AUTH_DATABASE_URI"])
@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "postgresql://user:hidden@host/db", "mysql://user:hidden@host/db"]
)
def test_another_backend_is_refused_and_its_password_not_shown(
    environment: dict[str, str], name: str, uri: str
) -> None:
    with pytest.raises(PlatformError, match=name) as caught:
        server.prepare({**environment, name: uri})
    assert "hidden" not in str(caught.value)


def test_unusable_identity_settings_end_the_start(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_IDENTITY_FILE", str(tmp_path / "none.json"))
    with pytest.raises(PlatformError, match=r"none\.json"):
        server.prepare(environment)


def test_permissions_fail_closed_and_workspaces_are_on(environment: dict[str, str]) -> None:
    prepared = server.prepare(environment)
    assert prepared["MLFLOW_BASIC_AUTH_FAIL_CLOSED"] == "true"
    assert prepared["MLFLOW_ENABLE_WORKSPACES"] == "true"


def test_nothing_is_allowed_by_default_and_tokens_decide_who_asks(environment: dict[str, str]) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(server.prepare(environment)["MLFLOW_AUTH_CONFIG_PATH"])
    options = parser["mlflow"]
    assert options["default_permission"] == "NO_PERMISSIONS"
    assert options["grant_default_workspace_access"] == "false"
    assert options["authorization_function"] == "mlops.tracking.identity:authenticate"
    assert options["database_uri"] == AUTH_URI


def test_the_auth_configuration_is_readable_by_its_owner_only(environment: dict[str, str]) -> None:
    path = Path(server.prepare(environment)["MLFLOW_AUTH_CONFIG_PATH"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_metrics_of_an_earlier_start_are_cleared(environment: dict[str, str]) -> None:
    metrics = Path(server.prepare(environment)["PROMETHEUS_MULTIPROC_DIR"])
    stale = metrics / "counter_1.db"
    stale.write_bytes(b"")
    server.prepare(environment)
    assert not stale.exists()


def test_no_secret_and_no_database_is_in_the_command_line(environment: dict[str, str]) -> None:
    command = " ".join(server.arguments(server.prepare(environment)))
    assert "session-signing-secret" not in command
    assert "postgresql" not in command


def test_mlflow_listens_where_it_is_told(environment: dict[str, str]) -> None:
    command = server.arguments(server.prepare({**environment, "MLOPS_WORKERS": "7"}))
    pairs = dict(itertools.pairwise(command))
    assert (pairs["--host"], pairs["--port"], pairs["--workers"]) == ("127.0.0.1", "5000", "7")
    assert pairs["--app-name"] == "mlops"
    assert "--bind 0.0.0.0:9000" in pairs["--gunicorn-opts"]
