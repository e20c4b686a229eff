"""Point 4: nobody reaches MLflow without an identity that was verified."""

from __future__ import annotations

import re
from collections.abc import Iterable

from policies import tokens
from policies.model import UNKNOWN, Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
from policies.workloads import (
    containers,
    host_of,
    identity_settings,
    loopback,
    proxy_settings,
    servers,
    url_host,
)

POINT = "authentication"
PROXY = "https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview"
PROXY_FILES = (tokens.SECRET, tokens.LOCAL_PROCESS)
IDENTITY_FILES = (tokens.CONFIG_MAP, tokens.LOCAL_PROCESS, tokens.LOCAL_TASK)
NOT_YET = "the file holds secrets or addresses that the cloud makes"


def _behind_proxy(stack: Stack) -> Iterable[Found]:
    proxies = [each for each in stack.of(*tokens.WORKLOADS) if any(c.is_proxy for c in containers(each))]
    for server in servers(stack):
        beside = [each for each in proxies if each is server.resource or each.type == tokens.LOCAL_PROCESS]
        if not beside:
            yield server.resource, f"no OAuth2 proxy stands in front of {server.name!r}"


behind_proxy = StackPolicy(
    "server-behind-proxy",
    POINT,
    "critical",
    "A tracking server has no authenticating proxy. Run oauth2-proxy in the same pod and expose only its port.",
    PROXY,
    _behind_proxy,
)


def _on_loopback(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if not container.is_server:
            continue
        listen = container.env.get("MLOPS_LISTEN")
        words = [str(part) for part in container.command]
        host = host_of(str(listen)) if listen else words[words.index("--host") + 1] if "--host" in words[:-1] else None
        if host is None or not loopback(host):
            yield f"{container.name!r} listens on {host or 'no stated address'}; set MLOPS_LISTEN to 127.0.0.1:PORT"
        elif listen and container.raw is not None and int(str(listen).rpartition(":")[2]) in container.ports:
            yield f"the pod declares MLflow's own port {str(listen).rpartition(':')[2]}; declare only the proxy's"


on_loopback = ResourcePolicy(
    "server-on-loopback",
    POINT,
    "critical",
    "MLflow's own port can be reached without signing in. "
    "Let it listen on 127.0.0.1 and declare only the proxy's port.",
    "https://mlflow.org/docs/latest/self-hosting/security/network/",
    tokens.WORKLOADS,
    _on_loopback,
)


def _issuers_bound(resource: Resource) -> Iterable[str]:
    document = identity_settings(resource) or {}
    for issuer in items(document.get("issuers", ())):
        url = str(issuer.get("url", ""))
        if not url.startswith("https://") and not loopback(url_host(url)):
            yield f"issuer {url} is not https"
        if not any(issuer.get("audiences") or ()):
            yield f"issuer {url} accepts tokens of every audience"
    if "issuers" in document and not document["issuers"]:
        yield "no issuer is configured"


issuers_bound = ResourcePolicy(
    "identity-issuers-bound",
    POINT,
    "critical",
    "MLflow accepts tokens that were made for somebody else. Give each issuer an https URL and audiences.",
    "https://www.rfc-editor.org/rfc/rfc8725#section-3.9",
    IDENTITY_FILES,
    _issuers_bound,
    deferred=NOT_YET,
)


def _hosts_checked(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        hosts = container.env.get("MLFLOW_SERVER_ALLOWED_HOSTS")
        if container.is_server and hosts is not UNKNOWN and (not hosts or "*" in hosts):
            yield f"MLFLOW_SERVER_ALLOWED_HOSTS of {container.name!r} is {shown(hosts)}; expected the platform's hosts"
        origins = container.env.get("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS")
        if container.is_server and isinstance(origins, str) and "*" in origins:
            yield f"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS of {container.name!r} admits every site"


hosts_checked = ResourcePolicy(
    "server-checks-hosts",
    POINT,
    "high",
    "Any web site can talk to MLflow through a visitor's browser. List the platform's own hosts and origins.",
    "https://mlflow.org/docs/latest/self-hosting/security/network/",
    tokens.WORKLOADS,
    _hosts_checked,
)

SECRET_NAME = re.compile(r"(PASSWORD|PASSPHRASE|SECRET|PRIVATE_KEY|TOKEN)(_KEY)?$")


def _no_plain_secret(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        for name, value in container.env.items():
            if SECRET_NAME.search(name) and isinstance(value, str) and value and not value.startswith("arn:"):
                yield f"{name} of {container.name!r} is in the definition; use a Secret (secret_env)"


no_plain_secret = ResourcePolicy(
    "no-secret-in-plain-env",
    POINT,
    "critical",
    "A secret stands in a workload's definition for everyone who may look at it. Move it to secret_env.",
    "https://kubernetes.io/docs/concepts/configuration/secret/",
    tokens.WORKLOADS,
    _no_plain_secret,
)


def _listeners_on_loopback(resource: Resource) -> Iterable[str]:
    address = str(resource.get("address"))
    if resource.every("ports") and not loopback(address):
        yield f"address is {address}; expected a loopback address"
    for container in containers(resource):
        for name, value in container.env.items():
            if name.endswith("LISTEN") and isinstance(value, str) and not loopback(host_of(value)):
                yield f"{name} is {value}; expected a loopback address"
        for part in map(str, container.command):
            if re.search(r"(^|[=:@/])(0\.0\.0\.0|\*|\[?::\]?)(:\d+)?$", part):
                yield f"the command has {part}, which is every address of the machine"
    bound = str((proxy_settings(resource) or {}).get("http_address", "127.0.0.1:0"))
    if not loopback(host_of(bound)):
        yield f"the proxy's http_address is {bound}; expected a loopback address"


listeners_on_loopback = ResourcePolicy(
    "local-listeners-on-loopback",
    POINT,
    "critical",
    "A process of the local stack can be reached from the network. Let it listen on 127.0.0.1.",
    "https://cheatsheetseries.owasp.org/cheatsheets/Network_Segmentation_Cheat_Sheet.html",
    (tokens.LOCAL_PROCESS,),
    _listeners_on_loopback,
)


POLICIES = (
    behind_proxy,
    on_loopback,
    issuers_bound,
    hosts_checked,
    no_plain_secret,
    listeners_on_loopback,
)
