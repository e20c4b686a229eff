"""Recorded arguments against the models that AWS publishes of its own APIs (those that botocore carries)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator

from infra.recording import Recording

OPERATIONS = {
    "aws:rds/instance:Instance": ("rds", "CreateDBInstance"),
    "aws:eks/cluster:Cluster": ("eks", "CreateCluster"),
    "aws:eks/accessEntry:AccessEntry": ("eks", "CreateAccessEntry"),
    "aws:eks/addon:Addon": ("eks", "CreateAddon"),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": ("eks", "CreatePodIdentityAssociation"),
    "aws:kms/key:Key": ("kms", "CreateKey"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "PutMetricAlarm"),
    "aws:cognito/userPool:UserPool": ("cognito-idp", "CreateUserPool"),
    "aws:cognito/userPoolClient:UserPoolClient": ("cognito-idp", "CreateUserPoolClient"),
    "aws:ecr/repository:Repository": ("ecr", "CreateRepository"),
    "aws:acm/certificate:Certificate": ("acm", "RequestCertificate"),
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": ("backup", "PutBackupVaultLockConfiguration"),
    "aws:backup/vaultNotifications:VaultNotifications": ("backup", "PutBackupVaultNotifications"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("ec2", "CreateVpcEndpoint"),
    "aws:ec2/flowLog:FlowLog": ("ec2", "CreateFlowLogs"),
    "aws:sns/topicSubscription:TopicSubscription": ("sns", "Subscribe"),
}


@cache
def members(service: str, operation: str) -> dict[str, Shape]:
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    shape = model.input_shape
    assert shape is not None
    return {canonical(name): member for name, member in shape.members.items()}


def canonical(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def shared(recording: Recording, type_: str) -> list[tuple[str, str, Any, Shape]]:
    """The scalar inputs of `type_` that the API calls by the same name: resource, input, value and the API's shape."""
    accepted = members(*OPERATIONS[type_])
    return [
        (resource.name, key, value, accepted[canonical(key)])
        for resource in recording.of(type_)
        for key, value in resource.inputs.items()
        if canonical(key) in accepted and isinstance(value, (str, int, bool, list))
    ]


def problems(recording: Recording, type_: str) -> list[str]:
    """What the API would not take of the inputs that it shares with the resources of `type_`."""
    found = []
    for resource, key, value, shape in shared(recording, type_):
        values, one = (value, getattr(shape, "member", shape)) if isinstance(value, list) else ([value], shape)
        for item in values:
            allowed = getattr(one, "enum", [])
            if allowed and item not in allowed:
                found.append(f"{resource}.{key} = {item!r}: the API takes {allowed}")
            pattern = one.metadata.get("pattern", "")
            if isinstance(item, str) and pattern and r"\p" not in pattern and not re.fullmatch(pattern, item):
                found.append(f"{resource}.{key} = {item!r}: the API takes {pattern}")  # \p is not Python's
        if not isinstance(value, list) or one.type_name in ("string", "integer", "boolean"):
            report = ParamValidator().validate(value, shape)
            found += [f"{resource}.{key}: {report.generate_report()}"] if report.has_errors() else []
    return found


@pytest.mark.parametrize("type_", OPERATIONS)
def test_the_api_knows_the_arguments_and_takes_their_values(aws_stack: Recording, type_: str) -> None:
    assert shared(aws_stack, type_) or type_.startswith(("aws:backup/", "aws:cognito/"))
    assert problems(aws_stack, type_) == []


@pytest.mark.parametrize(
    ("type_", "wrong"),
    [
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"statistic": "Median"}),
        ("aws:eks/cluster:Cluster", {"name": "not a name"}),
        ("aws:rds/instance:Instance", {"allocatedStorage": "twenty"}),
    ],
)
def test_the_api_refuses_what_is_wrong(prod: Recording, type_: str, wrong: dict[str, Any]) -> None:
    broken = [replace(resource, inputs={**resource.inputs, **wrong}) for resource in prod.of(type_)]
    assert problems(replace(prod, resources=tuple(broken)), type_)
