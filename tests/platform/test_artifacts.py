"""How artifacts reach S3: through the tracking server by default, by presigned URLs where the settings say so."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.platform.local_stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GRACE, VIEWER = "grace@example.com", "viewer@example.com"
BUCKET, PREFIX = "mlflow-artifacts", "artifacts/"
MEBIBYTE = 1024 * 1024
SIZE = 12 * MEBIBYTE
SMALL_MEANS_LARGE = {
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 * MEBIBYTE),
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * MEBIBYTE),
    "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(5 * MEBIBYTE),
}
CLIENT = """
import http.client, json, sys
import mlflow

requests = []
send = http.client.HTTPConnection.putrequest
def recorded(self, method, url, *args, **options):
    requests.append([self.port, method, url.partition("?")[0]])
    return send(self, method, url, *args, **options)
http.client.HTTPConnection.putrequest = recorded

source, target = sys.argv[1:]
mlflow.set_experiment("artifacts")
with mlflow.start_run() as run:
    mlflow.log_artifact(source, "large")
found = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="large/data.bin", dst_path=target)
print(json.dumps({"uri": run.info.artifact_uri, "file": found, "requests": requests}))
"""


@dataclass(frozen=True)
class RoundTrip:
    """One file that a client sent and fetched back."""

    path: str
    """Below the server's artifact routes, and in the bucket below its prefix."""
    sent: bytes
    received: bytes
    requests: list[tuple[int, str, str]]
    """The client's: port, method and path."""
    proxied: int
    """Bytes that the OAuth2 proxy read meanwhile, by the kernel's count."""

    def ports(self, method: str) -> set[int]:
        """The ports that the file's bytes may have gone to or come from."""
        listing = "/mlflow-artifacts/presigned/"
        return {
            port for port, used, url in self.requests if (used, url[-8:]) == (method, "data.bin") and listing not in url
        }


