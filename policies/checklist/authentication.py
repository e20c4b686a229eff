"""Point 4: nobody reaches MLflow but through the authenticating proxy, over TLS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from policies import tokens
from policies.model import UNKNOWN, Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
from policies.workloads import (
    containers,
    host_of,
    identity_settings,
    is_platform,
    loopback,
    pod_labels,
    proxy_settings,
    selects,
    servers,
)

POINT = "authentication"
PROXY = "https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview"
KUBERNETES = "https://kubernetes.io/docs/concepts/services-networking"
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


def _service_reaches_proxy(stack: Stack) -> Iterable[Found]:
    for server in servers(stack):
        if server.raw is None:
            continue
        labels = pod_labels(server.resource)
        allowed: set[Any] = set()
        for container in containers(server.resource):
            if container.is_proxy:
                ports = items((container.raw or {}).get("ports") or ())
                allowed |= {port.get("name") for port in ports} | {port.get("containerPort") for port in ports}
        chosen = [each for each in stack.of(tokens.SERVICE) if selects(each.get("spec.selector"), labels)]
        if not chosen:
            yield server.resource, "no Service selects the tracking server"
        for service in chosen:
            for port in items(service.every("spec.ports")):
                target = port.get("targetPort", port.get("port"))
                if target not in allowed:
                    yield (
                        service,
                        f"targetPort {shown(target)} is not a port of the proxy; expected one of {_list(allowed)}",
                    )


service_reaches_proxy = StackPolicy(
    "service-reaches-proxy-only",
    POINT,
    "critical",
    "A Service leads past the proxy to the tracking server. Let its targetPort be the proxy's port.",
    f"{KUBERNETES}/service/",
    _service_reaches_proxy,
)

service_internal = ResourcePolicy(
    "service-internal",
    POINT,
    "high",
    "A Service opens a port on every node or a load balancer of its own. Set type: ClusterIP and use the Ingress.",
    f"{KUBERNETES}/service/#publishing-services-service-types",
    (tokens.SERVICE,),
    lambda service: (
        []
        if service.get("spec.type") in (None, "ClusterIP") and not service.get("spec.externalIPs")
        else [f"spec.type is {shown(service.get('spec.type'))}; expected ClusterIP and no externalIPs"]
    ),
)


def _proxy(
    name: str, severity: Any, description: str, check: Callable[[Mapping[str, Any]], Iterable[str]]
) -> ResourcePolicy:
    """A policy about the proxy's configuration file, wherever it is kept."""

    def validate(resource: Resource) -> Iterable[str]:
        settings = proxy_settings(resource)
        return () if settings is None else check(settings)

    return ResourcePolicy(name, POINT, severity, description, PROXY, PROXY_FILES, validate, deferred=NOT_YET)


def _skips_nothing(settings: Mapping[str, Any]) -> Iterable[str]:
    for key in ("skip_auth_routes", "skip_auth_regex", "skip_auth_preflight", "trusted_ips"):
        if settings.get(key):
            yield f"{key} is set; remove it, or those requests come through without signing in"
    if settings.get("ssl_insecure_skip_verify") or settings.get("insecure_oidc_skip_issuer_verification"):
        yield "the identity provider is not verified; remove the insecure options"


skips_nothing = _proxy(
    "proxy-skips-nothing",
    "critical",
    "The proxy lets requests through without signing in. Remove its skip_auth options.",
    _skips_nothing,
)


def _signs_in_safely(settings: Mapping[str, Any]) -> Iterable[str]:
    if settings.get("provider") not in ("oidc", "keycloak-oidc"):
        yield f"provider is {shown(settings.get('provider'))}; expected oidc"
    if settings.get("code_challenge_method") != "S256":
        yield f"code_challenge_method is {shown(settings.get('code_challenge_method'))}; expected S256 (PKCE)"
    issuer = str(settings.get("oidc_issuer_url", ""))
    if not issuer.startswith("https://") and not loopback(_host(issuer)):
        yield f"oidc_issuer_url {issuer} is not https"


signs_in_safely = _proxy(
    "proxy-signs-in-safely",
    "high",
    "People sign in without PKCE or at an issuer that anybody can impersonate. "
    "Set code_challenge_method = S256, use https.",
    _signs_in_safely,
)


def _guards_cookies(settings: Mapping[str, Any]) -> Iterable[str]:
    here = loopback(host_of(str(settings.get("http_address", ""))))
    if settings.get("cookie_secure") is not True and not here:
        yield "cookie_secure is not true, so the session is sent over plain HTTP"
    if settings.get("cookie_httponly") is not True:
        yield "cookie_httponly is not true, so scripts can read the session"
    if settings.get("cookie_samesite") not in ("lax", "strict"):
        yield f"cookie_samesite is {shown(settings.get('cookie_samesite'))}; expected lax or strict"


guards_cookies = _proxy(
    "proxy-guards-cookies",
    "high",
    "The session cookie can be stolen. Set cookie_secure, cookie_httponly and cookie_samesite.",
    _guards_cookies,
)


def _leads_to_loopback(settings: Mapping[str, Any]) -> Iterable[str]:
    for upstream in settings.get("upstreams", ()):
        if not loopback(_host(str(upstream))):
            yield f"upstream {upstream} is not on loopback"
    if settings.get("pass_authorization_header") is not True:
        yield "pass_authorization_header is not true, so MLflow cannot verify who asks"
    if settings.get("pass_basic_auth") or settings.get("pass_user_headers"):
        yield "identities are passed in plain headers; expected the verified token only"


leads_to_loopback = _proxy(
    "proxy-leads-to-loopback",
    "high",
    "The proxy talks to MLflow over the network or hands on unverifiable identities. "
    "Use http://127.0.0.1 and the token.",
    _leads_to_loopback,
)


