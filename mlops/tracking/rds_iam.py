"""SQLAlchemy plugin `rds_iam`: signs in to Amazon RDS with a fresh IAM token for every new connection.

It takes a URI and nothing else, whoever makes the engine (MLflow, Alembic, a script):
`postgresql+psycopg://USER@ENDPOINT/DB?plugin=rds_iam&sslmode=verify-full&sslrootcert=BUNDLE`. A token is good for 15
minutes and only for signing in: open connections live on, and a pool that opens another one gets another token.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

from __future__ import annotations

import re
from typing import Any

import boto3
import psycopg
from botocore.exceptions import BotoCoreError
from sqlalchemy import URL, Dialect, Engine, event
from sqlalchemy.engine import CreateEnginePlugin

from mlops.errors import PlatformError

REGION_PARAMETER = "aws_region"
_ENDPOINT = re.compile(r"\.([a-z0-9-]+)\.rds\.amazonaws\.com(\.cn)?\.?$")


class RdsIam(CreateEnginePlugin):
    """Adds the token as the password; an endpoint that does not name its region needs `aws_region` in the URL."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        """Makes the signer; nothing is contacted yet.

        Raises:
            PlatformError: the URL would send the token over a connection that is not verified, carries a password, or
                names no user, host or region.
        """
        super().__init__(url, kwargs)
        shown = url.render_as_string(hide_password=True)
        if url.query.get("sslmode") != "verify-full":
            raise PlatformError(f"{shown}: plugin rds_iam sends a token, so the URI must say sslmode=verify-full")
        if url.password is not None:
            raise PlatformError(f"{shown}: plugin rds_iam makes the password itself; remove the one in the URI")
        if not url.username or not url.host:
            raise PlatformError(
                f"{shown}: plugin rds_iam needs a user and a host, postgresql+psycopg://USER@ENDPOINT/DB"
            )
        self._host, self._port, self._user = url.host, url.port or 5432, url.username
        self._signer = boto3.session.Session().client("rds", region_name=_region(url))

    def update_url(self, url: URL) -> URL:
        """Takes out what only this plugin reads."""
        return url.difference_update_query([REGION_PARAMETER])

    def engine_created(self, engine: Engine) -> None:
        """Hooks the token into every connection that `engine` opens."""
        event.listen(engine, "do_connect", self._authenticate)

    def _authenticate(self, _dialect: Dialect, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        try:
            parameters["password"] = self._signer.generate_db_auth_token(
                DBHostname=self._host, Port=self._port, DBUsername=self._user
            )
        except BotoCoreError as error:
            raise psycopg.OperationalError(f"no IAM token for {self._user}@{self._host}: {error}") from error


def _region(url: URL) -> str:
    region = url.query.get(REGION_PARAMETER)
    if isinstance(region, str):
        return region
    match = _ENDPOINT.search(url.host or "")
    if match is None:
        raise PlatformError(
            f"{url.host}: not an RDS endpoint that names its region; add {REGION_PARAMETER}=REGION to the database URI"
        )
    return match[1]
