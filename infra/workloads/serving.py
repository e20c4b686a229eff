"""A served model: a process that follows the model's alias and answers /invocations."""

from __future__ import annotations

import pulumi

from infra import naming
from infra.contracts import Foundation
from infra.settings import Model, Settings
from infra.workloads.spec import Container, Probe, Resources, Scaling, Workload


def deploy(settings: Settings, foundation: Foundation, model: Model) -> pulumi.Output[str]:
    """Runs the serving workload of `model`; the output is its URL."""
    return foundation.runtime.run(workload(foundation, model))


def workload(foundation: Foundation, model: Model) -> Workload:
    """The serving workload of `model`; it starts before the model exists and waits for the alias."""
    server = Container(
        name="model-server",
        image="serving",
        command=("mlops", "serving", "serve"),
        env={
            "MLFLOW_TRACKING_URI": foundation.edge.tracking_url,
            "MLFLOW_TRACKING_AUTH": "mlops",
            "MLFLOW_WORKSPACE": model.team,
            "MLOPS_LISTEN": f"{foundation.edge.bind}:{model.port}",
            "MLOPS_MODEL_NAME": model.name,
            "MLOPS_MODEL_ALIAS": model.alias,
            "MLOPS_WORKERS": str(model.workers),
        },
        port=model.port,
        exposed=True,
        readiness=Probe(path="/health", port=model.port, period=10),
        liveness=Probe(path="/live", port=model.port, period=30),
        resources=Resources(cpu="500m", memory="512Mi", cpu_limit="1000m", memory_limit="1Gi"),
        scratch=("MLOPS_SCRATCH",),
    )
    return Workload(
        name=naming.serving(model.name),
        containers=(server,),
        scaling=Scaling(model.scaling.minimum, model.scaling.maximum, model.scaling.cpu_percent),
        reaches=frozenset({"tracking"}),
        token_audience=naming.AUDIENCE,
        awaits_readiness=False,
    )
