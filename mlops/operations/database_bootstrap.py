"""Makes the databases of the tracking server, and the roles that sign in to them with IAM tokens; safe to repeat.

It signs in as the instance's master user, whose password RDS keeps and rotates in Secrets Manager. What to make is read
from the database URIs themselves, so that both can never differ.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql
from sqlalchemy import URL, make_url

from mlops.errors import PlatformError
from mlops.tracking.rds_iam import REGION_PARAMETER

URIS = ("MLFLOW_BACKEND_STORE_URI", "MLOPS_AUTH_DATABASE_URI")
SECRET = "MLOPS_DATABASE_MASTER_SECRET"  # noqa: S105 - the name of a variable that holds an ARN
IAM_ROLE = "rds_iam"
"""RDS's own role: its members sign in with IAM tokens, and with nothing else."""
_CLOSED_DATABASE = """
    SELECT FROM pg_database WHERE datname = %s AND NOT has_database_privilege('public', oid, 'CONNECT')
"""


def bootstrap() -> None:
    """Reads the environment, signs in and makes what is missing.

    Raises:
        PlatformError: a variable is missing, the master user's secret cannot be read, or the database refuses.
    """
    for name in (*URIS, SECRET):
        if not os.environ.get(name):
            raise PlatformError(f"{name} is not set; expected {'a secret ARN' if name == SECRET else 'a database URI'}")
    master = _master(os.environ[SECRET])
    for uri in URIS:
        url = make_url(os.environ[uri])
        try:
            with psycopg.connect(**_as_master(url, master), autocommit=True) as connection:
                make(connection, role=str(url.username), database=str(url.database))
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise PlatformError(
                f"{url.host}: cannot make {url.database!r} as {master['username']!r}: {reason}"
            ) from error


def make(connection: psycopg.Connection[Any], *, role: str, database: str) -> None:
    """Makes `role` and a `database` that it owns and that nobody else may connect to, unless they are there.

    The master user is a member of `role` only while it makes the database: a member of `rds_iam`, even an indirect one,
    can no longer sign in with a password.
    """
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database), "iam": sql.Identifier(IAM_ROLE)}

    def run(statement: str) -> None:
        connection.execute(sql.SQL(statement).format(**names))

    def found(query: str, name: str) -> bool:
        return connection.execute(query.encode(), [name]).fetchone() is not None

    if not found("SELECT FROM pg_roles WHERE rolname = %s", role):
        run("CREATE ROLE {role} LOGIN")
    if not found(_CLOSED_DATABASE, database):
        run("GRANT {role} TO CURRENT_USER")
        if not found("SELECT FROM pg_database WHERE datname = %s", database):
            run("CREATE DATABASE {database} OWNER {role}")
        run("REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    run("REVOKE {role} FROM CURRENT_USER")
    run("GRANT {iam} TO {role}")


def _master(secret: str) -> dict[str, str]:
    """The `username` and `password` in the secret; its ARN names the region."""
    region = secret.split(":")[3] if secret.startswith("arn:") else None
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=region)
        document: dict[str, str] = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise PlatformError(f"{SECRET}: cannot read {secret}: {error}") from error
    return document


def _as_master(url: URL, master: dict[str, str]) -> dict[str, Any]:
    options = url.difference_update_query(["plugin", REGION_PARAMETER]).query
    return {
        **options,
        "host": url.host,
        "port": url.port or 5432,
        "dbname": "postgres",
        "user": master["username"],
        "password": master["password"],
    }
