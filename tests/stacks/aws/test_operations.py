"""Backups, alarms, the budget, tags, names and outputs."""

from __future__ import annotations

import json
import re

from infra.recording import Recording

LIMITS = {
    "aws:eks/cluster:Cluster": r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}",
    "aws:rds/instance:Instance": r"[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]",
    "aws:ecr/repository:Repository": r"[a-z0-9][a-z0-9._/-]{1,255}",
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": r"[a-zA-Z0-9_]{1,50}",
    "aws:backup/restoreTestingSelection:RestoreTestingSelection": r"[a-zA-Z0-9_]{1,50}",
    "aws:cloudwatch/logGroup:LogGroup": r"[\w./#-]{1,512}",
    "aws:cognito/userPoolDomain:UserPoolDomain": r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    "aws:s3/bucketMetric:BucketMetric": r"[\w.-]{1,64}",
    "aws:route53/record:Record": r"_?[a-z0-9._-]{1,255}",
}
"""What AWS accepts as the names that the program gives itself (the API reference of each service)."""
AUTONAMED = {
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:s3/bucket:Bucket": 63,
    "aws:rds/subnetGroup:SubnetGroup": 255,
    "aws:rds/parameterGroup:ParameterGroup": 255,
    "aws:backup/vault:Vault": 50,
    "aws:backup/plan:Plan": 50,
    "aws:backup/selection:Selection": 50,
    "aws:wafv2/webAcl:WebAcl": 128,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:ec2/securityGroup:SecurityGroup": 255,
    "aws:budgets/budget:Budget": 100,
    "aws:sns/topic:Topic": 256,
    "aws:cognito/userPool:UserPool": 128,
    "aws:cognito/userPoolClient:UserPoolClient": 128,
}
SUFFIX = 8
"""What Pulumi appends to a name that it makes: a dash and seven hexadecimal digits."""


def test_given_names_are_ones_that_aws_accepts(aws_stack: Recording) -> None:
    for resource in aws_stack.resources:
        if resource.type in LIMITS:
            name = resource.inputs.get("name") or resource.inputs.get("identifier") or resource.inputs.get("domain")
            if name is not None:
                assert re.fullmatch(LIMITS[resource.type], name), f"{resource.type} {name}"


def test_every_type_whose_name_the_program_gives_has_its_limits_checked(aws_stack: Recording) -> None:
    named = {
        r.type for r in aws_stack.resources if r.type.startswith("aws:") and {"name", "identifier"} & set(r.inputs)
    }
    assert named <= set(LIMITS)


def test_names_that_pulumi_makes_have_room_for_its_suffix(aws_stack: Recording) -> None:
    for resource in aws_stack.resources:
        if resource.type in AUTONAMED:
            assert len(resource.name) + SUFFIX <= AUTONAMED[resource.type], resource.urn


def test_everything_is_tagged_with_its_stack(aws_stack: Recording) -> None:
    (provider,) = aws_stack.of("pulumi:providers:aws")
    tags = json.loads(provider.inputs["defaultTags"])["tags"]
    assert tags["project"] == "mlflow-platform"
    assert tags["stack"] == aws_stack.stack
    for resource in aws_stack.resources:
        own = resource.inputs.get("tags")
        assert not (resource.type.startswith("aws:") and isinstance(own, dict) and set(own) & set(tags)), resource.urn


def test_production_is_copied_nightly_to_a_locked_vault_and_another_region(prod: Recording) -> None:
    (rule,) = prod.one("aws:backup/plan:Plan").inputs["rules"]
    assert rule["lifecycle"]["deleteAfter"] == 35
    assert rule["copyActions"][0]["destinationVaultArn"].startswith("arn:aws:backup:")
    locks = {lock.name: lock.inputs for lock in prod.of("aws:backup/vaultLockConfiguration:VaultLockConfiguration")}
    assert set(locks) == {"backups", "backups-copy"}
    assert all(lock["minRetentionDays"] == 35 and lock["changeableForDays"] >= 3 for lock in locks.values())
    assert prod.one("aws:backup/vault:Vault", "backups-copy").inputs["region"] == "us-west-2"


def test_database_and_artifacts_are_what_is_copied(lasting: Recording) -> None:
    database, bucket = lasting.one("aws:backup/selection:Selection").inputs["resources"]
    assert database.startswith("arn:aws:rds:")
    assert bucket.startswith("arn:aws:s3:::artifacts-")


def test_production_restores_its_database_every_week_into_its_own_subnets(prod: Recording) -> None:
    assert (
        prod.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").inputs["scheduleExpression"]
        == "cron(0 6 ? * SUN *)"
    )
    selection = prod.one("aws:backup/restoreTestingSelection:RestoreTestingSelection").inputs
    assert selection["protectedResourceType"] == "RDS"
    (group,) = json.loads(selection["restoreMetadataOverrides"]["vpcSecurityGroupIds"])
    assert prod.one("aws:rds/instance:Instance").inputs["vpcSecurityGroupIds"] == [group]


def test_every_part_has_an_alarm_and_every_alarm_is_heard(aws_stack: Recording) -> None:
    alarms = aws_stack.of("aws:cloudwatch/metricAlarm:MetricAlarm")
    watched = {alarm.inputs["namespace"] for alarm in alarms}
    assert {"AWS/RDS", "AWS/ApplicationELB", "AWS/EKS", "AWS/S3"} <= watched
    assert all(alarm.inputs["alarmActions"] and alarm.inputs["dimensions"] for alarm in alarms)
    assert aws_stack.of("aws:sns/topicSubscription:TopicSubscription")


def test_failed_backups_and_restores_raise_alarms(lasting: Recording, prod: Recording) -> None:
    def metrics(recording: Recording) -> set[str]:
        return {alarm.inputs["metricName"] for alarm in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")}

    assert "NumberOfBackupJobsFailed" in metrics(lasting)
    assert "NumberOfRestoreJobsFailed" in metrics(prod)


def test_the_bill_is_watched(aws_stack: Recording) -> None:
    budget = aws_stack.one("aws:budgets/budget:Budget").inputs
    assert budget["costFilters"][0]["values"] == [f"user:stack${aws_stack.stack}"]
    assert {n["notificationType"] for n in budget["notifications"]} == {"ACTUAL", "FORECASTED"}


def test_outputs_say_where_everything_is_and_no_secret(aws_stack: Recording) -> None:
    assert set(aws_stack.outputs) == {
        "tracking_url",
        "serving_urls",
        "kubeconfig_command",
        "bucket",
        "database_endpoint",
        "image_repositories",
    }
    assert aws_stack.outputs["tracking_url"].startswith("https://")
    assert "made-up" not in json.dumps(aws_stack.outputs)


def test_made_secrets_never_stand_outside_kubernetes_secrets(prod: Recording) -> None:
    made = {"made-up", "bWFkZSB1cCBieSB0aGUgcmVjb3JkaW5nIG9ubHkhIQ=="}
    for resource in prod.resources:
        holds = any(secret in json.dumps(dict(resource.inputs), default=str) for secret in made)
        assert not holds or resource.type == "kubernetes:core/v1:Secret", resource.urn