def round_trip(stack: LocalStack, directory: Path, extra: Mapping[str, str] | None = None) -> RoundTrip:
    """Logs and downloads a file as a user whose environment holds nothing but the platform's URL and a token."""
    source = directory / "data.bin"
    source.write_bytes(secrets.token_bytes(SIZE))
    environment = {**stack.client_environment(GRACE), **SMALL_MEANS_LARGE, "HOME": str(directory), **(extra or {})}
    assert not [name for name in environment if name.startswith("AWS_")]
    (proxy,) = [process for process in stack.processes() if process.name() == "oauth2-proxy"]
    before = proxy.io_counters().read_chars
    run = subprocess.run(
        [sys.executable, "-c", CLIENT, str(source), str(directory / "back")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout.splitlines()[-1])
    return RoundTrip(
        path=report["uri"].removeprefix("mlflow-artifacts:/") + "/large/data.bin",
        sent=source.read_bytes(),
        received=Path(report["file"]).read_bytes(),
        requests=[(port, method, url) for port, method, url in report["requests"]],
        proxied=proxy.io_counters().read_chars - before,
    )


def gateway(stack: LocalStack) -> str:
    return f"http://127.0.0.1:{stack.ports['object-store']}"


def s3(stack: LocalStack, access_key: str = "mlflow", secret_key: str | None = None) -> S3Client:
    """A client of the gateway; by default with what the tracking server signs in with."""
    own = (stack.state / "data" / "secrets" / "s3-mlflow").read_text()
    return boto3.client(
        "s3",
        endpoint_url=gateway(stack),
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key or own,
        config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def through_server(platform: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> RoundTrip:
    return round_trip(platform, tmp_path_factory.mktemp("through-server"))


@pytest.fixture(scope="module")
def direct_stack(disposable: LocalStack) -> LocalStack:
    disposable.settings["tracking"] |= {"direct_artifacts": True, "workers": 1}
    disposable.settings["models"] = []
    disposable.write_settings()
    disposable.up()
    return disposable


@pytest.fixture(scope="module")
def direct(direct_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> RoundTrip:
    return round_trip(direct_stack, tmp_path_factory.mktemp("direct"))


def test_by_default_every_byte_goes_through_the_server(platform: LocalStack, through_server: RoundTrip) -> None:
    assert through_server.received == through_server.sent
    assert {port for port, *_ in through_server.requests} == {platform.ports["tracking"]}
    assert through_server.proxied >= 2 * SIZE


def test_the_object_lies_in_the_bucket_under_the_teams_workspace(
    platform: LocalStack, through_server: RoundTrip
) -> None:
    assert through_server.path.startswith("workspaces/iris/")
    found = s3(platform).get_object(Bucket=BUCKET, Key=PREFIX + through_server.path)
    assert found["Body"].read() == through_server.sent


def test_a_client_that_insists_on_presigned_urls_still_goes_through_the_server(
    platform: LocalStack, tmp_path: Path
) -> None:
    insisting = {"MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true"}
    trip = round_trip(platform, tmp_path, insisting)
    assert trip.received == trip.sent
    assert {port for port, *_ in trip.requests} == {platform.ports["tracking"]}


def test_an_overwritten_artifact_keeps_its_former_version(platform: LocalStack, through_server: RoundTrip) -> None:
    key = PREFIX + through_server.path
    with platform.api(platform.token(GRACE)) as client:
        client.put(f"/api/2.0/mlflow-artifacts/artifacts/{through_server.path}", content=b"newer").raise_for_status()
    listed = s3(platform).list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    newest, former = sorted(listed, key=lambda version: not version["IsLatest"])
    assert s3(platform).get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"newer"
    kept = s3(platform).get_object(Bucket=BUCKET, Key=key, VersionId=former["VersionId"])["Body"].read()
    assert kept == through_server.sent
    assert newest["VersionId"] != former["VersionId"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_bucket_refuses_whoever_does_not_sign(platform: LocalStack, through_server: RoundTrip, method: str) -> None:
    for key in ("", "/" + PREFIX + through_server.path):
        answer = httpx.request(method, f"{gateway(platform)}/{BUCKET}{key}", trust_env=False)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("access_key", "secret_key"), [("mlflow", "guessed"), ("root", "guessed"), ("alan", "guessed")]
)
def test_the_bucket_refuses_foreign_keys(platform: LocalStack, access_key: str, secret_key: str) -> None:
    with pytest.raises(ClientError) as refused:
        s3(platform, access_key, secret_key).list_objects_v2(Bucket=BUCKET)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_with_direct_artifacts_no_byte_of_the_file_passes_the_server(
    direct_stack: LocalStack, direct: RoundTrip
) -> None:
    assert direct.received == direct.sent
    assert direct.ports("PUT") == direct.ports("GET") == {direct_stack.ports["object-store"]}
    assert direct.proxied < SIZE / 10


def test_the_store_received_the_parts_that_the_client_cut(direct_stack: LocalStack, direct: RoundTrip) -> None:
    stored = s3(direct_stack).head_object(Bucket=BUCKET, Key=PREFIX + direct.path)
    assert stored["ContentLength"] == SIZE
    assert stored["ETag"].strip('"').endswith("-3")  # 5 + 5 + 2 MiB


def test_a_presigned_url_opens_one_object_only(direct_stack: LocalStack, direct: RoundTrip) -> None:
    url = presigned(direct_stack, VIEWER, direct).raise_for_status().json()["url"]
    assert httpx.get(url, trust_env=False).content == direct.sent
    assert httpx.get(url.replace("data.bin", "other.bin"), trust_env=False).status_code == 403
    assert httpx.delete(url, trust_env=False).status_code == 403
    assert int(httpx.URL(url).params["X-Amz-Expires"]) <= 300


def test_presigned_urls_are_made_only_for_who_may_read(direct_stack: LocalStack, direct: RoundTrip) -> None:
    assert presigned(direct_stack, "alan@example.com", direct).status_code == 403


def test_multipart_uploads_are_started_only_by_who_may_write(direct_stack: LocalStack, direct: RoundTrip) -> None:
    folder = direct.path.rpartition("/")[0]
    for person in (VIEWER, "alan@example.com"):
        with direct_stack.api(direct_stack.token(person)) as client:
            answer = client.post(
                f"/api/2.0/mlflow-artifacts/mpu/create/{folder}", json={"path": "data.bin", "num_parts": 1}
            )
        assert answer.status_code == 403


def presigned(stack: LocalStack, person: str, trip: RoundTrip) -> httpx.Response:
    """The server's answer to `person` who asks for a download URL of the file."""
    with stack.api(stack.token(person)) as client:
        return client.get(f"/api/2.0/mlflow-artifacts/presigned/{trip.path}")
