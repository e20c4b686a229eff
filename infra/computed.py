"""What AWS and Kubernetes would compute for the resources of a recording: ids, ARNs and addresses of the right form.

Only what the program or a test of it reads stands here. All of it is made up; a preview knows none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

ACCOUNT, REGION = "111122223333", "us-east-1"
Inputs = Mapping[str, Any]


def _hex(name: str, length: int = 17) -> str:
    return sha256(name.encode()).hexdigest()[:length]


def _id(prefix: str, service: str = "ec2", resource: str = "") -> Callable[[str, Inputs], Inputs]:
    """An id such as vpc-0f…, and the ARN of the resource of that id."""

    def compute(name: str, _: Inputs) -> Inputs:
        id_ = f"{prefix}-{_hex(prefix + name)}"
        return {"id": id_, "arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource or prefix}/{id_}"}

    return compute


def _named(arn: str, **more: str) -> Callable[[str, Inputs], Inputs]:
    """The name given or made by Pulumi, and what is derived from it; `{}` in the templates stands for the name."""

    def compute(name: str, inputs: Inputs) -> Inputs:
        called = str(inputs.get("name") or inputs.get("identifier") or f"{name}-{_hex(name, 7)}")
        given = {"id": called, "name": called, "arn": arn.format(called)}
        return given | {key: template.format(called) for key, template in more.items()}

    return compute


def _bucket(name: str, _: Inputs) -> Inputs:
    called = f"{name}-{_hex(name, 7)}"
    return {"id": called, "bucket": called, "arn": f"arn:aws:s3:::{called}"}


def _key(name: str, inputs: Inputs) -> Inputs:
    id_ = f"{_hex(name, 8)}-0000-4000-8000-{_hex(name, 12)}"
    return {"id": id_, "keyId": id_, "arn": f"arn:aws:kms:{inputs.get('region', REGION)}:{ACCOUNT}:key/{id_}"}


def _instance(_: str, inputs: Inputs) -> Inputs:
    called = inputs["identifier"]
    return {
        "id": called,
        "arn": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{called}",
        "address": f"{called}.abcdefghijkl.{REGION}.rds.amazonaws.com",
        "resourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "masterUserSecrets": [{"secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-{_hex(called)}"}],
    }


def _cluster(_: str, inputs: Inputs) -> Inputs:
    called = inputs["name"]
    id_ = _hex(called, 32).upper()
    return {
        "id": called,
        "arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{called}",
        "endpoint": f"https://{id_}.gr7.{REGION}.eks.amazonaws.com",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/{id_}"}]}],
        "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": f"sg-{_hex('cluster')}"},
    }


def _certificate(name: str, inputs: Inputs) -> Inputs:
    proof = {
        "domainName": inputs["domainName"],
        "resourceRecordName": f"_{_hex(name)}.{inputs['domainName']}.",
        "resourceRecordType": "CNAME",
        "resourceRecordValue": f"_{_hex(name)}.acm-validations.aws.",
    }
    arn = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{_hex(name)}"
    return {"id": arn, "arn": arn, "domainValidationOptions": [proof]}


def _user_pool(name: str, _: Inputs) -> Inputs:
    id_ = f"{REGION}_{_hex(name, 9)}"
    return {"id": id_, "endpoint": f"cognito-idp.{REGION}.amazonaws.com/{id_}"}


def _ingress(_: str, __: Inputs) -> Inputs:
    host = f"k8s-mlflow-0123456789-1234567890.{REGION}.elb.amazonaws.com"
    return {"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}}


def autonamed(name: str, inputs: Inputs) -> Inputs:
    """A Kubernetes object that Pulumi names."""
    return {"metadata": {"name": f"{name}-{_hex(name, 8)}", **inputs.get("metadata", {})}}


COMPUTED: Mapping[str, Callable[[str, Inputs], Inputs]] = {
    "aws:acm/certificate:Certificate": _certificate,
    "aws:backup/vault:Vault": _named(f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:{{}}"),
    "aws:cloudwatch/logGroup:LogGroup": _named(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}"),
    "aws:cognito/userPool:UserPool": _user_pool,
    "aws:cognito/userPoolClient:UserPoolClient": lambda name, _: {"id": _hex(name, 26), "clientSecret": "made-up"},
    "aws:ec2/eip:Eip": lambda name, _: {"id": f"eipalloc-{_hex(name)}", "publicIp": "198.51.100.7"},
    "aws:ec2/internetGateway:InternetGateway": _id("igw", resource="internet-gateway"),
    "aws:ec2/natGateway:NatGateway": _id("nat", resource="natgateway"),
    "aws:ec2/routeTable:RouteTable": _id("rtb", resource="route-table"),
    "aws:ec2/securityGroup:SecurityGroup": _id("sg", resource="security-group"),
    "aws:ec2/subnet:Subnet": _id("subnet"),
    "aws:ec2/vpc:Vpc": _id("vpc"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _id("vpce", resource="vpc-endpoint"),
    "aws:ecr/repository:Repository": _named(
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{{}}",
        repositoryUrl=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{{}}",
    ),
    "aws:eks/cluster:Cluster": _cluster,
    "aws:iam/role:Role": _named(f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
    "aws:kms/key:Key": _key,
    "aws:rds/instance:Instance": _instance,
    "aws:rds/parameterGroup:ParameterGroup": _named(f"arn:aws:rds:{REGION}:{ACCOUNT}:pg:{{}}"),
    "aws:rds/subnetGroup:SubnetGroup": _named(f"arn:aws:rds:{REGION}:{ACCOUNT}:subgrp:{{}}"),
    "aws:route53/record:Record": lambda _, inputs: {"fqdn": inputs["name"]},
    "aws:s3/bucket:Bucket": _bucket,
    "aws:sns/topic:Topic": _named(f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}"),
    "aws:wafv2/webAcl:WebAcl": _named(f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/{{}}/0a1b"),
    "kubernetes:core/v1:ConfigMap": autonamed,
    "kubernetes:core/v1:Secret": autonamed,
    "kubernetes:networking.k8s.io/v1:Ingress": _ingress,
    "pulumi-python:dynamic/local:Secret": lambda name, _: {"value": f"made-up-{name}"},
    "random:index/randomBytes:RandomBytes": lambda name, _: {"base64": "bWFkZSB1cCBieSB0aGUgcmVjb3JkaW5nIG9ubHkhIQ=="},
}

CALLS: Mapping[str, Callable[[Inputs], Inputs]] = {
    "aws:lb/getHostedZoneId:getHostedZoneId": lambda _: {"id": "Z35SXDOTRQ7X7K"},
    "aws:lb/getLoadBalancer:getLoadBalancer": lambda args: {
        "id": args["name"],
        "arnSuffix": f"app/{args['name']}/0123456789abcdef",
    },
    "aws:secretsmanager/getSecretVersion:getSecretVersion": lambda _: {"id": "made-up", "secretString": "made-up"},
}
