from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.mlops.login.oidc_servers import KeyPairIssuer, Provider, PublicClientProvider

VARIABLES = (
    "MLFLOW_PLATFORM_STATE", "MLFLOW_TRACKING_URI", "MLOPS_ISSUER", "MLOPS_CLIENT_ID", "MLOPS_TOKEN_FILE",
    "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_ACTIONS",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:.*:DeprecationWarning:authlib.*")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The configuration directory of a user who has done nothing yet; no platform is named anywhere."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config"


@pytest.fixture(scope="session")
def bare_provider() -> Iterator[Provider]:
    with Provider().running() as issuer:
        yield issuer


@pytest.fixture
def issuer() -> Iterator[PublicClientProvider]:
    with PublicClientProvider().running() as running:
        yield running


@pytest.fixture(scope="session")
def key_pair() -> KeyPairIssuer:
    return KeyPairIssuer()


@pytest.fixture
def minting(key_pair: KeyPairIssuer) -> Iterator[KeyPairIssuer]:
    with key_pair.running() as running:
        yield running
