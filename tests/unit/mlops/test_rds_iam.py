"""The SQLAlchemy plugin `rds_iam`, against a real PostgreSQL behind TLS that accepts only the last issued token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from mlops.errors import PlatformError
from mlops.tracking.rds_iam import RdsIam, _region
from tests.support import postgres

USER = "mlflow_iam"


@dataclass
class Rds:
    """Stands in for RDS's sign-in: the role's password is always, and only, the token that was issued last."""

    server: postgres.Server
    port: int
    ca: str
    issued: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return (
            f"postgresql+psycopg://{USER}@localhost:{self.port}/postgres"
            f"?plugin=rds_iam&sslmode=verify-full&sslrootcert={self.ca}&aws_region=eu-central-1"
        )

    def accept(self, token: str) -> None:
        self.issued.append(token)
        self.run(f"ALTER ROLE {USER} PASSWORD '{token}' VALID UNTIL 'infinity'")

    def expire(self) -> None:
        self.run(f"ALTER ROLE {USER} VALID UNTIL '2000-01-01'")

    def run(self, statement: str) -> None:
        with self.server.superuser() as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    server = postgres.Server()
    server.start()
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} LOGIN".encode())
    yield server
    server.close()


@pytest.fixture
def rds(server: postgres.Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rds]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    certificate, key = postgres.certify(tmp_path)
    with postgres.tls_front(server.port, certificate, key) as port:
        rds = Rds(server, port, str(certificate))
        original = RdsIam.__init__

        def registering(plugin: RdsIam, *args: Any) -> None:
            original(plugin, *args)
            sign = plugin._signer.generate_db_auth_token

            def issue(**endpoint: Any) -> str:
                token: str = sign(**endpoint, Region=f"eu-central-{len(rds.issued) + 1}")  # no two tokens are alike
                rds.accept(token)
                return token

            monkeypatch.setattr(plugin._signer, "generate_db_auth_token", issue)

        monkeypatch.setattr(RdsIam, "__init__", registering)
        yield rds


def _scalar(engine: sqlalchemy.Engine, query: str) -> object:
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(query)).scalar()


def test_each_new_connection_signs_in_with_a_token_of_its_own(rds: Rds) -> None:
    engine = sqlalchemy.create_engine(rds.uri)
    with engine.connect(), engine.connect():
        assert len(set(rds.issued)) == 2
    assert _scalar(engine, "SELECT current_user") == USER
    assert len(rds.issued) == 2, "a connection out of the pool needs no token"


def test_token_is_signed_for_the_endpoint_and_the_user(rds: Rds) -> None:
    _scalar(sqlalchemy.create_engine(rds.uri), "SELECT 1")
    token = urlsplit(f"https://{rds.issued[0]}")
    query = parse_qs(token.query)
    assert token.netloc == f"localhost:{rds.port}"
    assert query["DBUser"] == [USER]
    assert query["Action"] == ["connect"]
    assert query["X-Amz-Expires"] == ["900"]


def test_open_connection_outlives_its_token_and_a_new_one_gets_a_fresh_token(rds: Rds) -> None:
    engine = sqlalchemy.create_engine(rds.uri)
    with engine.connect() as first:
        rds.expire()
        assert first.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        with engine.connect() as second:
            assert second.execute(sqlalchemy.text("SELECT 2")).scalar() == 2
    assert len(rds.issued) == 2


def test_expired_token_is_refused_without_a_fresh_one(rds: Rds) -> None:
    _scalar(sqlalchemy.create_engine(rds.uri), "SELECT 1")
    rds.expire()
    reused = make_url(rds.uri).difference_update_query(["plugin", "aws_region"]).set(password=rds.issued[-1])
    with pytest.raises(OperationalError, match="password authentication failed") as refused:
        _scalar(sqlalchemy.create_engine(reused), "SELECT 1")
    assert rds.issued[-1] not in str(refused.value)


def test_pool_reconnects_with_a_fresh_token_after_the_server_restarted(rds: Rds) -> None:
    engine = sqlalchemy.create_engine(rds.uri, pool_pre_ping=True)
    assert _scalar(engine, "SELECT 1") == 1
    rds.server.stop()
    with pytest.raises(OperationalError):
        _scalar(engine, "SELECT 1")
    rds.server.start()
    rds.expire()
    assert _scalar(engine, "SELECT 1") == 1


def test_pool_that_recycles_a_connection_signs_in_again(rds: Rds) -> None:
    engine = sqlalchemy.create_engine(rds.uri, pool_size=1, max_overflow=0, pool_recycle=0)
    assert _scalar(engine, "SELECT 1") == 1
    before = len(rds.issued)
    assert _scalar(engine, "SELECT 1") == 1
    assert len(rds.issued) == before + 1


def test_mlflow_makes_its_engine_from_the_uri_as_it_is(rds: Rds) -> None:
    from mlflow.store.db.utils import create_sqlalchemy_engine_with_retry

    engine = create_sqlalchemy_engine_with_retry(rds.uri)
    assert _scalar(engine, "SELECT current_user") == USER


def test_connection_is_refused_when_the_certificate_is_not_the_endpoints(rds: Rds, tmp_path: Any) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificate, _ = postgres.certify(other)
    engine = sqlalchemy.create_engine(rds.uri.replace(rds.ca, str(certificate)))
    with pytest.raises(OperationalError, match="certificate verify failed"):
        _scalar(engine, "SELECT 1")


def test_connection_is_refused_when_the_host_name_is_not_the_certificates(rds: Rds) -> None:
    engine = sqlalchemy.create_engine(rds.uri.replace("@localhost:", "@127.0.0.1:"))
    with pytest.raises(OperationalError, match="does not match host name"):
        _scalar(engine, "SELECT 1")


def test_missing_credentials_are_a_database_error_that_says_so(rds: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    engine = sqlalchemy.create_engine(rds.uri)
    with pytest.raises(OperationalError, match=f"no IAM token for {USER}@localhost: Unable to locate credentials"):
        _scalar(engine, "SELECT 1")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql+psycopg://u@h.x.eu-west-1.rds.amazonaws.com/d?plugin=rds_iam", "must say sslmode=verify-full"),
        ("postgresql+psycopg://u@h.x.eu-west-1.rds.amazonaws.com/d?plugin=rds_iam&sslmode=require", "verify-full"),
        ("postgresql+psycopg://u:p@h.x.eu-west-1.rds.amazonaws.com/d?plugin=rds_iam&sslmode=verify-full", "remove"),
        ("postgresql+psycopg://h.x.eu-west-1.rds.amazonaws.com/d?plugin=rds_iam&sslmode=verify-full", "needs a user"),
        ("postgresql+psycopg://u@db.internal/d?plugin=rds_iam&sslmode=verify-full", "add aws_region=REGION"),
    ],
)
def test_uri_that_is_not_safe_or_not_complete_is_refused_before_anything_is_sent(uri: str, expected: str) -> None:
    with pytest.raises(PlatformError, match=expected):
        sqlalchemy.create_engine(uri)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("platform.abc123.eu-central-1.rds.amazonaws.com", "eu-central-1"),
        ("platform.abc123.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("platform.abc123.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_region_is_read_from_the_endpoint(host: str, region: str) -> None:
    assert _region(make_url(f"postgresql+psycopg://u@{host}/d")) == region
