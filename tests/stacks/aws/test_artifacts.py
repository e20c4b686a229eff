from __future__ import annotations

import json
from typing import Any

from infra.recording import Recording, record
from tests.stacks.reading import statements

BUCKET = "aws:s3/bucket:Bucket"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"


def by_sid(recording: Recording, bucket: str, type_: str = POLICY) -> dict[str, dict[str, Any]]:
    return {s["Sid"]: s for resource, s in statements(recording, type_) if resource.name == bucket}


def test_every_bucket_refuses_plain_http_and_old_tls(aws_stack: Recording) -> None:
    buckets = aws_stack.of(BUCKET)
    assert len(buckets) >= 2
    for bucket in buckets:
        policy = by_sid(aws_stack, bucket.name)
        for sid, condition in {
            "PlainHttp": {"Bool": {"aws:SecureTransport": "false"}},
            "OldTls": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        }.items():
            assert policy[sid]["Effect"] == "Deny"
            assert policy[sid]["Principal"] == "*"
            assert policy[sid]["Action"] == ["s3:*"]
            assert policy[sid]["Condition"] == condition
            assert len(policy[sid]["Resource"]) == 2


def test_every_bucket_is_closed_owned_versioned_and_encrypted(any_state: Recording) -> None:
    for bucket in any_state.of(BUCKET):

        def of(type_: str, name: str = bucket.name) -> dict[str, Any]:
            return dict(any_state.one(type_, name).inputs)

        block = of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
        switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(block[switch] is True for switch in switches)
        ownership = of("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
        assert ownership["rule"]["objectOwnership"] == "BucketOwnerEnforced"
        versioning = of("aws:s3/bucketVersioning:BucketVersioning")
        assert versioning["versioningConfiguration"]["status"] == "Enabled"
        encryption = of("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
        assert encryption["rules"]


def test_artifacts_have_a_key_of_their_own_used_once_a_bucket(any_state: Recording) -> None:
    type_ = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    (rule,) = any_state.one(type_, "artifacts").inputs["rules"]
    assert rule["bucketKeyEnabled"] is True
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"


def test_objects_are_reached_through_the_endpoint_only(prod: Recording) -> None:
    refusal = by_sid(prod, "artifacts")["OtherNetworks"]
    assert refusal["Effect"] == "Deny"
    assert refusal["Condition"]["StringNotEquals"]["aws:SourceVpce"].startswith("vpce-")
    assert refusal["Action"] == ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"]


def test_the_network_rule_locks_no_administrator_out(aws_stack: Recording) -> None:
    refusal = by_sid(aws_stack, "artifacts")["OtherNetworks"]
    assert all(resource.endswith("/*") for resource in refusal["Resource"]), "the bucket itself stays manageable"


def test_copying_and_backup_are_exempt_from_the_network_rule(prod: Recording) -> None:
    exempt = by_sid(prod, "artifacts")["OtherNetworks"]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    assert {role.rpartition("/")[2].rpartition("-")[0] for role in exempt} == {"backup", "artifacts-replica"}


def test_presigned_requests_pass_only_where_the_settings_say_so(prod: Recording) -> None:
    assert "s3:authType" not in by_sid(prod, "artifacts")["OtherNetworks"]["Condition"]["StringNotEquals"]
    direct = record("dev", overrides={"tracking.direct_artifacts": True})
    condition = by_sid(direct, "artifacts")["OtherNetworks"]["Condition"]["StringNotEquals"]
    assert condition["s3:authType"] == "REST-QUERY-STRING"


def test_the_endpoint_leads_to_this_bucket_and_to_image_layers(aws_stack: Recording) -> None:
    policy = by_sid(aws_stack, "artifacts", "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy")
    assert set(policy) == {"Artifacts", "ImageLayers"}
    assert all("*" not in action for statement in policy.values() for action in statement["Action"])
    assert all("artifacts-" in resource for resource in policy["Artifacts"]["Resource"])
    assert policy["Artifacts"]["Condition"]["StringEquals"]["aws:PrincipalAccount"] == "111122223333"


def test_no_lifecycle_rule_touches_a_live_version(any_state: Recording) -> None:
    type_ = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = any_state.one(type_, "artifacts").inputs["rules"]
    assert len(rules) == 2
    for rule in rules:
        assert "transitions" not in rule
        assert set(rule.get("expiration", {})) <= {"expiredObjectDeleteMarker"}


def test_unfinished_uploads_and_old_versions_go(any_state: Recording) -> None:
    type_ = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = {rule["id"]: rule for rule in any_state.one(type_, "artifacts").inputs["rules"]}
    assert rules["unfinished-uploads"]["abortIncompleteMultipartUpload"]["daysAfterInitiation"] == 7
    assert rules["deleted-and-overwritten"]["noncurrentVersionExpiration"]["noncurrentDays"] >= 1


def test_production_keeps_a_copy_in_another_region_that_deletions_do_not_reach(prod: Recording) -> None:
    (rule,) = prod.one("aws:s3/bucketReplicationConfig:BucketReplicationConfig").inputs["rules"]
    assert rule["deleteMarkerReplication"]["status"] == "Disabled"
    copy = prod.one(BUCKET, "artifacts-replica")
    assert copy.inputs["region"] == "us-west-2"
    versioning = prod.one("aws:s3/bucketVersioning:BucketVersioning", "artifacts-replica")
    replication = prod.one("aws:s3/bucketReplicationConfig:BucketReplicationConfig")
    assert versioning.urn in replication.dependencies


def test_accesses_are_logged(any_state: Recording) -> None:
    assert any_state.one("aws:s3/bucketLogging:BucketLogging").inputs["targetPrefix"] == "bucket/"


def test_repositories_keep_tags_and_scan_and_forget(any_state: Recording) -> None:
    repositories = any_state.of("aws:ecr/repository:Repository")
    assert {r.inputs["name"].partition("/")[2] for r in repositories} == {"tracking", "serving", "jobs", "oauth2-proxy"}
    for repository in repositories:
        assert repository.inputs["imageTagMutability"] == "IMMUTABLE"
        assert repository.inputs["imageScanningConfiguration"]["scanOnPush"] is True
        assert repository.inputs["encryptionConfigurations"][0]["encryptionType"] == "KMS"
    policies = any_state.of("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    assert len(policies) == len(repositories)
    assert all(len(json.loads(policy.inputs["policy"])["rules"]) == 2 for policy in policies)
