"""What could go wrong with each point: one change to a recorded stack that a policy of that point must catch."""

from __future__ import annotations

from dataclasses import dataclass

from policies import tokens as t
from policies.rule import FOUNDATION
from tests.policies.edits import REMOVED, Drop, Edit, Link, Put

POD = "spec.template.spec"
MLFLOW = f"{POD}.containers.[mlflow]"
PROXY = f"{POD}.containers.[proxy]"
MODEL = f"{POD}.containers.[model-server]"
SERVED = "serving-iris-classifier"
IDENTITY = "data.identity\\.json > "
CONFIG = "stringData.oauth2-proxy\\.cfg > "
LOCAL_IDENTITY = "definition.files.identity\\.json > "
LOCAL_CONFIG = "secret_files.oauth2-proxy\\.cfg > "


@dataclass(frozen=True)
class Mutant:
    """`policy` is the one that must catch it; others may too."""

    point: str
    claim: str
    policy: str
    stack: str
    edits: tuple[Edit, ...]


def _of(point: str, *rows: tuple[str, str, str, Edit | tuple[Edit, ...]]) -> tuple[Mutant, ...]:
    return tuple(
        Mutant(point, claim, policy, stack, edits if isinstance(edits, tuple) else (edits,))
        for claim, policy, stack, edits in rows
    )


def _env(name: str, value: object, container: str = MLFLOW, deployment: str = "tracking") -> Put:
    path = f"{container}.env.[{name}]"
    return Put(t.DEPLOYMENT, deployment, path if value is REMOVED else f"{path}.value", value)


def _model_env(name: str, value: object) -> Put:
    return _env(name, value, MODEL, SERVED)


TRACKING_SERVER = _of(
    "tracking-server",
    ("no tracking server", "tracking-server-exists", "prod", Drop(t.DEPLOYMENT, "tracking")),
    ("no local tracking server", "tracking-server-exists", "local", Drop(t.LOCAL_PROCESS, "tracking-mlflow")),
    (
        "a notebook beside the server",
        "tracking-server-dedicated",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{POD}.containers.[jupyter].image", "jupyter:1.0"),
    ),
    ("no replicas", "tracking-server-kept-running", "prod", Put(t.DEPLOYMENT, "tracking", "spec.replicas", 0)),
    (
        "the server as a Job",
        "tracking-server-kept-running",
        "prod",
        Put(t.JOB, "tracking-migrate", f"{POD}.containers.0.command", ["mlops", "tracking", "serve"]),
    ),
    ("root", "pods-not-root", "prod", Put(t.DEPLOYMENT, "tracking", f"{POD}.securityContext.runAsNonRoot", False)),
    ("user 0", "pods-not-root", "prod", Put(t.DEPLOYMENT, SERVED, f"{POD}.securityContext.runAsUser", 0)),
    (
        "no seccomp",
        "pods-not-root",
        "dev",
        Put(t.DEPLOYMENT, "tracking", f"{POD}.securityContext.seccompProfile", REMOVED),
    ),
    (
        "privileged",
        "containers-unprivileged",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.securityContext.privileged", True),
    ),
    (
        "privilege escalation",
        "containers-unprivileged",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.securityContext.allowPrivilegeEscalation", REMOVED),
    ),
    (
        "a capability",
        "containers-unprivileged",
        "prod",
        Put(t.DEPLOYMENT, SERVED, f"{MODEL}.securityContext.capabilities.add", ["NET_ADMIN"]),
    ),
    (
        "writable programs",
        "containers-read-only",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.securityContext.readOnlyRootFilesystem", False),
    ),
    (
        "no memory limit",
        "containers-limited",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.resources.limits", REMOVED),
    ),
    ("no requests", "containers-limited", "dev", Put(t.DEPLOYMENT, SERVED, f"{MODEL}.resources.requests", REMOVED)),
    ("the node's network", "pods-isolated", "prod", Put(t.DEPLOYMENT, "tracking", f"{POD}.hostNetwork", True)),
    (
        "the node's files",
        "pods-isolated",
        "prod",
        Put(t.DEPLOYMENT, SERVED, f"{POD}.volumes.[host]", {"name": "host", "hostPath": {"path": "/"}}),
    ),
    (
        "an API token",
        "pods-isolated",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{POD}.automountServiceAccountToken", REMOVED),
    ),
    (
        "a lax namespace",
        "namespace-restricted",
        "prod",
        Put(t.NAMESPACE, "mlflow", "metadata.labels.pod-security\\.kubernetes\\.io/enforce", "privileged"),
    ),
    (
        "tokens for all pods",
        "service-accounts-without-token",
        "prod",
        Put(t.SERVICE_ACCOUNT, "tracking", "automountServiceAccountToken", True),
    ),
)

