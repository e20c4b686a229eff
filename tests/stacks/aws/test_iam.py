"""Least privilege, checked against AWS's own table of actions and the resources that each can be limited to."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from typing import Any

from policy_sentry.querying.actions import get_action_data

from infra.recording import Recording
from tests.stacks.reading import documents, statements

ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE = "aws:iam/role:Role"
WITHOUT_SOURCE = {"ec2.amazonaws.com", "s3.amazonaws.com", "backup.amazonaws.com"}
"""Services that are not documented to send the account that they act for."""


def described(action: str) -> list[dict[str, Any]]:
    service, _, name = action.partition(":")
    data = get_action_data(service, name)
    return list(data[service]) if data else []


def test_every_action_exists(aws_stack: Recording) -> None:
    for resource, _, document in documents(aws_stack):
        for statement in document["Statement"]:
            for action in statement["Action"]:
                assert "*" in action or described(action), f"{resource.name}: AWS knows no action {action}"


def test_no_role_is_granted_a_wildcard_where_a_resource_can_be_named(aws_stack: Recording) -> None:
    found = list(statements(aws_stack, ROLE_POLICY))
    assert len(found) >= 5
    for resource, statement in found:
        assert "*" not in "".join(statement["Action"]), (
            f"{resource.name} {statement['Sid']}: actions are named one by one"
        )
        if "*" in statement["Resource"]:
            for action in statement["Action"]:
                nameable = [entry["resource_arn_format"] for entry in described(action)]
                assert nameable == ["*"], f"{resource.name} {statement['Sid']}: {action} can be limited to {nameable}"


def test_granted_resources_are_of_a_kind_that_the_action_takes(aws_stack: Recording) -> None:
    for resource, statement in statements(aws_stack, ROLE_POLICY):
        for action in statement["Action"]:
            services = {
                entry["resource_arn_format"].split(":")[2]
                for entry in described(action)
                if ":" in entry["resource_arn_format"]
            }
            granted = {arn.split(":")[2] for arn in statement["Resource"]}
            assert granted <= services, f"{resource.name} {statement['Sid']}: {action} on {granted}, takes {services}"


def test_no_role_can_be_assumed_by_a_confused_deputy(aws_stack: Recording) -> None:
    roles = aws_stack.of(ROLE)
    assert len(roles) >= 6
    for role in roles:
        (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert set(trust["Principal"]) == {"Service"}
        if trust["Principal"]["Service"] not in WITHOUT_SOURCE:
            assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == "111122223333"


def test_no_policy_grants_everything(aws_stack: Recording) -> None:
    attached = {
        a.inputs["policyArn"].rpartition("/")[2]
        for a in aws_stack.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    }
    assert attached
    assert not [
        name for name in attached if fnmatch(name, "*FullAccess") or name in ("AdministratorAccess", "PowerUserAccess")
    ]


def test_pods_hold_roles_of_their_own_and_serving_pods_none(aws_stack: Recording) -> None:
    bound = aws_stack.of("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert {a.inputs["serviceAccount"] for a in bound} == {"tracking", "database-bootstrap"}
    assert len({a.inputs["roleArn"] for a in bound}) == len(bound)
    accounts = {a.inputs["metadata"]["name"] for a in aws_stack.of("kubernetes:core/v1:ServiceAccount")}
    assert {a.inputs["serviceAccount"] for a in bound} <= accounts


def test_the_tracking_server_signs_in_as_two_database_users_and_no_other(aws_stack: Recording) -> None:
    granted = {s["Sid"]: s for r, s in statements(aws_stack, ROLE_POLICY) if r.name == "tracking"}
    users = granted["Connect"]["Resource"]
    assert [user.rpartition("/")[2] for user in users] == ["mlflow", "mlflow_auth"]
    assert all(user.split(":")[6].startswith("db-") for user in users)


def test_only_the_bootstrap_reads_the_master_password(aws_stack: Recording) -> None:
    readers = {r.name for r, s in statements(aws_stack, ROLE_POLICY) if "secretsmanager:GetSecretValue" in s["Action"]}
    assert readers == {"database-bootstrap"}


def test_keys_rotate_and_are_used_on_behalf_of_this_account_only(aws_stack: Recording) -> None:
    keys = aws_stack.of("aws:kms/key:Key")
    assert all(key.inputs["enableKeyRotation"] is True for key in keys)
    for _, statement in statements(aws_stack, "aws:kms/key:Key"):
        principal = statement["Principal"]
        assert principal.get("AWS") == "arn:aws:iam::111122223333:root" or statement["Condition"]


def test_only_this_account_publishes_to_the_alarm_topic(aws_stack: Recording) -> None:
    for _, statement in statements(aws_stack, "aws:sns/topicPolicy:TopicPolicy"):
        assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "111122223333"
