"""A small platform on Kubernetes, recorded with Pulumi's mocks: every kind of object that the runtime makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc

from infra.computed import autonamed
from infra.kubernetes import Destination, KubernetesRuntime, KubernetesRuntimeArgs
from infra.kubernetes.manifests import Manifest, manifest
from infra.workloads.spec import Container, FileRef, Probe, Resources, Scaling, ScheduledJob, Workload

SMALL = Resources(cpu="100m", memory="128Mi", memory_limit="256Mi")
IMAGES = {name: f"registry.example.org/{name}:1.0.0" for name in ("tracking", "serving", "jobs", "oauth2-proxy")}
ARGS = KubernetesRuntimeArgs(
    images=IMAGES,
    destinations={
        "database": [Destination(["10.0.64.0/20"], 5432)],
        "artifacts": [Destination(["0.0.0.0/0"], 443)],
        "identity": [Destination(["0.0.0.0/0"], 443)],
        "tracking": [Destination(["0.0.0.0/0"], 443)],
    },
    dns_cidrs=["169.254.20.10/32"],
    ingress_class="alb",
    hosts={"tracking": "mlflow.example.org"},
    ingress_annotations={"example.org/scheme": "internal"},
    load_balancer_cidrs=["10.0.0.0/20"],
)
PROXY = Container(
    name="proxy",
    image="oauth2-proxy",
    command=("oauth2-proxy", "--config", FileRef("proxy.cfg")),
    secret_files={"proxy.cfg": "cookie_secret = made-up"},
    port=4180,
    exposed=True,
    readiness=Probe("/ready", 4180),
    liveness=Probe("/ping", 4180),
    resources=SMALL,
)
MLFLOW = Container(
    name="mlflow",
    image="tracking",
    command=("mlops", "tracking", "serve"),
    env={"MLOPS_IDENTITY_FILE": FileRef("identity.json"), "MLOPS_LISTEN": "127.0.0.1:5000"},
    secret_env={"MLFLOW_FLASK_SERVER_SECRET_KEY": "made-up"},
    files={"identity.json": "{}"},
    port=5000,
    management_port=9000,
    readiness=Probe("/ready", 9000),
    liveness=Probe("/live", 9000, period=30, startup=300),
    resources=SMALL,
    scratch=("MLOPS_SCRATCH",),
)
MIGRATE = Container(name="migrate", image="tracking", command=("mlops", "tracking", "migrate"), resources=SMALL)
TRACKING = Workload(
    name="tracking",
    containers=(PROXY, MLFLOW),
    before=(MIGRATE,),
    scaling=Scaling(2, 2),
    reaches=frozenset({"database", "artifacts", "identity"}),
)
SERVING = Workload(
    name="serving-iris",
    containers=(
        Container(
            name="model-server",
            image="serving",
            command=("mlops", "serving", "serve"),
            port=8080,
            exposed=True,
            readiness=Probe("/health", 8080),
            liveness=Probe("/live", 8080),
            resources=Resources("500m", "512Mi", "1Gi", "1000m"),
            scratch=("MLOPS_SCRATCH",),
        ),
    ),
    scaling=Scaling(3, 9, 60),
    reaches=frozenset({"tracking"}),
    token_audience="mlflow",
    awaits_readiness=False,
)
BACKUP = ScheduledJob(
    name="backup",
    schedule="0 3 * * *",
    container=Container(name="backup", image="jobs", command=("mlops", "backup"), resources=SMALL),
    reaches=frozenset({"database", "artifacts"}),
)


@dataclass
class Recorded:
    """The manifests in the order of registration, and what the program returned."""

    manifests: list[Manifest] = field(default_factory=list)
    result: Any = None

    def one(self, kind: str, name: str) -> Manifest:
        """The only object of `kind` whose name is, or begins with, `name`."""
        (found,) = [
            each
            for each in self.manifests
            if each["kind"] == kind and (each["metadata"]["name"] == name or each["metadata"]["name"].startswith(name))
        ]
        return found

    def kinds(self) -> set[str]:
        """The kinds of all objects."""
        return {each["kind"] for each in self.manifests}


def record(program: Callable[[], pulumi.Output[Any] | None]) -> Recorded:
    """What `program` registers of Kubernetes; a provider function that it calls is an error."""
    recorded = Recorded()

    class Answers(mocks.Mocks):
        def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
            inputs = _plain(dict(args.inputs))
            if args.typ.startswith("kubernetes:"):
                inputs |= autonamed(args.name, inputs)
                recorded.manifests.append(manifest(args.name, inputs))
            if inputs.get("kind") == "Ingress":
                inputs["status"] = {"loadBalancer": {"ingress": [{"hostname": "balancer.example.org"}]}}
            return f"{args.name}-id", inputs

        def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
            raise LookupError(args.token)

    mocks.set_mocks(Answers(), preview=False)

    @pulumi.runtime.test
    def run() -> pulumi.Output[Any]:
        return pulumi.Output.from_input(program()).apply(lambda value: setattr(recorded, "result", value))

    run()
    return recorded


def platform() -> Recorded:
    """The whole small platform."""

    def program() -> pulumi.Output[Any]:
        runtime = KubernetesRuntime("kubernetes", ARGS)
        runtime.schedule(BACKUP)
        return pulumi.Output.all(
            tracking=runtime.run(TRACKING),
            serving=runtime.run(SERVING),
            task=runtime.complete("bootstrap", MIGRATE, frozenset({"database"})),
        )

    return record(program)


def _plain(value: Any) -> Any:
    """Plain values out of the mocks' wire format, in which secrets are wrapped and all numbers are floats."""
    if isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig:
        return _plain(value["value"])
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
