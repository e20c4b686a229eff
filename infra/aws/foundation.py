"""Puts the AWS parts together: what each part needs of another is said here, and nowhere else."""

from __future__ import annotations

import json

import pulumi

from infra import contracts, naming
from infra.aws import alarms, backups
from infra.aws.access_logs import AccessLogs, AccessLogsArgs
from infra.aws.artifacts import Artifacts, ArtifactsArgs
from infra.aws.cluster import Cluster, ClusterArgs
from infra.aws.cluster_basics import ClusterBasics, ClusterBasicsArgs
from infra.aws.database import Database, DatabaseArgs
from infra.aws.edge import Edge, EdgeArgs
from infra.aws.generated import generated
from infra.aws.identity import IdentityArgs, identity
from infra.aws.images import Images, ImagesArgs
from infra.aws.keys import logs_key
from infra.aws.names import Names, NamesArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.runtime import EksRuntime, RuntimeArgs
from infra.aws.scope import provider, scope
from infra.settings import Settings
from infra.settings_aws import Aws
from infra.workloads import tracking


def foundation(settings: Settings) -> contracts.Foundation:
    """Registers everything that the workloads stand on; `settings.aws` is there, as the target's section."""
    section = settings.aws
    if section is None:
        raise ValueError("the AWS target needs the section `aws`")
    return _Parts(settings, section).foundation()


