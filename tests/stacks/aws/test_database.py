from __future__ import annotations

from infra.recording import Recording, Resource

INSTANCE = "aws:rds/instance:Instance"


def instance(recording: Recording) -> Resource:
    return recording.one(INSTANCE)


def test_only_the_cluster_reaches_the_database(aws_stack: Recording) -> None:
    (group,) = instance(aws_stack).inputs["vpcSecurityGroupIds"]
    rules = aws_stack.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    (rule,) = [rule for rule in rules if rule.inputs["securityGroupId"] == group]
    cluster = aws_stack.one("aws:eks/cluster:Cluster")
    assert cluster.urn in rule.dependencies
    assert rule.inputs["fromPort"] == rule.inputs["toPort"] == 5432
    assert "cidrIpv4" not in rule.inputs


def test_the_database_is_not_public(any_state: Recording) -> None:
    assert instance(any_state).inputs["publiclyAccessible"] is False


def test_the_database_and_its_insights_are_encrypted(any_state: Recording) -> None:
    inputs = instance(any_state).inputs
    assert inputs["storageEncrypted"] is True
    assert {"kmsKeyId", "performanceInsightsKmsKeyId", "masterUserSecretKmsKeyId"} <= set(inputs)


def test_people_and_pods_sign_in_with_iam_and_nobody_knows_the_master_password(any_state: Recording) -> None:
    inputs = instance(any_state).inputs
    assert inputs["iamDatabaseAuthenticationEnabled"] is True
    assert inputs["manageMasterUserPassword"] is True
    assert not {"password", "passwordWo"} & set(inputs)


def test_connections_without_tls_are_refused(any_state: Recording) -> None:
    group = any_state.one("aws:rds/parameterGroup:ParameterGroup")
    parameters = {parameter["name"]: parameter["value"] for parameter in group.inputs["parameters"]}
    assert parameters["rds.force_ssl"] == "1"
    assert group.inputs["family"] == f"postgres{instance(any_state).inputs['engineVersion'].partition('.')[0]}"


def test_production_survives_a_zone_a_mistake_and_a_bad_day(prod: Recording) -> None:
    inputs = instance(prod).inputs
    assert inputs["multiAz"] is True
    assert inputs["deletionProtection"] is True
    assert inputs["skipFinalSnapshot"] is False
    assert inputs["finalSnapshotIdentifier"]
    assert inputs["backupRetentionPeriod"] >= 14
    assert inputs["deleteAutomatedBackups"] is False


def test_storage_grows_by_itself_on_gp3(any_state: Recording) -> None:
    inputs = instance(any_state).inputs
    assert inputs["storageType"] == "gp3"
    assert inputs["maxAllocatedStorage"] > inputs["allocatedStorage"]


def test_logs_are_exported_to_groups_that_forget(any_state: Recording) -> None:
    inputs = instance(any_state).inputs
    groups = {group.inputs.get("name"): group for group in any_state.of("aws:cloudwatch/logGroup:LogGroup")}
    for log in inputs["enabledCloudwatchLogsExports"]:
        group = groups[f"/aws/rds/instance/{inputs['identifier']}/{log}"]
        assert group.urn in instance(any_state).dependencies
        assert group.inputs["retentionInDays"] >= 1


def test_backup_and_maintenance_windows_do_not_overlap(any_state: Recording) -> None:
    start, end = instance(any_state).inputs["backupWindow"].split("-")
    first, _ = instance(any_state).inputs["maintenanceWindow"].split("-")
    assert start < end <= first.partition(":")[2]


def test_pods_get_uris_that_verify_the_server_and_hold_no_password(prod: Recording) -> None:
    (deployment,) = [d for d in prod.of("kubernetes:apps/v1:Deployment") if d.name == "tracking"]
    containers = deployment.inputs["spec"]["template"]["spec"]["containers"]
    (mlflow,) = [container for container in containers if container["name"] == "mlflow"]
    env = {variable["name"]: variable["value"] for variable in mlflow["env"]}
    for name, role in (("MLFLOW_BACKEND_STORE_URI", "mlflow"), ("MLOPS_AUTH_DATABASE_URI", "mlflow_auth")):
        assert env[name].startswith(f"postgresql+psycopg://{role}@mlflow-prod.")
        assert "plugin=rds_iam&sslmode=verify-full&sslrootcert=/etc/ssl/certs/" in env[name]


def test_the_tracking_server_waits_for_its_databases(prod: Recording) -> None:
    (deployment,) = [d for d in prod.of("kubernetes:apps/v1:Deployment") if d.name == "tracking"]
    (bootstrap,) = [job for job in prod.of("kubernetes:batch/v1:Job") if "database-bootstrap" in job.name]
    assert bootstrap.urn in deployment.dependencies
