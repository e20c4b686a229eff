"""The bootstrap of databases and IAM roles, against a real PostgreSQL with a stand-in for RDS's role `rds_iam`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import psycopg
import pytest
from moto import mock_aws

from mlops.errors import PlatformError
from mlops.operations import database_bootstrap
from tests.support import postgres

MASTER = "platform_master"
PASSWORD = "master-password"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    server = postgres.Server()
    server.start()
    yield server
    server.close()


@pytest.fixture
def instance(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[postgres.Server]:
    """An instance as RDS hands it over: a master user who is no superuser, and whose password is a managed secret."""
    with server.superuser() as connection:
        connection.execute("CREATE ROLE rds_iam NOLOGIN")
        connection.execute(f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'".encode())
        connection.execute(f"GRANT rds_iam TO {MASTER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for variable, name in zip(database_bootstrap.URIS, ("mlflow", "mlflow_auth"), strict=True):
        monkeypatch.setenv(variable, f"postgresql+psycopg://{name}@127.0.0.1:{server.port}/{name}?plugin=rds_iam")
    with mock_aws():
        secrets = boto3.client("secretsmanager", region_name="eu-central-1")
        document = json.dumps({"username": MASTER, "password": PASSWORD})
        monkeypatch.setenv(database_bootstrap.SECRET, secrets.create_secret(Name="m", SecretString=document)["ARN"])
        yield server
    with server.superuser() as connection:
        for name in ("mlflow", "mlflow_auth"):
            connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
            connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
        connection.execute(f"DROP ROLE {MASTER}".encode())
        connection.execute("DROP ROLE rds_iam")


def _facts(server: postgres.Server) -> list[tuple[object, ...]]:
    with server.superuser() as connection:
        return connection.execute(
            """
            SELECT datname, rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb,
                   has_database_privilege('public', pg_database.oid, 'CONNECT'),
                   EXISTS (SELECT FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole AND member = pg_roles.oid)
            FROM pg_database JOIN pg_roles ON datdba = pg_roles.oid
            WHERE datname LIKE 'mlflow%' ORDER BY datname
            """
        ).fetchall()


EXPECTED = [
    ("mlflow", "mlflow", True, False, False, False, False, True),
    ("mlflow_auth", "mlflow_auth", True, False, False, False, False, True),
]


def test_each_database_belongs_to_a_plain_iam_role_and_is_closed_to_others(instance: postgres.Server) -> None:
    database_bootstrap.bootstrap()
    assert _facts(instance) == EXPECTED


def test_repeating_changes_nothing(instance: postgres.Server) -> None:
    database_bootstrap.bootstrap()
    database_bootstrap.bootstrap()
    assert _facts(instance) == EXPECTED


def test_run_that_was_cut_off_after_the_database_was_made_is_finished_by_the_next(instance: postgres.Server) -> None:
    with instance.superuser() as connection:
        connection.execute("CREATE ROLE mlflow LOGIN")
        connection.execute(f"GRANT mlflow TO {MASTER} WITH ADMIN TRUE".encode())
        connection.execute("CREATE DATABASE mlflow OWNER mlflow")
    database_bootstrap.bootstrap()
    assert _facts(instance) == EXPECTED


def test_master_user_holds_no_right_of_the_roles_afterwards(instance: postgres.Server) -> None:
    database_bootstrap.bootstrap()
    with instance.superuser() as connection:
        usable = connection.execute(
            "SELECT pg_has_role(%s, 'mlflow', 'SET') OR pg_has_role(%s, 'mlflow', 'USAGE')", [MASTER, MASTER]
        ).fetchone()
    assert usable == (False,)


def test_one_role_cannot_connect_to_the_database_of_the_other(instance: postgres.Server) -> None:
    database_bootstrap.bootstrap()
    with instance.superuser() as connection:
        connection.execute("ALTER ROLE mlflow PASSWORD 'token'")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(host="127.0.0.1", port=instance.port, user="mlflow", password="token", dbname="mlflow_auth")


def test_wrong_master_password_is_one_line_that_names_the_host_and_shows_no_secret(
    instance: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance.superuser() as connection:
        connection.execute(f"ALTER ROLE {MASTER} PASSWORD 'rotated'".encode())
    with pytest.raises(PlatformError, match=r"127\.0\.0\.1: cannot make 'mlflow'") as refused:
        database_bootstrap.bootstrap()
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_unknown_secret_is_named(instance: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gone"
    monkeypatch.setenv(database_bootstrap.SECRET, missing)
    with pytest.raises(PlatformError, match=f"cannot read {missing}"):
        database_bootstrap.bootstrap()


def test_missing_variable_is_named(instance: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(database_bootstrap.SECRET)
    with pytest.raises(PlatformError, match=f"{database_bootstrap.SECRET} is not set; expected a secret ARN"):
        database_bootstrap.bootstrap()
