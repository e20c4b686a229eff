"""Who may do what in the account: roles and keys."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.foundation import HUB, POINT
from policies.documents import principals, statements, texts
from policies.model import Resource
from policies.rule import ResourcePolicy, inputs, shown

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


POLICIES = (
    least_privilege,
    trust,
    no_admin,
    keys_rotate,
    key_owners,
)
