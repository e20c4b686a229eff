"""The steps of `mlops diagnose --bucket`: the artifact bucket itself, with the AWS identity of this machine or pod."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from mlops.errors import PlatformError
from mlops.operations.diagnose import Step, Trouble

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 5 * 1024 * 1024
"""The smallest part of a multipart upload but the last (S3 API reference, UploadPart)."""

CAUSES = {
    "403": "this identity may not do that, or the bucket's policy refuses this network",
    "AccessDenied": "this identity may not do that, or the bucket's policy refuses this network",
    "404": "there is no bucket of that name here",
    "NoSuchBucket": "there is no bucket of that name here",
    "InvalidAccessKeyId": "the access key is not one of this object store",
    "SignatureDoesNotMatch": "the secret key is wrong, or the clock is off",
    "RequestTimeTooSkewed": "this machine's clock is off",
}


class Bucket:
    """One bucket, tried under a prefix of its own that is removed at the end."""

    def __init__(self, uri: str, timeout: float) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc:
            raise PlatformError(f"--bucket {uri}: expected s3://BUCKET or s3://BUCKET/PREFIX")
        self.name, self.timeout = parts.netloc, timeout
        self.key = "/".join(filter(None, (parts.path.strip("/"), ".mlops-diagnose", secrets.token_hex(8))))
        self.content = secrets.token_bytes(2048)
        self._client: S3Client | None = None

    @property
    def s3(self) -> S3Client:
        """The client, made on first use; `MLFLOW_S3_ENDPOINT_URL` names another object store than AWS."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(
                signature_version="s3v4",
                connect_timeout=self.timeout,
                read_timeout=self.timeout,
                retries={"max_attempts": 1},
            )
            endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL")
            self._client = boto3.Session().client("s3", endpoint_url=endpoint, config=config)
        return self._client

    def head(self) -> str:
        """The bucket exists."""
        self._do("s3:ListBucket", lambda: self.s3.head_bucket(Bucket=self.name))
        return f"{self.name} is there"

    def put(self) -> str:
        """An object is written."""
        self._do("s3:PutObject", lambda: self.s3.put_object(Bucket=self.name, Key=self.key, Body=self.content))
        return f"{len(self.content)} bytes written"

    def list(self) -> str:
        """The object is listed."""
        found = self._do("s3:ListBucket", lambda: self.s3.list_objects_v2(Bucket=self.name, Prefix=self.key))
        self._same(found.get("KeyCount", 0), 1, "the object just written is not listed")
        return "the object is listed"

    def get(self) -> str:
        """The object is read."""
        got = self._do("s3:GetObject", lambda: self.s3.get_object(Bucket=self.name, Key=self.key)["Body"].read())
        self._same(got, self.content, "not the bytes that were written")
        return "the bytes are the same"

    def presigned(self) -> str:
        """The object is read by a signed URL, as clients do for direct artifact access."""
        where = {"Bucket": self.name, "Key": self.key}
        url = self._do("s3:GetObject", lambda: self.s3.generate_presigned_url("get_object", Params=where, ExpiresIn=60))
        try:
            answer = httpx.get(url, timeout=self.timeout, trust_env=False)
        except httpx.HTTPError as error:
            raise Trouble(
                f"presigned URL: {error}", "the endpoint is not reachable from here", "check the network"
            ) from None
        self._same(answer.status_code, 200, f"presigned URL: HTTP {answer.status_code}")
        return "a signed URL works"

    def multipart(self) -> str:
        """A large object goes up in parts."""
        where: Any = {"Bucket": self.name, "Key": f"{self.key}-large"}
        upload = self._do("s3:PutObject", lambda: self.s3.create_multipart_upload(**where))["UploadId"]
        sizes = {1: PART, 2: 1}
        tags = [
            {
                "PartNumber": number,
                "ETag": self._do(
                    "s3:PutObject",
                    lambda number=number, size=size: self.s3.upload_part(
                        **where, UploadId=upload, PartNumber=number, Body=b"x" * size
                    ),
                )["ETag"],
            }
            for number, size in sizes.items()
        ]
        done: Any = {**where, "UploadId": upload, "MultipartUpload": {"Parts": tags}}
        self._do("s3:PutObject", lambda: self.s3.complete_multipart_upload(**done))
        size = self._do("s3:GetObject", lambda: self.s3.head_object(**where))["ContentLength"]
        self._same(size, PART + 1, "the parts do not make up the object")
        return f"{len(sizes)} parts, {size} bytes"

    def delete(self) -> str:
        """What was written is removed."""
        for key in (self.key, f"{self.key}-large"):
            self._do("s3:DeleteObject", lambda key=key: self.s3.delete_object(Bucket=self.name, Key=key))
        return "removed"

    def _do(self, permission: str, call: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            cause = CAUSES.get(code, "the object store refuses the request")
            raise Trouble(
                f"{permission} on {self.name}: {code}",
                cause,
                f"allow {permission}, or correct the bucket and the identity",
            ) from None
        except BotoCoreError as error:
            raise Trouble(
                f"{permission} on {self.name}: {error}",
                "no AWS identity here, or the endpoint is not reachable",
                "set AWS_PROFILE (or MLFLOW_S3_ENDPOINT_URL for another object store) and try again",
            ) from None

    def _same(self, seen: object, expected: object, trouble: str) -> None:
        if seen != expected:
            raise Trouble(
                trouble, "the object store, or something before it, is not S3-compatible here", "check its log"
            )


def bucket_steps(uri: str, timeout: float) -> list[Step]:
    """Head, put, list, get, presigned get, multipart, delete.

    Raises:
        PlatformError: `uri` is no S3 URI.
    """
    bucket = Bucket(uri, timeout)
    return [
        Step("head", bucket.head),
        Step("put", bucket.put, ("head",)),
        Step("list", bucket.list, ("put",)),
        Step("get", bucket.get, ("put",)),
        Step("presigned", bucket.presigned, ("put",)),
        Step("multipart", bucket.multipart, ("put",)),
        Step("delete", bucket.delete, ("put",)),
    ]
