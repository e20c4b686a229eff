"""Policy documents and service roles, written the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

Statement = Mapping[str, Any]


def document(*statements: Statement) -> pulumi.Output[str]:
    """The JSON text of a policy with `statements`."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(sid: str, actions: Sequence[str], resources: Sequence[pulumi.Input[str]], **more: Any) -> Statement:
    """A statement that allows `actions` on `resources`; `more` are further elements, such as Condition or Principal."""
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources), **more}


def deny(sid: str, actions: Sequence[str], resources: Sequence[pulumi.Input[str]], **more: Any) -> Statement:
    """A statement that denies, as `allow`."""
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": list(resources), **more}


def service_role(
    name: str,
    service: str,
    opts: pulumi.ResourceOptions,
    *,
    statements: Sequence[Statement] = (),
    managed: Sequence[str] = (),
    actions: Sequence[str] = ("sts:AssumeRole",),
    condition: Mapping[str, Any] | None = None,
) -> Role:
    """A role that `service` assumes (under `condition`), with `statements` inline and AWS's `managed` policies.

    A condition on `aws:SourceAccount` belongs only where the service's documentation says that it sends one: EC2, S3
    replication and AWS Backup do not, and rely on a role being passed within its own account only.
    """
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions)}
    if condition:
        trust["Condition"] = condition
    role = aws.iam.Role(name, assume_role_policy=document(trust), opts=opts)
    child = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=role))
    granted: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rpartition('/')[2]}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=child,
        )
        for policy in managed
    ]
    if statements:
        granted.append(aws.iam.RolePolicy(name, role=role.id, policy=document(*statements), opts=child))
    return Role(role, granted)


class Role:
    """A role and the grants that whoever uses it must wait for."""

    def __init__(self, role: aws.iam.Role, granted: Sequence[pulumi.Resource]) -> None:
        self.arn = role.arn
        self.name = role.name
        self.ready = [role, *granted]