BACKEND_STORE = _of(
    "backend-store",
    ("SQLite", "backend-postgresql", "prod", _env("MLFLOW_BACKEND_STORE_URI", "sqlite:////data/mlflow.db")),
    (
        "local SQLite",
        "backend-postgresql",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLFLOW_BACKEND_STORE_URI", "sqlite:///mlflow.db"),
    ),
    ("MySQL", "backend-postgresql", "prod", _env("MLOPS_AUTH_DATABASE_URI", "mysql+pymysql://db/auth")),
    ("no backend store", "backend-postgresql", "prod", _env("MLFLOW_BACKEND_STORE_URI", REMOVED)),
    ("no driver named", "backend-postgresql", "dev", _env("MLFLOW_BACKEND_STORE_URI", "postgresql://u@db/mlflow")),
    (
        "a password in the URI",
        "backend-uri-without-password",
        "prod",
        _env("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://u:p@db:5432/mlflow?sslmode=verify-full"),
    ),
    (
        "an unverified server",
        "backend-tls-verified",
        "prod",
        _env("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://u@db:5432/mlflow?sslmode=require"),
    ),
    (
        "users among the runs",
        "backend-users-apart",
        "local",
        Put(
            t.LOCAL_PROCESS,
            "tracking-mlflow",
            "definition.env.MLOPS_AUTH_DATABASE_URI",
            "postgresql+psycopg://mlflow@127.0.0.1:5532/mlflow",
        ),
    ),
    ("another engine", "database-postgresql", "prod", Put(t.RDS_INSTANCE, "database", "engine", "mysql")),
    ("no encryption", "database-encrypted", "prod", Put(t.RDS_INSTANCE, "database", "storageEncrypted", False)),
    ("no key", "database-encrypted", "prod", Put(t.RDS_INSTANCE, "database", "kmsKeyId", REMOVED)),
    ("a public database", "database-private", "prod", Put(t.RDS_INSTANCE, "database", "publiclyAccessible", True)),
    ("no security group", "database-private", "prod", Put(t.RDS_INSTANCE, "database", "vpcSecurityGroupIds", [])),
    (
        "passwords only",
        "database-iam-sign-in",
        "prod",
        Put(t.RDS_INSTANCE, "database", "iamDatabaseAuthenticationEnabled", False),
    ),
    ("a password in the state", "database-managed-password", "prod", Put(t.RDS_INSTANCE, "database", "password", "x")),
    ("one zone", "database-several-zones", "prod", Put(t.RDS_INSTANCE, "database", "multiAz", False)),
    (
        "no deletion protection",
        "database-deletion-protected",
        "prod",
        Put(t.RDS_INSTANCE, "database", "deletionProtection", False),
    ),
    (
        "no upgrades",
        "database-minor-upgrades",
        "prod",
        Put(t.RDS_INSTANCE, "database", "autoMinorVersionUpgrade", False),
    ),
    ("no logs", "database-logs-exported", "prod", Put(t.RDS_INSTANCE, "database", "enabledCloudwatchLogsExports", [])),
    (
        "plain connections",
        "database-forces-tls",
        "prod",
        Put(t.RDS_PARAMETERS, "database", "parameters.[rds.force_ssl].value", "0"),
    ),
    (
        "a subnet of the internet",
        "database-in-private-subnets",
        "prod",
        Link(t.ROUTE_ASSOCIATION, "network-database-0", "routeTableId", (t.ROUTE_TABLE, "network-public")),
    ),
    (
        "somebody else's subnet group",
        "database-in-private-subnets",
        "prod",
        Link(t.RDS_INSTANCE, "database", "dbSubnetGroupName"),
    ),
    (
        "every address admitted",
        "database-admits-cluster-only",
        "prod",
        Put(t.SECURITY_GROUP_INGRESS, "database", "cidrIpv4", "10.0.0.0/8"),
    ),
    (
        "every port admitted",
        "database-admits-cluster-only",
        "prod",
        Put(t.SECURITY_GROUP_INGRESS, "database", "toPort", 65535),
    ),
    ("too many workers", "database-connections-suffice", "prod", _env("MLOPS_WORKERS", "64")),
    ("too many replicas", "database-connections-suffice", "dev", Put(t.DEPLOYMENT, "tracking", "spec.replicas", 8)),
    (
        "too many local workers",
        "database-connections-suffice",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLOPS_WORKERS", "32"),
    ),
)