class _Parts:
    """The parts of one stack, in the order in which they are made."""

    def __init__(self, settings: Settings, section: Aws) -> None:
        self._settings, self._section = settings, section
        self._scope = here = scope(settings, section)
        aws = provider(settings, section)
        self._opts = opts = pulumi.ResourceOptions(provider=aws)

        log_key = logs_key(here, opts).arn
        self._alarms = alarms.Alarms(
            "alarms", alarms.AlarmsArgs(here, section.alarms, log_key, ("stack", settings.stack)), opts
        )
        self._network = Network("network", NetworkArgs(here, section.network, log_key), opts)
        self._access_logs = AccessLogs("access-logs", AccessLogsArgs(here), opts)
        self._images = Images("images", ImagesArgs(here), opts)
        self._cluster = Cluster(
            "cluster",
            ClusterArgs(here, section.cluster, self._network.private_subnets, log_key),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._network])),  # nodes join by NAT
        )
        self._database = Database(
            "database",
            DatabaseArgs(
                here,
                section.database,
                self._network.vpc_id,
                self._network.database_subnets,
                client_security_group=self._cluster.security_group,
                log_key=log_key,
            ),
            opts,
        )
        self._artifacts = self._keep()
        self._inside = pulumi.ResourceOptions(providers=[aws, self._cluster.provider])
        self._basics = ClusterBasics(
            "basics",
            ClusterBasicsArgs(
                self._cluster.name,
                section.cluster.nodes,
                self._cluster.node_role,
                self._network.private_subnets,
                self._cluster.security_group,
            ),
            self._inside,
        )
        self._edge = self._open()
        self._names = Names("names", NamesArgs(section.region, section.edge.zone_id), opts)
        self._watch()

    def foundation(self) -> contracts.Foundation:
        """What the workloads see of it."""
        section, domain = self._section, self._section.edge.domain
        tracking_url = f"https://{domain}"
        hosts = {tracking.NAME: domain}
        hosts |= {naming.serving(model.name): f"{model.name}.{domain}" for model in self._settings.models}
        people = identity(IdentityArgs(self._scope, section.identity, tracking_url, self._cluster.issuer), self._opts)
        runtime = EksRuntime(
            RuntimeArgs(
                self._scope,
                images={str(name): reference for name, reference in section.images.items()},
                cluster=self._cluster,
                service_cidr=section.cluster.service_cidr,
                database=self._database,
                database_cidrs=self._network.plan.database,
                artifacts=self._artifacts,
                load_balancer_cidrs=self._load_balancer_cidrs(),
                ingress_class=section.edge.ingress_class,
                ingress_annotations=self._edge.annotations,
                hosts=hosts,
                publish=self._publish,
                after=[self._basics, self._edge, self._artifacts, self._database],
            ),
            self._inside,
        )
        return contracts.Foundation(
            database=runtime.database,
            artifacts=contracts.ArtifactStore(
                uri=pulumi.Output.concat("s3://", self._artifacts.bucket, "/artifacts"),
                env={"AWS_REGION": self._scope.region},
            ),
            identity=people,
            edge=contracts.Edge(
                tracking_url=tracking_url,
                allowed_hosts=[domain],
                trusted_proxies=self._load_balancer_cidrs(),
                secure_cookies=True,
                bind="0.0.0.0",  # noqa: S104 - of a pod, behind its network policy
            ),
            runtime=runtime,
            secrets={"flask": generated("flask"), "kek": generated("kek", protect=self._scope.protect)},
            outputs=self._outputs(),
        )

    def _keep(self) -> Artifacts:
        """The artifacts, and the copies of them and of the database."""
        section = self._section
        copying = None if section.backups is None else backups.backup_role(self._opts)
        artifacts = Artifacts(
            "artifacts",
            ArtifactsArgs(
                self._scope,
                section.artifacts,
                endpoint=self._network.s3_endpoint.id,
                access_logs=self._access_logs.bucket,
                presigned=self._settings.tracking.direct_artifacts,
                roles_of_services=[] if copying is None else [copying.arn],
            ),
            self._opts,
        )
        if section.backups is not None and copying is not None:
            closed = self._database.security_group.apply(lambda group: json.dumps([group]))
            made = backups.Backups(
                "backups",
                backups.BackupsArgs(
                    self._scope,
                    section.backups,
                    copying,
                    resources={"RDS": self._database.arn, "S3": artifacts.arn},
                    restored={"RDS": {"dbSubnetGroupName": self._database.subnet_group, "vpcSecurityGroupIds": closed}},
                    topic=self._alarms.topic,
                ),
                self._opts,
            )
            self._alarms.watch("backups", alarms.BACKUPS, {"BackupVaultName": made.vault})
            if section.backups.restore_test:
                self._alarms.watch("restores", alarms.RESTORES, {"ResourceType": "RDS"})
        return artifacts

    def _open(self) -> Edge:
        """The way in, from outside and, for pods that call the platform by its public name, from inside."""
        edge, network = self._section.edge, self._network
        outward = edge.scheme == "internet-facing"
        return Edge(
            "edge",
            EdgeArgs(
                self._scope,
                edge,
                network.vpc_id,
                subnets=network.public_subnets if outward else network.private_subnets,
                own_addresses=[pulumi.Output.concat(address, "/32") for address in network.nat_addresses]
                if outward
                else network.plan.private,
                cluster_security_group=self._cluster.security_group,
                ports=frozenset({self._settings.tracking.port, *(model.port for model in self._settings.models)}),
                access_logs=self._access_logs.bucket,
            ),
            pulumi.ResourceOptions.merge(self._inside, pulumi.ResourceOptions(depends_on=[self._basics])),
        )

    def _load_balancer_cidrs(self) -> tuple[str, ...]:
        plan = self._network.plan
        return plan.public if self._section.edge.scheme == "internet-facing" else plan.private

    def _watch(self) -> None:
        self._alarms.watch("database", alarms.DATABASE, {"DBInstanceIdentifier": self._database.identifier})
        self._alarms.watch("cluster", alarms.CLUSTER, {"ClusterName": self._cluster.name})
        self._alarms.watch(
            "artifacts", alarms.BUCKET, {"BucketName": self._artifacts.bucket, "FilterId": "EntireBucket"}
        )

    def _publish(self, host: str, load_balancer: pulumi.Output[str]) -> None:
        self._names.publish(host, load_balancer)
        if host == self._section.edge.domain:
            self._alarms.watch("edge", alarms.LOAD_BALANCER, {"LoadBalancer": self._names.metric(load_balancer)})

    def _outputs(self) -> dict[str, pulumi.Input[object]]:
        command = pulumi.Output.concat(
            "aws eks update-kubeconfig --region ", self._scope.region, " --name ", self._cluster.name
        )
        return {
            "kubeconfig_command": command,
            "bucket": self._artifacts.bucket,
            "database_endpoint": self._database.host,
            "image_repositories": pulumi.Output.all(**self._images.urls),
        }
