"""The production checklist, defined once: the policy pack, `mlops checklist` and the README's table are made from it.

Plain data, so that the command line needs nothing of Pulumi and the policies need nothing of MLflow.
"""

from __future__ import annotations

from dataclasses import dataclass

DOCS = "https://mlflow.org/docs/latest"


@dataclass(frozen=True)
class Point:
    """One point. `probe` names the function of `mlops.checklist.probes` that asks a running platform about it.

    `open` says what is not built yet; such a point is reported as open and never as passed.
    """

    number: int
    id: str
    title: str
    why: str
    mend: str
    url: str
    probe: str
    open: str = ""


POINTS = (
    Point(
        1,
        "tracking-server",
        "A tracking server of its own, in a container",
        "A server on somebody's laptop, or beside a training job, takes everyone's experiments down with it.",
        "Run `mlops tracking serve` in a container of its own: non-root, read-only, with a memory limit.",
        f"{DOCS}/self-hosting/architecture/tracking-server/",
        "tracking_server",
    ),
    Point(
        2,
        "backend-store",
        "PostgreSQL as backend store, never SQLite",
        "SQLite locks the whole file for one writer and lives on one disk.",
        "Give MLFLOW_BACKEND_STORE_URI a postgresql+psycopg:// URI, encrypted, private and with connections to spare.",
        f"{DOCS}/self-hosting/architecture/backend-store/",
        "backend_store",
    ),
    Point(
        3,
        "artifact-store",
        "Artifacts in an object store",
        "Files on the server's disk are lost with it and do not scale.",
        "Give MLFLOW_ARTIFACTS_DESTINATION an s3:// URI of a private, encrypted, versioned bucket.",
        f"{DOCS}/self-hosting/architecture/artifact-store/",
        "artifact_store",
    ),
    Point(
        4,
        "authentication",
        "An authenticating proxy in front",
        "Whoever reaches MLflow's own port can read and overwrite every model.",
        "Let MLflow listen on loopback and expose only the OAuth2 proxy, with PKCE, secure cookies and no "
        "skipped routes.",
        "https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview",
        "authentication",
    ),
    Point(
        5,
        "approval",
        "An approval workflow in the model registry",
        "Without one, whoever trains a model decides alone that it goes to production.",
        "Keep four eyes on, give each team approvers of its own, and serve only protected aliases.",
        f"{DOCS}/ml/model-registry/workflow/",
        "approval",
    ),
    Point(
        6,
        "quality-gate",
        "An automatic quality gate before deployment",
        "A worse model is noticed by its users first.",
        "Serve an alias that only a passed gate moves, and give what serves no right to move it.",
        f"{DOCS}/ml/evaluation/",
        "quality_gate",
    ),
    Point(
        7,
        "rank-zero",
        "Logging from rank 0 only in distributed training",
        "Every other rank logs the same metrics again, and overwrites the model.",
        "Open runs with `mlops.training.run`: it logs on rank 0 and does nothing on the others.",
        f"{DOCS}/ml/tracking/",
        "rank_zero",
    ),
    Point(
        8,
        "artifact-lifecycle",
        "A lifecycle for artifacts",
        "Overwritten versions and broken uploads are paid for, and an accidental deletion is final.",
        "Version the bucket, expire noncurrent versions, abort unfinished uploads, never expire current objects.",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html",
        "artifact_lifecycle",
    ),
    Point(
        9,
        "monitoring",
        "Monitoring and alerts",
        "A server that is slow, full or down is noticed by the people who wait for it.",
        "Alarm on the database, the cluster and the edge to a subscribed topic; load the Grafana dashboards.",
        f"{DOCS}/self-hosting/",
        "monitoring",
        open="the Grafana dashboards are not part of the platform yet",
    ),
    Point(
        10,
        "backups",
        "Regular backups of the database, and tests that they restore",
        "A backup that was never restored is a hope.",
        "Back up nightly to a locked vault, copy to another region, and let AWS Backup test the restore weekly.",
        "https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html",
        "backups",
        open="restore drills are not part of the platform yet",
    ),
    Point(
        11,
        "model-delivery",
        "Models are delivered by CI/CD",
        "What is deployed by hand cannot be repeated or traced.",
        "Deploy pinned, immutable, scanned images, roll without a gap, and let CI sign in with tokens instead of keys.",
        "https://docs.github.com/en/actions/concepts/security/openid-connect",
        "model_delivery",
        open="the workflow that delivers models is not part of the platform yet",
    ),
    Point(
        12,
        "serving",
        "Served models with health checks and autoscaling",
        "A hung or overloaded model server answers nobody.",
        "Give each served model readiness and liveness probes, an autoscaler and a disruption budget.",
        f"{DOCS}/ml/deployment/",
        "serving",
    ),
)
BY_ID = {point.id: point for point in POINTS}
