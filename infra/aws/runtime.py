"""The platform's runtime on this cluster: who may call what in AWS, and where a pod may connect to.

The databases inside the instance are made here too, by a job that runs before anything uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

import pulumi

from infra import contracts
from infra.aws.artifacts import Artifacts
from infra.aws.cluster import Cluster
from infra.aws.database import PORT, Database
from infra.aws.iam import Statement, allow
from infra.aws.pod_role import AGENT, PodRole, PodRoleArgs
from infra.aws.scope import Scope
from infra.kubernetes import Destination, KubernetesRuntime, KubernetesRuntimeArgs
from infra.workloads import tracking
from infra.workloads.spec import Container, Resources, ScheduledJob, Text, Workload

ROLES = ("mlflow", "mlflow_auth")
"""The tracking database's and the auth store's; each owns the database of its own name."""
CERTIFICATES = "/etc/ssl/certs/rds-global-bundle.pem"
"""Where the platform's images keep the certificate authorities of RDS."""
BOOTSTRAP = "database-bootstrap"
HEALTH_PATH = "alb.ingress.kubernetes.io/healthcheck-path"
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class RuntimeArgs:
    """`after` must be there before a workload starts, and outlives every workload."""

    scope: Scope
    images: Mapping[str, Text]
    cluster: Cluster
    service_cidr: str
    database: Database
    database_cidrs: Sequence[str]
    artifacts: Artifacts
    load_balancer_cidrs: Sequence[str]
    ingress_class: str
    ingress_annotations: Mapping[str, pulumi.Input[str]]
    hosts: Mapping[str, str]
    publish: Callable[[str, pulumi.Output[str]], None]
    after: Sequence[pulumi.Resource]


class EksRuntime:
    """`infra.contracts.Runtime`; `database` is the contract of the databases that it has made."""

    def __init__(self, args: RuntimeArgs, opts: pulumi.ResourceOptions) -> None:
        """`opts` carries the AWS and the cluster's Kubernetes provider."""
        self._args, self._opts = args, opts
        self._kubernetes = KubernetesRuntime("kubernetes", _on_eks(args), opts)
        users = [args.database.user(role) for role in ROLES]
        connect = allow("Connect", ["rds-db:connect"], users)
        roles = self._role(tracking.NAME, [connect, *args.artifacts.use()])
        self._after = pulumi.ResourceOptions(depends_on=[*args.after, roles])
        self.database = self._bootstrap()

    def run(self, workload: Workload, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """See `infra.contracts.Runtime.run`."""
        return self._kubernetes.run(workload, pulumi.ResourceOptions.merge(opts, self._after))

    def schedule(self, job: ScheduledJob, opts: pulumi.ResourceOptions | None = None) -> None:
        """See `infra.contracts.Runtime.schedule`."""
        self._kubernetes.schedule(job, pulumi.ResourceOptions.merge(opts, self._after))

    def _role(self, service_account: str, statements: Sequence[Statement]) -> PodRole:
        cluster = self._args.cluster
        args = PodRoleArgs(self._args.scope.account_id, cluster.name, cluster.arn, service_account, statements)
        return PodRole(service_account, args, self._opts)

    def _bootstrap(self) -> contracts.Database:
        """The databases; their URIs are known once the job that makes them has succeeded."""
        database = self._args.database
        tracking_uri, auth_uri = (database.uri(role, CERTIFICATES) for role in ROLES)
        role = self._role(
            BOOTSTRAP,
            [
                allow("Master", ["secretsmanager:GetSecretValue"], [database.master_secret]),
                allow("Key", ["kms:Decrypt"], [database.key.arn]),
            ],
        )
        job = Container(
            name="bootstrap",
            image="tracking",
            command=("mlops", "tracking", "bootstrap"),
            env={
                "MLFLOW_BACKEND_STORE_URI": tracking_uri,
                "MLOPS_AUTH_DATABASE_URI": auth_uri,
                "MLOPS_DATABASE_MASTER_SECRET": database.master_secret,
            },
            resources=Resources(cpu="100m", memory="256Mi", memory_limit="512Mi"),
            scratch=("MLOPS_SCRATCH",),
        )
        done = self._kubernetes.complete(
            BOOTSTRAP,
            job,
            frozenset({"database", "identity"}),  # Secrets Manager answers where issuers do: anywhere, with TLS
            pulumi.ResourceOptions.merge(self._after, pulumi.ResourceOptions(depends_on=[role])),
        )

        def made(uri: Text) -> pulumi.Output[str]:
            return pulumi.Output.all(uri, done).apply(lambda both: str(both[0]))

        return contracts.Database(tracking_uri=made(tracking_uri), auth_uri=made(auth_uri))


def _on_eks(args: RuntimeArgs) -> KubernetesRuntimeArgs:
    agent = Destination([AGENT], 80)
    https = Destination([ANYWHERE], 443)  # S3, issuers and load balancers have no addresses that could be listed
    return KubernetesRuntimeArgs(
        images=args.images,
        destinations={
            "database": [Destination(args.database_cidrs, PORT), agent],
            "artifacts": [https, agent],
            "identity": [https],
            "tracking": [https],
        },
        dns_cidrs=[f"{ip_network(args.service_cidr)[10]}/32"],  # Auto Mode answers for kube-dns on each node
        ingress_class=args.ingress_class,
        hosts=args.hosts,
        ingress_annotations=args.ingress_annotations,
        health_annotation=HEALTH_PATH,
        load_balancer_cidrs=args.load_balancer_cidrs,
        publish=args.publish,
    )
