"""The tracking server: an OAuth2 proxy in front of MLflow, which listens on loopback and verifies each token itself."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from infra import naming
from infra.contracts import Foundation, Issuer
from infra.settings import Settings
from infra.workloads.spec import Container, FileRef, Probe, Resources, Text, Workload

NAME = "tracking"


def deploy(settings: Settings, foundation: Foundation) -> pulumi.Output[str]:
    """Runs the tracking server; the output is its URL."""
    foundation.runtime.run(workload(settings, foundation))
    return pulumi.Output.from_input(foundation.edge.tracking_url)


def workload(settings: Settings, foundation: Foundation) -> Workload:
    """The tracking server's workload: schema migration first, then the proxy and MLflow side by side."""
    mlflow = _mlflow(settings, foundation)
    migration = Container(
        name="migrate",
        image="tracking",
        command=("mlops", "tracking", "migrate"),
        env=mlflow.env,
        secret_env=mlflow.secret_env,
        files=mlflow.files,
        secret_files=mlflow.secret_files,
        scratch=mlflow.scratch,
        resources=Resources(cpu="250m", memory="512Mi", memory_limit="1Gi"),
    )
    return Workload(
        name=NAME,
        containers=(_proxy(settings, foundation), mlflow),
        before=(migration,),
        reaches=frozenset({"database", "artifacts", "identity"}),
    )


def _mlflow(settings: Settings, foundation: Foundation) -> Container:
    tracking = settings.tracking
    env: dict[str, Text | FileRef] = {
        "MLFLOW_BACKEND_STORE_URI": foundation.database.tracking_uri,
        "MLFLOW_ARTIFACTS_DESTINATION": foundation.artifacts.uri,
        "MLFLOW_SERVER_ALLOWED_HOSTS": _joined(foundation.edge.allowed_hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": foundation.edge.tracking_url,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": str(tracking.job_execution).lower(),
        "MLOPS_DIRECT_ARTIFACTS": str(tracking.direct_artifacts).lower(),
        "MLOPS_AUTH_DATABASE_URI": foundation.database.auth_uri,
        "MLOPS_IDENTITY_FILE": FileRef("identity.json"),
        "MLOPS_LISTEN": f"127.0.0.1:{tracking.server_port}",
        "MLOPS_MANAGEMENT_LISTEN": f"{foundation.edge.bind}:{tracking.management_port}",
        "MLOPS_WORKERS": str(tracking.workers),
        "MLOPS_PROTECTED_ALIASES": ",".join(settings.registry.protected_aliases),
        "MLOPS_FOUR_EYES": str(settings.registry.four_eyes).lower(),
        **foundation.database.env,
        **foundation.artifacts.env,
    }
    return Container(
        name="mlflow",
        image="tracking",
        command=("mlops", "tracking", "serve"),
        env=env,
        secret_env={
            "MLFLOW_FLASK_SERVER_SECRET_KEY": foundation.secrets["flask"],
            "MLFLOW_CRYPTO_KEK_PASSPHRASE": foundation.secrets["kek"],
            **foundation.artifacts.secret_env,
        },
        files={"identity.json": _identity(settings, foundation)},
        secret_files=foundation.database.secret_files,
        port=tracking.server_port,
        management_port=tracking.management_port,
        readiness=Probe(path="/ready", port=tracking.management_port),
        liveness=Probe(path="/live", port=tracking.management_port, failures=6),
        resources=Resources(cpu="500m", memory="1Gi", memory_limit="2Gi"),
        scratch=("MLOPS_SCRATCH",),
    )


def _identity(settings: Settings, foundation: Foundation) -> pulumi.Output[str]:
    """The text of `mlops.tracking.identity`'s configuration file."""
    identity = foundation.identity
    serving = {naming.service_account(naming.serving(model.name)): {model.team: "viewer"} for model in settings.models}
    issuers = [
        _issuer(identity.people, [identity.client_id, identity.cli_client_id], {}),
        *(_issuer(issuer, [issuer.audience], serving) for issuer in identity.workloads),
    ]
    document = {
        "issuers": issuers,
        "admins": list(settings.admins),
        "teams": [
            {"name": team.name, "roles": {role: list(groups) for role, groups in team.roles.items()}}
            for team in settings.teams
        ],
    }
    return pulumi.Output.json_dumps(document, indent=2, sort_keys=True)


def _issuer(issuer: Issuer, audiences: list[Text], principals: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "url": issuer.url,
        "audiences": audiences,
        "username_claim": issuer.username_claim,
        "groups_claim": issuer.groups_claim,
        "username_prefix": issuer.username_prefix,
        "group_prefix": issuer.group_prefix,
        "principals": principals,
    }


def _proxy(settings: Settings, foundation: Foundation) -> Container:
    identity, edge, tracking = foundation.identity, foundation.edge, settings.tracking
    bearer = [pulumi.Output.concat(identity.people.url, "=", identity.cli_client_id)]
    bearer += [pulumi.Output.concat(issuer.url, "=", issuer.audience) for issuer in identity.workloads]
    options: dict[str, pulumi.Input[Any]] = {
        "provider": "oidc",
        "oidc_issuer_url": identity.people.url,
        "oidc_email_claim": identity.people.username_claim,
        "oidc_groups_claim": identity.people.groups_claim,
        "insecure_oidc_allow_unverified_email": True,  # which e-mail addresses count is decided by the groups
        "client_id": identity.client_id,
        "client_secret": identity.client_secret,
        "code_challenge_method": "S256",
        "cookie_secret": identity.cookie_secret,
        "cookie_secure": edge.secure_cookies,
        "cookie_httponly": True,
        "cookie_samesite": "lax",
        "cookie_name": "__Host-mlflow" if edge.secure_cookies else "mlflow",
        "cookie_expire": f"{settings.tracking.session_hours}h",
        "cookie_refresh": "5m",
        "email_domains": ["*"],
        "http_address": f"{edge.bind}:{tracking.port}",
        "redirect_url": pulumi.Output.concat(edge.tracking_url, "/oauth2/callback"),
        "reverse_proxy": bool(edge.trusted_proxies),
        "trusted_proxy_ips": list(edge.trusted_proxies),
        "upstreams": [f"http://127.0.0.1:{tracking.server_port}"],
        "pass_authorization_header": True,
        "pass_basic_auth": False,
        "pass_user_headers": False,
        "pass_host_header": True,
        "skip_jwt_bearer_tokens": True,
        "extra_jwt_issuers": bearer,
        "skip_provider_button": True,
        "api_routes": ["^/api/", "^/ajax-api/", "^/graphql"],
        "scope": identity.scope,
        "request_logging": False,
        "banner": "-",
    }
    return Container(
        name="proxy",
        image="oauth2-proxy",
        command=("oauth2-proxy", "--config", FileRef("oauth2-proxy.cfg")),
        secret_files={"oauth2-proxy.cfg": pulumi.Output.all(**options).apply(_toml)},
        port=tracking.port,
        exposed=True,
        readiness=Probe(path="/ready", port=tracking.port),
        liveness=Probe(path="/ping", port=tracking.port),
        resources=Resources(cpu="100m", memory="64Mi", memory_limit="256Mi"),
    )


def _toml(options: dict[str, Any]) -> str:
    """oauth2-proxy's TOML: JSON's strings, booleans and flat arrays are written alike."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in sorted(options.items()) if value != [])


def _joined(parts: Any) -> pulumi.Output[str]:
    return pulumi.Output.all(*parts).apply(",".join)
