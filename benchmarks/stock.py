"""What the platform is compared with: `mlflow server --workers 4` as it comes, on the platform's own PostgreSQL and S3.

It has a database of its own, asks nobody who they are, and checks no permission. Only its telemetry is off, since it
would measure the network.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil
import psycopg
from psycopg import sql
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.local import object_store, postgres
from tests.platform.local_stack import LocalStack, free_ports
from tools.pulumi_home import write_private

DATABASE = "stock"


@dataclass(frozen=True)
class Stock:
    """The running server. `process` is the `mlflow server` command; everything else of it is below."""

    url: str
    process: psutil.Process


@contextmanager
def running(stack: LocalStack, workers: int) -> Iterator[Stock]:
    """The stock server beside `stack`, until the block ends."""
    secrets, directory = stack.state / "data" / "secrets", stack.directory / "stock"
    directory.mkdir(mode=0o700, exist_ok=True)
    password, database_port = (secrets / "postgres").read_text(), stack.ports["database"]
    _make_database(database_port, password)
    write_private(directory / "pgpass", f"127.0.0.1:{database_port}:{DATABASE}:{postgres.SUPERUSER}:{password}\n")
    environment = {
        **stack.environment,
        "PGPASSFILE": str(directory / "pgpass"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{stack.ports['object-store']}",
        "AWS_ACCESS_KEY_ID": object_store.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": (secrets / "s3-mlflow").read_text(),
        "AWS_DEFAULT_REGION": object_store.REGION,
    }
    (port,) = free_ports(1)
    uri = f"postgresql+psycopg://{postgres.SUPERUSER}@127.0.0.1:{database_port}/{DATABASE}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", str(workers), "--port", str(port)]
    command += ["--backend-store-uri", uri, "--artifacts-destination", f"s3://{object_store.BUCKET}/stock"]
    log = directory / "stock.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environment, cwd=directory, stdout=output, stderr=output, start_new_session=True
        ) as server,
    ):
        process = psutil.Process(server.pid)
        try:
            url = f"http://127.0.0.1:{port}"
            answers(f"{url}/health")
            yield Stock(url, process)
        finally:
            _stop(process)


@retry(retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_delay(180), wait=wait_fixed(0.1), reraise=True)
def answers(url: str) -> None:
    """Returns once `url` answers with a good status.

    Raises:
        httpx.HTTPError: it did not within three minutes.
    """
    httpx.get(url, timeout=5, trust_env=False).raise_for_status()


def _stop(process: psutil.Process) -> None:
    tree = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(tree, timeout=20)
    for each in left:
        each.kill()


def _make_database(port: int, password: str) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=port, user=postgres.SUPERUSER, password=password, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
