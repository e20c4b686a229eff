from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from mlops.login import provider
from mlops.login.provider import BearerAuth, MlopsAuthProvider
from mlops.login.store import Login, LoginStore
from mlops.profile import origin
from tests.unit.mlops.login.oidc_servers import KeyPairIssuer, serving

PROJECT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    provider._auth.cache_clear()
    provider._source.cache_clear()
    yield
    provider._source.cache_clear()


@pytest.fixture
def token(minting: KeyPairIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "token"
    path.write_text(minted := minting.mint(aud="mlflow"))
    monkeypatch.setenv("MLOPS_TOKEN_FILE", str(path))
    return minted


@pytest.fixture
def track(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a URL the tracking URI of MLflow, with this plugin's auth."""
    mlflow = pytest.importorskip("mlflow")

    def to(url: str) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "mlops")
        monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)

    return to


def test_requests_to_the_tracking_server_carry_the_token(token: str, track: Callable[[str], None]) -> None:
    with serving(lambda _: (200, {})) as (url, seen):
        track(url)
        requests.get(f"{url}/api/2.0/mlflow/experiments/get", auth=MlopsAuthProvider().get_auth(), timeout=5)
    assert seen[0]["authorization"] == f"Bearer {token}"


def test_no_other_server_gets_the_token(token: str, track: Callable[[str], None]) -> None:
    with serving(lambda _: (200, {})) as (url, _), serving(lambda _: (200, {})) as (other, seen):
        track(url)
        requests.get(f"{other}/bucket/model.pkl?X-Amz-Signature=abc", auth=MlopsAuthProvider().get_auth(), timeout=5)
    assert "authorization" not in seen[0]


def test_platform_that_a_person_logged_in_to_needs_no_tracking_uri(minting: KeyPairIssuer) -> None:
    store, minted = LoginStore(), minting.mint()
    with store.locked():
        store.put("https://mlflow.example.com/base", Login(minting.url, "mlops-cli", minted))
    auth = MlopsAuthProvider().get_auth()
    prepared = requests.Request("GET", "https://mlflow.example.com/base/api", auth=auth).prepare()
    assert prepared.headers["Authorization"] == f"Bearer {minted}"


def test_token_of_a_machine_does_not_go_where_a_person_logged_in(token: str, minting: KeyPairIssuer) -> None:
    store = LoginStore()
    with store.locked():
        store.put("https://mlflow.example.com", Login(minting.url, "mlops-cli", minting.mint()))
    auth = MlopsAuthProvider().get_auth()
    assert "Authorization" not in requests.Request("GET", "https://mlflow.example.com/", auth=auth).prepare().headers


def test_redirect_to_another_server_drops_the_token(token: str, track: Callable[[str], None]) -> None:
    with (
        serving(lambda _: (200, {})) as (other, seen),
        serving(lambda _: (302, f"{other}/presigned")) as (url, first),
    ):
        track(url)
        requests.get(f"{url}/download", auth=MlopsAuthProvider().get_auth(), timeout=5)
    assert "authorization" in first[0]
    assert "authorization" not in seen[0]


def test_host_that_only_looks_like_the_tracking_server_is_another(token: str) -> None:
    auth = BearerAuth(frozenset({"https://mlflow.example.com"}))
    for url in (
        "https://mlflow.example.com.evil.org/",
        "https://mlflow.example.com@evil.org/",
        "http://mlflow.example.com/",
        "https://mlflow.example.com:8443/",
    ):
        prepared = requests.Request("GET", url, auth=auth).prepare()
        assert token not in str(prepared.headers), url
    same = requests.Request("GET", "https://MLflow.example.com:443/x", auth=auth).prepare()
    assert same.headers["Authorization"] == f"Bearer {token}"


def test_auth_can_be_pickled_and_carries_no_token(token: str) -> None:
    target = "https://mlflow.example.com"
    auth = BearerAuth(frozenset({str(origin(target))}))
    requests.Request("GET", target, auth=auth).prepare()
    pickled = pickle.dumps(auth)
    assert token.encode() not in pickled
    assert requests.Request("GET", target, auth=pickle.loads(pickled)).prepare().headers["Authorization"]  # noqa: S301


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_during_a_renewal_is_not_stuck(token: str) -> None:
    auth = BearerAuth(frozenset({"https://mlflow.example.com"}))
    with provider._source("https://mlflow.example.com")._lock:  # as another thread would while it renews
        child = os.fork()
        if child == 0:
            import signal

            signal.alarm(5)
            requests.Request("GET", "https://mlflow.example.com/", auth=auth).prepare()
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_missing_login_reaches_the_user_of_mlflow(track: Callable[[str], None]) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import MlflowHostCreds, http_request

    with serving(lambda _: (200, {})) as (url, seen):
        track(url)
        provider_registry = pytest.importorskip("mlflow.tracking.request_auth.registry")._request_auth_provider_registry
        provider_registry.register(MlopsAuthProvider)
        with pytest.raises(MlflowException, match=rf"not logged in to {url}; run `mlops login {url}`"):
            http_request(MlflowHostCreds(url, auth="mlops"), "/api/2.0/mlflow/x", "GET")
    assert seen == []


def test_mlflow_finds_the_plugin_by_its_name(tmp_path: Path) -> None:
    """With the entry points as pyproject.toml declares them, read the way an installed distribution's are."""
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    group = "mlflow.request_auth_provider"
    installed = tmp_path / "site" / "mlops_under_test-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mlops-under-test\nVersion: 0\n")
    lines = [f"{name} = {value}" for name, value in declared[group].items()]
    (installed / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    code = "from mlflow.tracking.request_auth.registry import fetch_auth; print(type(fetch_auth('mlops')).__name__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{installed.parent}{os.pathsep}{PROJECT}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout.strip() == "BearerAuth"
