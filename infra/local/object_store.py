"""S3 on this machine: versitygw over a directory, one versioned bucket, an account for the tracking server alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import boto3
import httpx
import pulumi
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local.layout import Layout, private_directory
from infra.local.provider import LocalError, LocalProvider

REGION = "us-east-1"
ROOT_ACCESS_KEY = "root"
BUCKET = "mlflow-artifacts"
ACCESS_KEY = "mlflow"


def server_command(binary: str, address: str, port: int, layout: Layout) -> list[str]:
    """The command of a gateway on `address:port` only; its root credentials come through the environment."""
    folders = {name: layout.data / "objects" / name for name in ("buckets", "versions", "accounts")}
    return [
        binary,
        *("--port", f"{address}:{port}"),
        *("--region", REGION),
        *("--iam-dir", str(folders["accounts"])),
        *("--health", "/health"),
        "--quiet",
        "posix",
        *("--versioning-dir", str(folders["versions"])),
        *("--dir-perms", "0700"),
        *("--file-perms", "0600"),
        str(folders["buckets"]),
    ]


class Directories(DynamicResource, module="local", name="ObjectStoreDirectories"):
    """The directories that hold buckets, old versions and accounts; removing the resource keeps the data."""

    def __init__(self, name: str, layout: Layout, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DirectoriesProvider(), name, {"directory": str(layout.data / "objects")}, opts)


class DirectoriesProvider(LocalProvider):
    """Makes what is missing."""

    replaced_by = ("directory",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._make(props)
        return CreateResult(props["directory"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, props) if (Path(id_) / "buckets").is_dir() else ReadResult("", {})

    @staticmethod
    def _make(props: dict[str, Any]) -> None:
        for name in ("buckets", "versions", "accounts"):
            private_directory(Path(props["directory"]) / name)


@dataclass(frozen=True)
class BucketArgs:
    """`endpoint` is the gateway's URL; the bucket belongs to the account `ACCESS_KEY` with `secret_key`."""

    endpoint: pulumi.Input[str]
    root_secret_key: pulumi.Input[str]
    secret_key: pulumi.Input[str]


class Bucket(DynamicResource, module="local", name="Bucket"):
    """The artifact bucket, with versions, and the one account that may use it; removing the resource keeps the data."""

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties: dict[str, Any] = {
            "endpoint": args.endpoint,
            "bucket": BUCKET,
            "root_secret_key": pulumi.Output.secret(args.root_secret_key),
            "secret_key": pulumi.Output.secret(args.secret_key),
        }
        super().__init__(BucketProvider(), name, properties, opts)


class BucketProvider(LocalProvider):
    """Makes the bucket and the account, and gives the one to the other."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._ensure(props)
        return CreateResult(props["bucket"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        self._ensure(news)
        return UpdateResult(news)

    @staticmethod
    def _ensure(props: dict[str, Any]) -> None:
        endpoint, bucket, root_secret = props["endpoint"], props["bucket"], props["root_secret_key"]
        secret = f"<Secret>{escape(props['secret_key'])}</Secret>"
        account = f"<Account><Access>{ACCESS_KEY}</Access>{secret}<Role>user</Role></Account>"
        created = _admin(endpoint, root_secret, "/create-user", account)
        if created.status_code == httpx.codes.CONFLICT:
            change = f"<MutableProps>{secret}</MutableProps>"
            created = _admin(endpoint, root_secret, f"/update-user?access={ACCESS_KEY}", change)
        _expect(created, f"account {ACCESS_KEY!r}")
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=ROOT_ACCESS_KEY,
            aws_secret_access_key=root_secret,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={}),
        )
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        owner = _admin(endpoint, root_secret, f"/change-bucket-owner?bucket={bucket}&owner={ACCESS_KEY}", "")
        _expect(owner, f"owner of bucket {bucket!r}")


def _admin(endpoint: str, root_secret: str, path: str, body: str) -> httpx.Response:
    """A call of versitygw's administration API, which is signed like an S3 request."""
    request = AWSRequest(method="PATCH", url=f"{endpoint}{path}", data=body.encode())
    S3SigV4Auth(Credentials(ROOT_ACCESS_KEY, root_secret), "s3", REGION).add_auth(request)
    return httpx.request(
        "PATCH", f"{endpoint}{path}", headers=dict(request.headers), content=body.encode(), timeout=30, trust_env=False
    )


def _expect(response: httpx.Response, what: str) -> None:
    if response.is_error:
        raise LocalError(
            f"the object store refused to set up {what}: HTTP {response.status_code} {response.text[:200]}"
        )
