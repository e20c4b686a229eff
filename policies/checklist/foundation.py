"""What AWS, EKS and CIS ask of the account that the twelve points stand on: identities, network, keys, money."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from policies import tokens
from policies.cost import monthly
from policies.documents import principals, statements, texts
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import FILLED, FOUNDATION, Found, ResourcePolicy, StackPolicy, inputs, shown

POINT = FOUNDATION
HUB = "https://docs.aws.amazon.com/securityhub/latest/userguide"
EKS = "https://docs.aws.amazon.com/eks/latest/best-practices"
NO_CONTEXT = frozenset({"ec2.amazonaws.com", "s3.amazonaws.com", "backup.amazonaws.com"})
"""Services that send no aws:SourceAccount when they assume a role: a condition on it would lock them out."""
ADMIN = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "AmazonS3FullAccess", "AmazonRDSFullAccess")


def _least_privilege(resource: Resource) -> Iterable[str]:
    for each in statements(resource.get("policy")) or ():
        if each.get("Effect") != "Allow":
            continue
        sid = shown(each.get("Sid", "?"))
        for action in texts(each.get("Action")):
            if action == "*" or action.endswith(":*"):
                yield f"statement {sid} allows {action}; name the actions"
        if "NotAction" in each or "NotResource" in each:
            yield f"statement {sid} allows everything but something; name what it allows"
        if "*" in texts(each.get("Resource")) and not each.get("Condition"):
            yield f"statement {sid} allows it on every resource; name the resources"


least_privilege = ResourcePolicy(
    "roles-least-privilege",
    POINT,
    "critical",
    "A role may do more than it needs. Name its actions and resources.",
    f"{HUB}/iam-controls.html#iam-21",
    (tokens.IAM_ROLE_POLICY,),
    _least_privilege,
    deferred="the policy has ARNs in it",
)


def _trust(resource: Resource) -> Iterable[str]:
    for each in statements(resource.get("assumeRolePolicy")) or ():
        if "*" in principals(each):
            yield "everybody may assume it; name a service or a role"
        services = [name for name in principals(each) if name.endswith(".amazonaws.com") and name not in NO_CONTEXT]
        if services and not each.get("Condition"):
            yield f"{', '.join(services)} may assume it for any account; add a condition on aws:SourceAccount"


trust = ResourcePolicy(
    "roles-trust-bounded",
    POINT,
    "high",
    "A role can be assumed by others than it is for. Name the principal and the account (aws:SourceAccount).",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html",
    (tokens.IAM_ROLE,),
    _trust,
)
no_admin = ResourcePolicy(
    "roles-without-admin",
    POINT,
    "critical",
    "A role has a policy that allows nearly everything. Attach one that names what it needs.",
    f"{HUB}/iam-controls.html#iam-1",
    (tokens.IAM_ROLE_ATTACHMENT,),
    lambda attachment: [f"attaches {name}" for name in ADMIN if str(attachment.get("policyArn")).endswith(f"/{name}")],
)
keys_rotate = ResourcePolicy(
    "keys-rotate",
    POINT,
    "medium",
    "A KMS key is never rotated. Set enable_key_rotation=True.",
    f"{HUB}/kms-controls.html#kms-4",
    (tokens.KMS_KEY,),
    inputs({"enableKeyRotation": True}),
)


def _key_owners(resource: Resource) -> Iterable[str]:
    for each in statements(resource.get("policy")) or ():
        if each.get("Effect") == "Allow" and "*" in principals(each) and not each.get("Condition"):
            yield f"statement {shown(each.get('Sid', '?'))} lets everybody use the key"


key_owners = ResourcePolicy(
    "keys-not-public",
    POINT,
    "critical",
    "A KMS key can be used by everybody. Name principals, or restrict them by a condition.",
    f"{HUB}/kms-controls.html#kms-5",
    (tokens.KMS_KEY,),
    _key_owners,
)


def _few_open_ports(resource: Resource) -> Iterable[str]:
    source = resource.get("cidrIpv4") or resource.get("cidrIpv6")
    ports = (resource.get("fromPort"), resource.get("toPort"))
    if source in ("0.0.0.0/0", "::/0") and (ports not in ((80, 80), (443, 443)) or resource.get("ipProtocol") != "tcp"):
        yield f"ports {shown(ports[0])}-{shown(ports[1])} are open to {source}; only 80 and 443 may be"


few_open_ports = ResourcePolicy(
    "few-ports-open",
    POINT,
    "critical",
    "A port is open to the whole internet. Name the sources (aws.edge.inbound_cidrs) or another security group.",
    f"{HUB}/ec2-controls.html#ec2-18",
    (tokens.SECURITY_GROUP_INGRESS,),
    _few_open_ports,
)
default_group_closed = ResourcePolicy(
    "default-security-group-closed",
    POINT,
    "high",
    "The VPC's default security group admits something. Give it no ingress and no egress.",
    f"{HUB}/ec2-controls.html#ec2-2",
    (tokens.DEFAULT_SECURITY_GROUP,),
    lambda group: [f"has {kind} rules" for kind in ("ingress", "egress") if group.every(kind)],
)


def _default_group_taken(stack: Stack) -> Iterable[Found]:
    for network in stack.of(tokens.VPC):
        if not any(stack.about(network, tokens.DEFAULT_SECURITY_GROUP, "vpcId")):
            yield network, "its default security group keeps AWS's rules; add a DefaultSecurityGroup"


default_group_taken = StackPolicy(
    "default-security-group-taken",
    POINT,
    "high",
    "The VPC's default security group admits everything within it. Add a DefaultSecurityGroup without rules.",
    f"{HUB}/ec2-controls.html#ec2-2",
    _default_group_taken,
)
no_public_addresses = ResourcePolicy(
    "subnets-without-public-addresses",
    POINT,
    "high",
    "Everything started in a subnet gets a public address. Set map_public_ip_on_launch=False.",
    f"{HUB}/ec2-controls.html#ec2-15",
    (tokens.SUBNET,),
    lambda subnet: ["mapPublicIpOnLaunch is true"] if subnet.get("mapPublicIpOnLaunch") is True else [],
)


def _cluster_endpoint(resource: Resource) -> Iterable[str]:
    if resource.get("vpcConfig.endpointPrivateAccess") is not True:
        yield "vpcConfig.endpointPrivateAccess is not true"
    public = resource.get("vpcConfig.endpointPublicAccess")
    cidrs = resource.every("vpcConfig.publicAccessCidrs")
    if public is not False and (not cidrs or "0.0.0.0/0" in cidrs):
        yield (
            f"the API is open to {', '.join(map(str, cidrs)) or 'the whole internet'}; "
            "set aws.cluster.public_access_cidrs"
        )


cluster_endpoint = ResourcePolicy(
    "cluster-endpoint-private",
    POINT,
    "critical",
    "The Kubernetes API is open to the internet. Keep it private or name the networks.",
    f"{HUB}/eks-controls.html#eks-1",
    (tokens.EKS_CLUSTER,),
    _cluster_endpoint,
)
cluster_secrets = ResourcePolicy(
    "cluster-secrets-encrypted",
    POINT,
    "high",
    "Kubernetes Secrets are not encrypted with a key of the stack. Set encryption_config for `secrets`.",
    f"{HUB}/eks-controls.html#eks-3",
    (tokens.EKS_CLUSTER,),
    inputs({"encryptionConfig.resources.0": "secrets", "encryptionConfig.provider.keyArn": FILLED}),
)
cluster_access = ResourcePolicy(
    "cluster-access-entries",
    POINT,
    "medium",
    "Who may administer the cluster is kept in a ConfigMap, or is whoever made it. Use access entries only.",
    f"{EKS}/identity-and-access-management.html",
    (tokens.EKS_CLUSTER,),
    inputs({"accessConfig.authenticationMode": "API", "accessConfig.bootstrapClusterCreatorAdminPermissions": False}),
)


cluster_protected = ResourcePolicy(
    "cluster-deletion-protected",
    POINT,
    "high",
    "The cluster can be deleted by one mistaken command. Set deletion_protection=True.",
    "https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html",
    (tokens.EKS_CLUSTER,),
    inputs({"deletionProtection": True}),
)


def _attributed(resource: Resource) -> Iterable[str]:
    tags = _tags(resource)
    if tags is not None:
        for name in ("project", "stack"):
            if not tags.get(name):
                yield f"default_tags have no {name!r}"
    if resource.get("allowedAccountIds") in (None, "", "[]"):
        yield "allowed_account_ids is not set, so the stack may be deployed into any account"


attributed = ResourcePolicy(
    "resources-attributed",
    POINT,
    "medium",
    "Nobody can tell whose resources these are, or they land in another account. "
    "Set default_tags and allowed_account_ids.",
    "https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
    (tokens.AWS_PROVIDER,),
    _attributed,
)


def _expires(stack: Stack) -> Iterable[Found]:
    if not stack.parameters.get("ephemeral"):
        return
    for provider in stack.of(tokens.AWS_PROVIDER):
        expires = (_tags(provider) or {}).get("expires")
        try:
            datetime.fromisoformat(str(expires))
        except ValueError:
            yield provider, f"default_tags.expires is {shown(expires)}; expected the time of removal (aws.expires)"


expires = StackPolicy(
    "ephemeral-stack-expires",
    POINT,
    "high",
    "An ephemeral stack does not say when it may be removed. Set aws.expires.",
    "https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
    _expires,
)


def _budget(stack: Stack) -> Iterable[Found]:
    budgets = stack.of(tokens.BUDGET)
    providers = stack.of(tokens.AWS_PROVIDER)
    if providers and stack.of(tokens.EKS_CLUSTER, tokens.RDS_INSTANCE) and not budgets:
        yield providers[0], "the stack has no Budget; set aws.alarms.monthly_budget_usd"
    for budget in budgets:
        told = [each for each in budget.every("notifications") if each.get("subscriberEmailAddresses")]
        if not told:
            yield budget, "notifies nobody"


budget = StackPolicy(
    "budget-present",
    POINT,
    "high",
    "Nobody is told when the stack costs too much. Add a budget with subscribers.",
    "https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html",
    _budget,
)


def _affordable(stack: Stack) -> Iterable[Found]:
    for each in stack.of(tokens.BUDGET):
        limit, price = float(str(each.get("limitAmount") or 0)), monthly(stack)
        if price is not None and price > limit:
            yield each, f"the stack costs at least {price:.0f} USD a month; its budget is {limit:.0f}"


affordable = StackPolicy(
    "cost-under-budget",
    POINT,
    "medium",
    "The stack costs more than its budget before anybody uses it. "
    "Make it smaller, or raise aws.alarms.monthly_budget_usd.",
    "https://docs.aws.amazon.com/wellarchitected/latest/cost-optimization-pillar/welcome.html",
    _affordable,
)
topic_encrypted = ResourcePolicy(
    "topic-encrypted",
    POINT,
    "medium",
    "Alarms are stored unencrypted. Set kms_master_key_id.",
    f"{HUB}/sns-controls.html#sns-1",
    (tokens.TOPIC,),
    inputs({"kmsMasterKeyId": FILLED}),
)
logs_encrypted = ResourcePolicy(
    "logs-encrypted",
    POINT,
    "low",
    "Logs are not encrypted with a key of the stack. Set kms_key_id.",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
    (tokens.LOG_GROUP,),
    inputs({"kmsKeyId": FILLED}),
)


def _tags(provider: Resource) -> dict[str, Any] | None:
    """The provider's default tags, which arrive as JSON text; None when they are not known yet."""
    value = provider.get("defaultTags")
    if value is UNKNOWN:
        return None
    document = json.loads(value) if isinstance(value, str) else value or {}
    return dict(document.get("tags") or {})


POLICIES = (
    least_privilege,
    trust,
    no_admin,
    keys_rotate,
    key_owners,
    few_open_ports,
    default_group_closed,
    default_group_taken,
    no_public_addresses,
    cluster_endpoint,
    cluster_secrets,
    cluster_access,
    cluster_protected,
    attributed,
    expires,
    budget,
    affordable,
    topic_encrypted,
    logs_encrypted,
)
