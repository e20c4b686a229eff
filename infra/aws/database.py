"""RDS for PostgreSQL: encrypted, TLS only, reachable from the cluster only, entered with IAM tokens.

Not here: the databases and roles inside it, which the bootstrap job makes (`foundation`), and AWS Backup (`backups`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.iam import service_role
from infra.aws.keys import key
from infra.aws.scope import Scope

PORT = 5432
LOGS = ("postgresql", "upgrade")
IMMEDIATELY, AT_RESTART = "immediate", "pending-reboot"
PARAMETERS: Mapping[str, tuple[str, str]] = {
    # A client that asks for no TLS is refused, whatever its own settings say.
    "rds.force_ssl": ("1", IMMEDIATELY),
    # MD5 password hashes can be replayed; the master password is the only one there is.
    "rds.accepted_password_auth_method": ("scram", IMMEDIATELY),
    # gp3 reads at random almost as fast as in sequence: use the indexes on runs and metrics.
    "random_page_cost": ("1.1", IMMEDIATELY),
    # `latest_metrics` is updated for every logged metric: vacuum at 5 % dead rows instead of 20 %.
    "autovacuum_vacuum_scale_factor": ("0.05", IMMEDIATELY),
    "autovacuum_analyze_scale_factor": ("0.05", IMMEDIATELY),
    # A worker that dies inside a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": ("300000", IMMEDIATELY),
    # What a slow page is waiting for: statements above one second, and every lock wait.
    "log_min_duration_statement": ("1000", IMMEDIATELY),
    "log_lock_waits": ("1", IMMEDIATELY),
    # Logs are exported to CloudWatch; the instance keeps a day of them, so that they cannot fill its disk.
    "rds.log_retention_period": ("1440", IMMEDIATELY),
}


@dataclass(frozen=True)
class DatabaseArgs:
    """`client_security_group` is whose members may connect; nobody else can."""

    scope: Scope
    settings: settings_aws.Database
    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    client_security_group: pulumi.Input[str]
    log_key: pulumi.Input[str]


class Database(pulumi.ComponentResource):
    """Outputs: the host, the ids that IAM and alarms need, and the secret of the master password."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Database", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.key = key(name, args.scope, "the database, its logs and its master password", self._child)
        self.security_group = self._security_group()

        instance = self._instance()
        self.identifier = instance.identifier
        self.arn = instance.arn
        self.resource_id = instance.resource_id
        self.host = instance.address
        self.subnet_group = instance.db_subnet_group_name
        self.master_secret = instance.master_user_secrets.apply(lambda secrets: str(secrets[0].secret_arn))
        self.register_outputs({"host": self.host})

    def user(self, role: str) -> pulumi.Output[str]:
        """The ARN that IAM knows the PostgreSQL `role` by."""
        scope = self._args.scope
        return pulumi.Output.concat(
            f"arn:aws:rds-db:{scope.region}:{scope.account_id}:dbuser:", self.resource_id, f"/{role}"
        )

    def uri(self, role: str, certificates: str) -> pulumi.Output[str]:
        """The SQLAlchemy URI of the database named like `role`: a token signs in, over TLS that proves RDS."""
        query = f"plugin=rds_iam&sslmode=verify-full&sslrootcert={certificates}"
        return pulumi.Output.concat(f"postgresql+psycopg://{role}@", self.host, f":{PORT}/{role}?{query}")

    def _security_group(self) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            self._name, vpc_id=self._args.vpc_id, description="The tracking database", opts=self._child
        )
        aws.vpc.SecurityGroupIngressRule(
            self._name,
            security_group_id=group.id,
            description="PostgreSQL from the cluster",
            referenced_security_group_id=self._args.client_security_group,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=self._child,
        )
        return group.id

    def _parameter_group(self) -> pulumi.Output[str]:
        return aws.rds.ParameterGroup(
            self._name,
            family=f"postgres{self._args.settings.engine_version.partition('.')[0]}",
            description="What a tracking server needs of PostgreSQL",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name=parameter, value=value, apply_method=when)
                for parameter, (value, when) in PARAMETERS.items()
            ],
            opts=self._child,
        ).name

    def _instance(self) -> aws.rds.Instance:
        scope, settings = self._args.scope, self._args.settings
        monitor = service_role(
            f"{self._name}-monitoring",
            "monitoring.rds.amazonaws.com",
            self._child,
            managed=["service-role/AmazonRDSEnhancedMonitoringRole"],
            condition={"StringEquals": {"aws:SourceAccount": scope.account_id}},
        )
        logs = [
            aws.cloudwatch.LogGroup(  # RDS would make it without a retention, and leave it behind
                f"{self._name}-{log}",
                name=f"/aws/rds/instance/{scope.name}/{log}",
                retention_in_days=settings.log_days,
                kms_key_id=self._args.log_key,
                opts=self._child,
            )
            for log in LOGS
        ]
        return aws.rds.Instance(
            self._name,
            identifier=scope.name,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            multi_az=settings.multi_az,
            ca_cert_identifier="rds-ca-rsa2048-g1",
            parameter_group_name=self._parameter_group(),
            auto_minor_version_upgrade=True,
            maintenance_window="sun:03:30-sun:04:30",
            # storage
            storage_type="gp3",
            allocated_storage=settings.storage_gib,
            max_allocated_storage=settings.maximum_storage_gib,
            storage_encrypted=True,
            kms_key_id=self.key.arn,
            # who may enter
            db_subnet_group_name=aws.rds.SubnetGroup(
                self._name, subnet_ids=list(self._args.subnets), opts=self._child
            ).name,
            vpc_security_group_ids=[self.security_group],
            publicly_accessible=False,
            port=PORT,
            iam_database_authentication_enabled=True,
            username="postgres",
            manage_master_user_password=True,  # in Secrets Manager, rotated by RDS every seven days
            master_user_secret_kms_key_id=self.key.arn,
            # what is kept
            deletion_protection=settings.deletion_protection,
            skip_final_snapshot=not settings.final_snapshot,
            final_snapshot_identifier=f"{scope.name}-final" if settings.final_snapshot else None,
            backup_retention_period=settings.backup_retention_days,
            backup_window="01:00-02:00",
            delete_automated_backups=scope.ephemeral,
            copy_tags_to_snapshot=True,
            # what is seen
            enabled_cloudwatch_logs_exports=list(LOGS),
            monitoring_interval=60,
            monitoring_role_arn=monitor.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=self.key.arn,
            performance_insights_retention_period=7,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*logs, *monitor.ready], protect=scope.protect),
        )