def _trusts_few(settings: Mapping[str, Any]) -> Iterable[str]:
    trusted = [str(each) for each in settings.get("trusted_proxy_ips", ())]
    if settings.get("reverse_proxy") and not trusted:
        yield "reverse_proxy is true without trusted_proxy_ips, so anybody may claim any address"
    if any(each.endswith("/0") for each in trusted):
        yield f"trusted_proxy_ips has {', '.join(trusted)}; expected the load balancer's networks only"


trusts_few = _proxy(
    "proxy-trusts-few",
    "high",
    "The proxy believes X-Forwarded headers of everybody. Set trusted_proxy_ips to the load balancer's networks.",
    _trusts_few,
)


def _issuers_bound(resource: Resource) -> Iterable[str]:
    document = identity_settings(resource) or {}
    for issuer in items(document.get("issuers", ())):
        url = str(issuer.get("url", ""))
        if not url.startswith("https://") and not loopback(_host(url)):
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


def _over_tls(resource: Resource) -> Iterable[str]:
    annotations = resource.get("metadata.annotations") or {}
    if not resource.every("spec.tls"):
        yield "spec.tls is not set"
    if resource.get("spec.ingressClassName") == "alb":
        if annotations.get("alb.ingress.kubernetes.io/ssl-redirect") != "443":
            yield "ssl-redirect is not 443, so plain HTTP is answered"
        policy = annotations.get("alb.ingress.kubernetes.io/ssl-policy")
        if not str(policy).startswith("ELBSecurityPolicy-TLS13"):
            yield f"ssl-policy is {shown(policy)}; expected one of ELBSecurityPolicy-TLS13-*"


over_tls = ResourcePolicy(
    "ingress-over-tls",
    POINT,
    "critical",
    "Tokens travel unencrypted. Give the Ingress tls hosts, a redirect to 443 and a TLS 1.2+ policy.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-1",
    (tokens.INGRESS,),
    _over_tls,
)


def _firewalled(stack: Stack) -> Iterable[Found]:
    public = [each for each in stack.of(tokens.LOAD_BALANCER) if each.get("spec.scheme") == "internet-facing"]
    open_to_all = [each for each in stack.of(tokens.SECURITY_GROUP_INGRESS) if each.get("cidrIpv4") == "0.0.0.0/0"]
    if public and open_to_all:
        for ingress in stack.of(tokens.INGRESS):
            if not (ingress.get("metadata.annotations") or {}).get("alb.ingress.kubernetes.io/wafv2-acl-arn"):
                yield ingress, "faces the internet without a firewall; set aws.edge.waf: true"


firewalled = StackPolicy(
    "ingress-behind-firewall",
    POINT,
    "medium",
    "The load balancer faces the whole internet without a web application firewall. Set aws.edge.waf: true.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-16",
    _firewalled,
)


def _network_policies(stack: Stack) -> Iterable[Found]:
    policies = stack.of(tokens.NETWORK_POLICY)
    if not is_platform(stack):
        return
    for namespace in stack.of(tokens.NAMESPACE):
        name = namespace.get("metadata.name")
        if not any(
            each.get("metadata.namespace") == name
            and each.get("spec.podSelector") == {}
            and {*each.every("spec.policyTypes")} == {"Ingress", "Egress"}
            and not each.every("spec.ingress")
            and not each.every("spec.egress")
            for each in policies
        ):
            yield namespace, "no NetworkPolicy denies by default"
    for owner in stack.of(*tokens.POD_OWNERS):
        labels = pod_labels(owner)
        if not any(
            each.get("spec.podSelector") and selects(each.get("spec.podSelector.matchLabels"), labels)
            for each in policies
        ):
            yield owner, "no NetworkPolicy of its own selects its pods"


network_policies = StackPolicy(
    "network-denied-by-default",
    POINT,
    "high",
    "Any pod may talk to any other. Deny by default in the namespace and allow what each workload reaches.",
    f"{KUBERNETES}/network-policies/#default-policies",
    _network_policies,
)


def _network_admits_proxy(stack: Stack) -> Iterable[Found]:
    for server in servers(stack):
        own = str(server.env.get("MLOPS_LISTEN", "")).rpartition(":")[2]
        for each in stack.of(tokens.NETWORK_POLICY):
            if selects(each.get("spec.podSelector.matchLabels"), pod_labels(server.resource)):
                for rule in items(each.every("spec.ingress")):
                    ports = [str(port.get("port")) for port in items(rule.get("ports") or ())]
                    if not ports or own in ports:
                        yield each, "admits connections to MLflow's own port; name the proxy's port only"
                    if not rule.get("from"):
                        yield each, "admits connections from everywhere; name the sources"


network_admits_proxy = StackPolicy(
    "network-admits-proxy-only",
    POINT,
    "high",
    "The network lets others reach the tracking server past its proxy. Name ports and sources in its NetworkPolicy.",
    f"{KUBERNETES}/network-policies/",
    _network_admits_proxy,
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


def _host(url: str) -> str:
    found = re.match(r"https?://(\[[^\]]+\]|[^/:]+)", url)
    return found[1] if found else ""


def _list(values: Iterable[Any]) -> str:
    return json.dumps(sorted(map(str, values)))


POLICIES = (
    behind_proxy,
    on_loopback,
    service_reaches_proxy,
    service_internal,
    skips_nothing,
    signs_in_safely,
    guards_cookies,
    leads_to_loopback,
    trusts_few,
    issuers_bound,
    hosts_checked,
    no_plain_secret,
    over_tls,
    firewalled,
    network_policies,
    network_admits_proxy,
    listeners_on_loopback,
)
