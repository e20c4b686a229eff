"""ECR repositories for the platform's images: a tag never changes, and each push is scanned.

Not here: which image a workload runs, which the settings pin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.keys import key
from infra.aws.scope import Scope

NAMES = ("tracking", "serving", "jobs", "oauth2-proxy")
KEPT = 30


@dataclass(frozen=True)
class ImagesArgs:
    scope: Scope


class Images(pulumi.ComponentResource):
    """Output: the URL of each repository."""

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Images", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        encryption = key(name, args.scope, "container images", child)
        self.urls: dict[str, pulumi.Output[str]] = {}
        for image in NAMES:
            repository = aws.ecr.Repository(
                f"{name}-{image}",
                name=f"{args.scope.name}/{image}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
                encryption_configurations=[
                    aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=encryption.arn)
                ],
                force_delete=args.scope.ephemeral,
                opts=child,
            )
            aws.ecr.LifecyclePolicy(
                f"{name}-{image}", repository=repository.name, policy=json.dumps({"rules": RULES}), opts=child
            )
            self.urls[image] = repository.repository_url
        self.register_outputs({"urls": self.urls})


RULES = [
    {
        "rulePriority": 1,
        "description": "untagged images after a week",
        "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        "action": {"type": "expire"},
    },
    {
        "rulePriority": 2,
        "description": f"all but the {KEPT} newest",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT},
        "action": {"type": "expire"},
    },
]