ARTIFACT_STORE = _of(
    "artifact-store",
    ("a directory", "artifacts-in-object-store", "prod", _env("MLFLOW_ARTIFACTS_DESTINATION", "/data/artifacts")),
    (
        "a local directory",
        "artifacts-in-object-store",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLFLOW_ARTIFACTS_DESTINATION", "./mlruns"),
    ),
    ("no destination", "artifacts-in-object-store", "prod", _env("MLFLOW_ARTIFACTS_DESTINATION", REMOVED)),
    (
        "no public-access block",
        "bucket-has-public-access-block",
        "prod",
        Drop(t.BUCKET_PUBLIC_ACCESS_BLOCK, "artifacts"),
    ),
    (
        "public policies let through",
        "bucket-blocks-public-access",
        "prod",
        Put(t.BUCKET_PUBLIC_ACCESS_BLOCK, "artifacts", "blockPublicPolicy", False),
    ),
    (
        "public ACLs let through",
        "bucket-blocks-public-access",
        "dev",
        Put(t.BUCKET_PUBLIC_ACCESS_BLOCK, "access-logs", "ignorePublicAcls", REMOVED),
    ),
    ("no encryption", "bucket-has-encryption", "prod", Drop(t.BUCKET_ENCRYPTION, "artifacts")),
    (
        "no algorithm",
        "bucket-encrypts",
        "prod",
        Put(t.BUCKET_ENCRYPTION, "artifacts", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "none"),
    ),
    (
        "somebody else's key",
        "artifacts-own-key",
        "prod",
        Put(t.BUCKET_ENCRYPTION, "artifacts", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256"),
    ),
    (
        "no bucket key",
        "artifacts-own-key",
        "prod",
        Put(t.BUCKET_ENCRYPTION, "artifacts", "rules.0.bucketKeyEnabled", False),
    ),
    ("no ownership", "bucket-has-ownership", "prod", Drop(t.BUCKET_OWNERSHIP, "artifacts")),
    (
        "ACLs",
        "bucket-owner-enforced",
        "prod",
        Put(t.BUCKET_OWNERSHIP, "artifacts", "rule.objectOwnership", "ObjectWriter"),
    ),
    ("no bucket policy", "bucket-has-policy", "prod", Drop(t.BUCKET_POLICY, "artifacts")),
    (
        "plain HTTP",
        "bucket-refuses-plain-http",
        "prod",
        Put(t.BUCKET_POLICY, "artifacts", "policy > Statement.[PlainHttp]", REMOVED),
    ),
    (
        "a public bucket",
        "bucket-admits-nobody",
        "prod",
        Put(
            t.BUCKET_POLICY,
            "artifacts",
            "policy > Statement.[Public]",
            {"Sid": "Public", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
        ),
    ),
    ("deleted with everything in it", "bucket-kept", "prod", Put(t.BUCKET, "artifacts", "forceDestroy", True)),
    ("no access log", "artifacts-access-logged", "prod", Drop(t.BUCKET_LOGGING, "artifacts")),
    ("an access log to nowhere", "bucket-log-target", "prod", Put(t.BUCKET_LOGGING, "artifacts", "targetBucket", "")),
)

AUTHENTICATION = _of(
    "authentication",
    ("no proxy", "server-behind-proxy", "prod", Put(t.DEPLOYMENT, "tracking", PROXY, REMOVED)),
    ("no local proxy", "server-behind-proxy", "local", Drop(t.LOCAL_PROCESS, "tracking")),
    ("MLflow on every address", "server-on-loopback", "prod", _env("MLOPS_LISTEN", "0.0.0.0:5000")),
    (
        "MLflow's port declared",
        "server-on-loopback",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.ports.[raw]", {"name": "raw", "containerPort": 5000}),
    ),
    (
        "a Service to MLflow's port",
        "service-reaches-proxy-only",
        "prod",
        Put(t.SERVICE, "tracking", "spec.ports.0.targetPort", 5000),
    ),
    (
        "a Service to the management port",
        "service-reaches-proxy-only",
        "dev",
        Put(t.SERVICE, "tracking", "spec.ports.0.targetPort", "management"),
    ),
    ("a node port", "service-internal", "prod", Put(t.SERVICE, "tracking", "spec.type", "NodePort")),
    ("a load balancer of its own", "service-internal", "prod", Put(t.SERVICE, SERVED, "spec.type", "LoadBalancer")),
    (
        "a skipped route",
        "proxy-skips-nothing",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}skip_auth_routes", ["^/api/"]),
    ),
    (
        "a skipped route on this machine",
        "proxy-skips-nothing",
        "local",
        Put(t.LOCAL_PROCESS, "tracking", f"{LOCAL_CONFIG}skip_auth_routes", ["^/health"]),
    ),
    (
        "no PKCE",
        "proxy-signs-in-safely",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}code_challenge_method", REMOVED),
    ),
    (
        "a plain issuer",
        "proxy-signs-in-safely",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}oidc_issuer_url", "http://login.example.com"),
    ),
    (
        "an insecure cookie",
        "proxy-guards-cookies",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}cookie_secure", False),
    ),
    (
        "a cookie for scripts",
        "proxy-guards-cookies",
        "local",
        Put(t.LOCAL_PROCESS, "tracking", f"{LOCAL_CONFIG}cookie_httponly", False),
    ),
    (
        "an upstream elsewhere",
        "proxy-leads-to-loopback",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}upstreams", ["http://mlflow:5000"]),
    ),
    (
        "no token passed on",
        "proxy-leads-to-loopback",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}pass_authorization_header", False),
    ),
    (
        "forwarded headers of everybody",
        "proxy-trusts-few",
        "prod",
        Put(t.SECRET, "tracking-proxy-secret-files", f"{CONFIG}trusted_proxy_ips", ["0.0.0.0/0"]),
    ),
    (
        "any audience",
        "identity-issuers-bound",
        "prod",
        Put(t.CONFIG_MAP, "tracking-mlflow-files", f"{IDENTITY}issuers.0.audiences", []),
    ),
    (
        "an issuer over plain HTTP",
        "identity-issuers-bound",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", f"{LOCAL_IDENTITY}issuers.0.url", "http://login.example.com"),
    ),
    ("any host", "server-checks-hosts", "prod", _env("MLFLOW_SERVER_ALLOWED_HOSTS", "*")),
    ("any site", "server-checks-hosts", "prod", _env("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "*")),
    ("a secret for all to see", "no-secret-in-plain-env", "prod", _env("MLFLOW_FLASK_SERVER_SECRET_KEY", "s3cret")),
    (
        "no TLS",
        "ingress-over-tls",
        "prod",
        Put(t.INGRESS, "tracking", "spec.tls", REMOVED),
    ),
    (
        "no redirect",
        "ingress-over-tls",
        "prod",
        Put(t.INGRESS, SERVED, "metadata.annotations.alb\\.ingress\\.kubernetes\\.io/ssl-redirect", REMOVED),
    ),
    (
        "old TLS",
        "ingress-over-tls",
        "prod",
        Put(
            t.INGRESS,
            "tracking",
            "metadata.annotations.alb\\.ingress\\.kubernetes\\.io/ssl-policy",
            "ELBSecurityPolicy-2016-08",
        ),
    ),
    (
        "no firewall",
        "ingress-behind-firewall",
        "prod",
        Put(t.INGRESS, "tracking", "metadata.annotations.alb\\.ingress\\.kubernetes\\.io/wafv2-acl-arn", REMOVED),
    ),
    ("no default denial", "network-denied-by-default", "prod", Drop(t.NETWORK_POLICY, "default-deny")),
    ("an unguarded workload", "network-denied-by-default", "prod", Drop(t.NETWORK_POLICY, SERVED)),
    (
        "the network past the proxy",
        "network-admits-proxy-only",
        "prod",
        Put(t.NETWORK_POLICY, "tracking", "spec.ingress.0.ports.0.port", 5000),
    ),
    (
        "the network from everywhere",
        "network-admits-proxy-only",
        "prod",
        Put(t.NETWORK_POLICY, "tracking", "spec.ingress.0.from", REMOVED),
    ),
    (
        "a local listener for all",
        "local-listeners-on-loopback",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLOPS_LISTEN", "0.0.0.0:5501"),
    ),
    (
        "the local database for all",
        "local-listeners-on-loopback",
        "local",
        Put(t.LOCAL_PROCESS, "database", "definition.command.6", "listen_addresses=*"),
    ),
    (
        "the local proxy for all",
        "local-listeners-on-loopback",
        "local",
        Put(t.LOCAL_PROCESS, "tracking", "address", "0.0.0.0"),  # noqa: S104 - the mutation
    ),
)

APPROVAL = _of(
    "approval",
    (
        "stock MLflow",
        "registry-guarded",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.command", ["mlflow", "server"]),
    ),
    (
        "stock MLflow on this machine",
        "registry-guarded",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.command", ["mlflow", "server", "--host", "127.0.0.1"]),
    ),
    ("two eyes", "registry-four-eyes", "prod", _env("MLOPS_FOUR_EYES", "false")),
    ("eyes unsaid", "registry-four-eyes", "dev", _env("MLOPS_FOUR_EYES", REMOVED)),
    (
        "two eyes on this machine",
        "registry-four-eyes",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLOPS_FOUR_EYES", "false"),
    ),
    (
        "no approvers",
        "teams-have-approvers",
        "prod",
        Put(t.CONFIG_MAP, "tracking-mlflow-files", f"{IDENTITY}teams.0.roles.approver", REMOVED),
    ),
    (
        "no approvers on this machine",
        "teams-have-approvers",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", f"{LOCAL_IDENTITY}teams.1.roles.approver", []),
    ),
    (
        "editors approve",
        "approvers-apart",
        "prod",
        Put(t.CONFIG_MAP, "tracking-mlflow-files", f"{IDENTITY}teams.0.roles.approver", ["iris-scientists"]),
    ),
    (
        "everybody approves",
        "approvers-apart",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", f"{LOCAL_IDENTITY}teams.0.roles.approver", ["everyone"]),
    ),
    (
        "a team administers",
        "admins-apart",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", f"{LOCAL_IDENTITY}admins", ["iris-scientists"]),
    ),
    ("an alias that anybody moves", "served-alias-protected", "prod", _model_env("MLOPS_MODEL_ALIAS", "challenger")),
    (
        "a free alias on this machine",
        "served-alias-protected",
        "local",
        Put(t.LOCAL_PROCESS, SERVED, "definition.env.MLOPS_MODEL_ALIAS", "newest"),
    ),
)

QUALITY_GATE = _of(
    "quality-gate",
    ("the challenger", "served-alias-gated", "prod", _model_env("MLOPS_MODEL_ALIAS", "challenger")),
    ("no alias", "served-alias-gated", "prod", _model_env("MLOPS_MODEL_ALIAS", REMOVED)),
    (
        "the challenger on this machine",
        "served-alias-gated",
        "local",
        Put(t.LOCAL_PROCESS, SERVED, "definition.env.MLOPS_MODEL_ALIAS", "candidate"),
    ),
    ("a run", "served-from-registry", "prod", _model_env("MLOPS_MODEL_NAME", "runs:/0af1/model")),
    (
        "stock serving",
        "served-from-registry",
        "prod",
        Put(t.DEPLOYMENT, SERVED, f"{MODEL}.command", ["mlflow", "models", "serve", "-m", "models:/iris-classifier/3"]),
    ),
    (
        "a version on the command line",
        "served-from-registry",
        "dev",
        Put(t.DEPLOYMENT, SERVED, f"{MODEL}.command", ["mlops", "serving", "serve", "models:/iris-classifier/3"]),
    ),
    (
        "a server that promotes",
        "serving-reads-only",
        "prod",
        Put(
            t.CONFIG_MAP,
            "tracking-mlflow-files",
            f"{IDENTITY}issuers.1.principals.system:serviceaccount:mlflow:{SERVED}.iris",
            "approver",
        ),
    ),
    (
        "a local server that edits",
        "serving-reads-only",
        "local",
        Put(
            t.LOCAL_PROCESS,
            "tracking-mlflow",
            f"{LOCAL_IDENTITY}issuers.1.principals.system:serviceaccount:mlflow:{SERVED}.iris",
            "editor",
        ),
    ),
    ("no identity", "serving-asks-as-itself", "prod", _model_env("MLFLOW_TRACKING_AUTH", REMOVED)),
    ("no workspace", "serving-asks-as-itself", "prod", _model_env("MLFLOW_WORKSPACE", "")),
    (
        "past the server",
        "serving-asks-as-itself",
        "prod",
        _model_env("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://db/mlflow?sslmode=verify-full"),
    ),
)

ARTIFACT_LIFECYCLE = _of(
    "artifact-lifecycle",
    ("no lifecycle", "bucket-has-lifecycle", "prod", Drop(t.BUCKET_LIFECYCLE, "artifacts")),
    (
        "uploads kept",
        "lifecycle-aborts-uploads",
        "prod",
        Put(t.BUCKET_LIFECYCLE, "artifacts", "rules.[unfinished-uploads]", REMOVED),
    ),
    (
        "a rule switched off",
        "lifecycle-aborts-uploads",
        "prod",
        Put(t.BUCKET_LIFECYCLE, "artifacts", "rules.[unfinished-uploads].status", "Disabled"),
    ),
    (
        "old versions kept",
        "lifecycle-expires-noncurrent",
        "prod",
        Put(t.BUCKET_LIFECYCLE, "artifacts", "rules.[deleted-and-overwritten].noncurrentVersionExpiration", REMOVED),
    ),
    (
        "live models deleted",
        "lifecycle-keeps-current",
        "prod",
        Put(t.BUCKET_LIFECYCLE, "artifacts", "rules.[deleted-and-overwritten].expiration", {"days": 90}),
    ),
    (
        "live models in the glacier",
        "lifecycle-keeps-current",
        "prod",
        Put(
            t.BUCKET_LIFECYCLE,
            "artifacts",
            "rules.[deleted-and-overwritten].transitions",
            [{"days": 30, "storageClass": "GLACIER"}],
        ),
    ),
    ("no versioning", "bucket-has-versioning", "prod", Drop(t.BUCKET_VERSIONING, "artifacts")),
    (
        "versioning suspended",
        "bucket-versioned",
        "prod",
        Put(t.BUCKET_VERSIONING, "artifacts", "versioningConfiguration.status", "Suspended"),
    ),
    ("images kept for ever", "images-expire", "prod", Drop(t.IMAGE_LIFECYCLE, "images-tracking")),
    ("logs kept for ever", "logs-expire", "prod", Put(t.LOG_GROUP, "cluster", "retentionInDays", 0)),
)

MONITORING = _of(
    "monitoring",
    ("a silent alarm", "alarms-tell-somebody", "prod", Put(t.ALARM, "database-cpu", "alarmActions", [])),
    ("an alarm switched off", "alarms-on", "prod", Put(t.ALARM, "edge-5xx", "actionsEnabled", False)),
    ("no alarm on the disk", "database-alarmed", "prod", Drop(t.ALARM, "database-storage")),
    ("no alarm on the CPU", "database-alarmed", "dev", Drop(t.ALARM, "database-cpu")),
    ("no alarm on failures", "edge-alarmed", "prod", Drop(t.ALARM, "edge-5xx")),
    ("nobody subscribed", "topic-subscribed", "prod", Drop(t.TOPIC_SUBSCRIPTION, "alarms-0")),
    ("no audit log", "cluster-logs", "prod", Put(t.EKS_CLUSTER, "cluster", "enabledClusterLogTypes", ["api"])),
    ("no flow log", "network-flow-logged", "prod", Drop(t.FLOW_LOG, "network-flow")),
    ("rejections only", "network-flow-logged", "prod", Put(t.FLOW_LOG, "network-flow", "trafficType", "REJECT")),
    ("no insights", "database-insights", "prod", Put(t.RDS_INSTANCE, "database", "performanceInsightsEnabled", False)),
    ("no metrics", "server-measured", "prod", _env("MLOPS_MANAGEMENT_LISTEN", REMOVED)),
)

BACKUPS = _of(
    "backups",
    ("no backups", "database-backups-kept", "prod", Put(t.RDS_INSTANCE, "database", "backupRetentionPeriod", 0)),
    ("backups of a day", "database-backups-kept", "prod", Put(t.RDS_INSTANCE, "database", "backupRetentionPeriod", 1)),
    (
        "no final snapshot",
        "database-final-snapshot",
        "prod",
        Put(t.RDS_INSTANCE, "database", "skipFinalSnapshot", True),
    ),
    (
        "backups deleted with it",
        "database-automated-backups-kept",
        "prod",
        Put(t.RDS_INSTANCE, "database", "deleteAutomatedBackups", True),
    ),
    ("nothing selected", "backup-covers-state", "prod", Drop(t.BACKUP_SELECTION, "backups")),
    ("something else selected", "backup-covers-state", "prod", Link(t.BACKUP_SELECTION, "backups", "resources")),
    ("no rules", "backup-plan-regular", "prod", Put(t.BACKUP_PLAN, "backups", "rules", [])),
    ("two days", "backup-plan-regular", "prod", Put(t.BACKUP_PLAN, "backups", "rules.0.lifecycle.deleteAfter", 2)),
    ("no schedule", "backup-plan-regular", "dev", Put(t.BACKUP_PLAN, "backups", "rules.0.schedule", REMOVED)),
    ("one region", "backup-copied-elsewhere", "prod", Put(t.BACKUP_PLAN, "backups", "rules.0.copyActions", [])),
    ("an unlocked vault", "backup-vault-locked", "prod", Drop(t.BACKUP_VAULT_LOCK, "backups")),
    ("a vault that is emptied", "backup-vault-safe", "prod", Put(t.BACKUP_VAULT, "backups", "forceDestroy", True)),
    ("a vault without key", "backup-vault-safe", "prod", Put(t.BACKUP_VAULT, "backups", "kmsKeyArn", REMOVED)),
    ("no restore test", "restore-tested", "prod", Drop(t.RESTORE_TEST_SELECTION, "backups-rds")),
    (
        "a restore test at no time",
        "restore-tested",
        "prod",
        Put(t.RESTORE_TEST_PLAN, "backups", "scheduleExpression", ""),
    ),
    (
        "silent failures",
        "backup-failures-told",
        "prod",
        Put(t.BACKUP_VAULT_NOTIFICATIONS, "backups", "backupVaultEvents", ["RESTORE_JOB_COMPLETED"]),
    ),
)

MODEL_DELIVERY = _of(
    "model-delivery",
    ("latest", "images-pinned", "prod", Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.image", "registry/tracking:latest")),
    ("no tag", "images-pinned", "prod", Put(t.DEPLOYMENT, SERVED, f"{MODEL}.image", "registry:5000/serving")),
    ("a branch", "images-pinned", "dev", Put(t.JOB, "tracking-migrate", f"{POD}.containers.0.image", "tracking:main")),
    (
        "tags that move",
        "image-tags-immutable",
        "prod",
        Put(t.IMAGE_REPOSITORY, "images-serving", "imageTagMutability", "MUTABLE"),
    ),
    (
        "no scan",
        "images-scanned",
        "prod",
        Put(t.IMAGE_REPOSITORY, "images-tracking", "imageScanningConfiguration.scanOnPush", False),
    ),
    (
        "no key",
        "images-encrypted",
        "prod",
        Put(t.IMAGE_REPOSITORY, "images-jobs", "encryptionConfigurations.0.encryptionType", "AES256"),
    ),
    ("a gap", "rollout-without-gap", "prod", Put(t.DEPLOYMENT, SERVED, "spec.strategy.type", "Recreate")),
    (
        "half of them gone",
        "rollout-without-gap",
        "prod",
        Put(t.DEPLOYMENT, "tracking", "spec.strategy.rollingUpdate.maxUnavailable", "50%"),
    ),
    ("static keys", "no-static-cloud-keys", "prod", _env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")),
    (
        "CI taken for people",
        "ci-told-apart",
        "prod",
        Put(t.CONFIG_MAP, "tracking-mlflow-files", f"{IDENTITY}issuers.2.group_prefix", ""),
    ),
    (
        "any repository",
        "ci-told-apart",
        "prod",
        Put(t.CONFIG_MAP, "tracking-mlflow-files", f"{IDENTITY}issuers.2.groups_claim", "actor"),
    ),
    (
        "code without a name",
        "local-release-named",
        "local",
        Put(t.LOCAL_PROCESS, "tracking-mlflow", "definition.env.MLOPS_RELEASE", ""),
    ),
)

SERVING = _of(
    "serving",
    ("no readiness", "containers-probed", "prod", Put(t.DEPLOYMENT, SERVED, f"{MODEL}.readinessProbe", REMOVED)),
    ("no liveness", "containers-probed", "prod", Put(t.DEPLOYMENT, "tracking", f"{MLFLOW}.livenessProbe", REMOVED)),
    (
        "restarted while loading",
        "containers-probed",
        "prod",
        Put(t.DEPLOYMENT, SERVED, f"{MODEL}.livenessProbe.httpGet.path", "/health"),
    ),
    ("no autoscaler", "serving-autoscaled", "prod", Drop(t.AUTOSCALER, SERVED)),
    ("replicas fixed", "serving-autoscaled", "prod", Put(t.DEPLOYMENT, SERVED, "spec.replicas", 3)),
    ("no range", "autoscaler-scales", "prod", Put(t.AUTOSCALER, SERVED, "spec.maxReplicas", 3)),
    (
        "a target out of reach",
        "autoscaler-scales",
        "prod",
        Put(t.AUTOSCALER, SERVED, "spec.metrics.0.resource.target.averageUtilization", 400),
    ),
    ("one copy", "autoscaler-redundant", "prod", Put(t.AUTOSCALER, SERVED, "spec.minReplicas", 1)),
    ("no disruption budget", "serving-disruption-budget", "prod", Drop(t.DISRUPTION_BUDGET, SERVED)),
    (
        "a budget for somebody else",
        "serving-disruption-budget",
        "prod",
        Put(t.DISRUPTION_BUDGET, SERVED, "spec.selector.matchLabels", {"app": "other"}),
    ),
    (
        "a budget of nothing",
        "disruption-budget-usable",
        "prod",
        Put(t.DISRUPTION_BUDGET, SERVED, "spec.maxUnavailable", 0),
    ),
    ("one zone", "pods-spread", "prod", Put(t.DEPLOYMENT, SERVED, f"{POD}.topologySpreadConstraints", [])),
    ("no draining", "pods-drained", "prod", Put(t.DEPLOYMENT, SERVED, f"{MODEL}.lifecycle", REMOVED)),
    (
        "no time to drain",
        "pods-drained",
        "prod",
        Put(t.DEPLOYMENT, "tracking", f"{POD}.terminationGracePeriodSeconds", 30),
    ),
    ("started blindly", "local-processes-awaited", "local", Put(t.LOCAL_PROCESS, SERVED, "ready", "")),
)

ACCOUNT = _of(
    FOUNDATION,
    (
        "a wildcard action",
        "roles-least-privilege",
        "prod",
        Put(t.IAM_ROLE_POLICY, "tracking", "policy > Statement.[Objects].Action", ["s3:*"]),
    ),
    (
        "every resource",
        "roles-least-privilege",
        "prod",
        Put(t.IAM_ROLE_POLICY, "tracking", "policy > Statement.[Connect].Resource", "*"),
    ),
    (
        "everybody's role",
        "roles-trust-bounded",
        "prod",
        Put(t.IAM_ROLE, "cluster", "assumeRolePolicy > Statement.0.Principal", "*"),
    ),
    (
        "any account's role",
        "roles-trust-bounded",
        "prod",
        Put(t.IAM_ROLE, "network-flow", "assumeRolePolicy > Statement.0.Condition", REMOVED),
    ),
    (
        "an administrator",
        "roles-without-admin",
        "prod",
        Put(
            t.IAM_ROLE_ATTACHMENT,
            "cluster-AmazonEKSClusterPolicy",
            "policyArn",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ),
    ),
    ("a key for ever", "keys-rotate", "prod", Put(t.KMS_KEY, "database", "enableKeyRotation", False)),
    (
        "everybody's key",
        "keys-not-public",
        "prod",
        Put(t.KMS_KEY, "artifacts", "policy > Statement.[Account].Principal", "*"),
    ),
    (
        "SSH for the internet",
        "few-ports-open",
        "prod",
        Put(t.SECURITY_GROUP_INGRESS, "edge-caller-0-443", "fromPort", 22),
    ),
    (
        "PostgreSQL for the internet",
        "few-ports-open",
        "prod",
        Put(
            t.SECURITY_GROUP,
            "edge",
            "ingress",
            [{"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["0.0.0.0/0"]}],
        ),
    ),
    (
        "an open default group",
        "default-security-group-closed",
        "prod",
        Put(t.DEFAULT_SECURITY_GROUP, "network-unused", "ingress", [{"protocol": "-1"}]),
    ),
    ("AWS's default group", "default-security-group-taken", "prod", Drop(t.DEFAULT_SECURITY_GROUP, "network-unused")),
    (
        "public addresses",
        "subnets-without-public-addresses",
        "prod",
        Put(t.SUBNET, "network-public-a", "mapPublicIpOnLaunch", True),
    ),
    (
        "a public API",
        "cluster-endpoint-private",
        "prod",
        Put(t.EKS_CLUSTER, "cluster", "vpcConfig.endpointPublicAccess", True),
    ),
    (
        "an API for all",
        "cluster-endpoint-private",
        "dev",
        Put(t.EKS_CLUSTER, "cluster", "vpcConfig.publicAccessCidrs", ["0.0.0.0/0"]),
    ),
    ("plain Secrets", "cluster-secrets-encrypted", "prod", Put(t.EKS_CLUSTER, "cluster", "encryptionConfig", REMOVED)),
    (
        "access by ConfigMap",
        "cluster-access-entries",
        "prod",
        Put(t.EKS_CLUSTER, "cluster", "accessConfig.authenticationMode", "CONFIG_MAP"),
    ),
    (
        "a deletable cluster",
        "cluster-deletion-protected",
        "prod",
        Put(t.EKS_CLUSTER, "cluster", "deletionProtection", False),
    ),
    ("no tags", "resources-attributed", "prod", Put(t.AWS_PROVIDER, "aws", "defaultTags", '{"tags": {}}')),
    ("any account", "resources-attributed", "prod", Put(t.AWS_PROVIDER, "aws", "allowedAccountIds", REMOVED)),
    ("no expiry", "ephemeral-stack-expires", "pr-7", Put(t.AWS_PROVIDER, "aws", "defaultTags > tags.expires", REMOVED)),
    ("no budget", "budget-present", "prod", Drop(t.BUDGET, "alarms")),
    ("a budget that tells nobody", "budget-present", "prod", Put(t.BUDGET, "alarms", "notifications", [])),
    ("a large database", "cost-under-budget", "prod", Put(t.BUDGET, "alarms", "limitAmount", "100")),
    ("plain alarms", "topic-encrypted", "prod", Put(t.TOPIC, "alarms", "kmsMasterKeyId", REMOVED)),
    ("plain logs", "logs-encrypted", "prod", Put(t.LOG_GROUP, "cluster", "kmsKeyId", REMOVED)),
)

MUTANTS = (
    *TRACKING_SERVER,
    *BACKEND_STORE,
    *ARTIFACT_STORE,
    *AUTHENTICATION,
    *APPROVAL,
    *QUALITY_GATE,
    *ARTIFACT_LIFECYCLE,
    *MONITORING,
    *BACKUPS,
    *MODEL_DELIVERY,
    *SERVING,
    *ACCOUNT,
)
