"""The foundation on one machine: PostgreSQL, an S3 gateway, an identity provider and processes, all on loopback."""

from __future__ import annotations

import json
import sys

import pulumi

from infra import naming
from infra.contracts import ArtifactStore, Database, Edge, Foundation, Identity, Issuer
from infra.local import object_store, postgres
from infra.local.daemon import Daemon
from infra.local.directory import directory_document
from infra.local.layout import Layout, layout
from infra.local.process import Process, ProcessArgs
from infra.local.profile import Profile
from infra.local.runtime import LocalRuntime
from infra.local.secret import Secret
from infra.settings import Local, Settings
from infra.workloads.spec import FileRef
from tools import catalogue

WEB_CLIENT_ID = "mlflow-web"


def foundation(settings: Settings) -> Foundation:
    """Registers the parts that AWS supplies elsewhere.

    Raises:
        RunError: a tool that the parts are made of is neither installed nor built.
    """
    local, paths = settings.local or Local(), layout()
    secrets = {
        name: Secret(name, size=32, layout=paths).value
        for name in (
            "flask",
            "kek",
            "cookie",
            "oidc-client",
            "postgres",
            "mlflow",
            "mlflow-auth",
            "s3-root",
            "s3-mlflow",
        )
    }
    daemon = Daemon("supervisor", paths)
    database, database_parts = _database(local, paths, daemon, secrets)
    artifacts, artifact_parts = _artifacts(local, paths, daemon, secrets)
    identity, identity_parts = _identity(settings, local, paths, daemon, secrets)
    tracking_url = f"http://{local.address}:{settings.tracking.port}"
    profile = Profile("platform", directory_document(settings, local, tracking_url), paths)
    return Foundation(
        database=database,
        artifacts=artifacts,
        identity=identity,
        edge=Edge(
            tracking_url=tracking_url,
            allowed_hosts=[
                f"{local.address}:{settings.tracking.port}",
                f"{local.address}:{settings.tracking.server_port}",
            ],
            trusted_proxies=[],
            secure_cookies=False,
            bind=local.address,
        ),
        runtime=LocalRuntime(paths, local.address, [*database_parts, *artifact_parts, *identity_parts]),
        secrets={"flask": secrets["flask"], "kek": secrets["kek"]},
        outputs={"identity_url": identity.people.url, "platform_file": profile.path},
    )


def _database(
    local: Local, paths: Layout, daemon: Daemon, secrets: dict[str, pulumi.Output[str]]
) -> tuple[Database, list[pulumi.Resource]]:
    cluster = postgres.Cluster("postgres", postgres.ClusterArgs(password=secrets["postgres"]), paths)
    server = Process(
        "database",
        ProcessArgs(
            command=postgres.server_command(str(paths.data / "postgres"), local.address, local.database_port),
            ready=f"postgresql://{local.address}:{local.database_port}",
            address=local.address,
            ports=[local.database_port],
            stop_signal="INT",  # PostgreSQL's fast shutdown
            account=postgres.run_as(),
        ),
        paths,
        pulumi.ResourceOptions(depends_on=[daemon, cluster]),
    )
    names = ("mlflow", "mlflow-auth")
    databases = [
        postgres.Database(
            name,
            postgres.DatabaseArgs(
                name=name.replace("-", "_"),
                password=secrets[name],
                address=local.address,
                port=local.database_port,
                superuser_password=secrets["postgres"],
            ),
            pulumi.ResourceOptions(depends_on=[server]),
        )
        for name in names
    ]
    lines = [
        pulumi.Output.concat(f"{local.address}:{local.database_port}:{role}:{role}:", secrets[name], "\n")
        for name in names
        for role in [name.replace("-", "_")]
    ]
    where = f"{local.address}:{local.database_port}"
    return Database(
        tracking_uri=f"postgresql+psycopg://mlflow@{where}/mlflow",
        auth_uri=f"postgresql+psycopg://mlflow_auth@{where}/mlflow_auth",
        env={"PGPASSFILE": FileRef("pgpass")},
        secret_files={"pgpass": pulumi.Output.concat(*lines)},
    ), [server, *databases]


def _artifacts(
    local: Local, paths: Layout, daemon: Daemon, secrets: dict[str, pulumi.Output[str]]
) -> tuple[ArtifactStore, list[pulumi.Resource]]:
    endpoint = f"http://{local.address}:{local.object_store_port}"
    directories = object_store.Directories("objects", paths)
    server = Process(
        "object-store",
        ProcessArgs(
            command=object_store.server_command(_tool("versitygw"), local.address, local.object_store_port, paths),
            env={"ROOT_ACCESS_KEY": object_store.ROOT_ACCESS_KEY},
            secret_env={"ROOT_SECRET_KEY": secrets["s3-root"]},
            ready=f"{endpoint}/health",
            address=local.address,
            ports=[local.object_store_port],
        ),
        paths,
        pulumi.ResourceOptions(depends_on=[daemon, directories]),
    )
    bucket = object_store.Bucket(
        "artifacts",
        object_store.BucketArgs(endpoint=endpoint, root_secret_key=secrets["s3-root"], secret_key=secrets["s3-mlflow"]),
        pulumi.ResourceOptions(depends_on=[server]),
    )
    return ArtifactStore(
        uri=f"s3://{object_store.BUCKET}/artifacts",
        env={
            "MLFLOW_S3_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": object_store.ACCESS_KEY,
            "AWS_DEFAULT_REGION": object_store.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        secret_env={"AWS_SECRET_ACCESS_KEY": secrets["s3-mlflow"]},
    ), [server, bucket]


def _identity(
    settings: Settings, local: Local, paths: Layout, daemon: Daemon, secrets: dict[str, pulumi.Output[str]]
) -> tuple[Identity, list[pulumi.Resource]]:
    url = f"http://{local.address}:{local.identity_port}"
    users = [{"email": user.email, "groups": list(user.groups)} for user in local.users]
    seconds = str(settings.tracking.session_hours * 3600)
    provider = Process(
        "identity",
        ProcessArgs(
            command=(
                *(sys.executable, "-m", "infra.local.oidc_provider"),
                *(FileRef("users.json"), local.address, str(local.identity_port), seconds),
            ),
            env={"PYTHONPATH": str(catalogue.TOOLS_DIR.parent), "PYTHONWARNINGS": "ignore"},
            files={"users.json": json.dumps(users, indent=2)},
            ready=f"{url}/.well-known/openid-configuration",
            address=local.address,
            ports=[local.identity_port],
        ),
        paths,
        pulumi.ResourceOptions(depends_on=[daemon]),
    )
    workloads = [naming.serving(model.name) for model in settings.models]
    projector = Process(
        "workload-identity",
        ProcessArgs(
            command=(
                *(sys.executable, "-m", "infra.local.token_projector"),
                *(url, naming.AUDIENCE, str(paths.run / "tokens"), *workloads),
            ),
            env={"PYTHONPATH": str(catalogue.TOOLS_DIR.parent)},
        ),
        paths,
        pulumi.ResourceOptions(depends_on=[provider]),
    )
    people = Issuer(url=url, audience=WEB_CLIENT_ID)
    return Identity(
        people=people,
        client_id=WEB_CLIENT_ID,
        client_secret=secrets["oidc-client"],
        cookie_secret=secrets["cookie"],
        cli_client_id=naming.CLI_CLIENT_ID,
        workloads=[Issuer(url=url, audience=naming.AUDIENCE, username_claim="sub")],
    ), [provider, projector]


def _tool(name: str) -> str:
    try:
        return str(catalogue.locate(name))
    except catalogue.ToolError as error:
        raise pulumi.RunError(str(error)) from None
