"""Every policy, by the points of the production checklist (`mlops.checklist.points`)."""

from policies.checklist import (
    approval,
    artifact_lifecycle,
    artifact_store,
    authentication,
    backend_store,
    backups,
    foundation,
    model_delivery,
    monitoring,
    quality_gate,
    serving,
    tracking_server,
)
from policies.rule import Policy

POLICIES: tuple[Policy, ...] = (
    *tracking_server.POLICIES,
    *backend_store.POLICIES,
    *artifact_store.POLICIES,
    *authentication.POLICIES,
    *approval.POLICIES,
    *quality_gate.POLICIES,
    *artifact_lifecycle.POLICIES,
    *monitoring.POLICIES,
    *backups.POLICIES,
    *model_delivery.POLICIES,
    *serving.POLICIES,
    *foundation.POLICIES,
)
