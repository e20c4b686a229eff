"""Point 4: the OAuth2 proxy's own configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from policies.checklist.authentication import NOT_YET, POINT, PROXY, PROXY_FILES
from policies.model import Resource
from policies.rule import ResourcePolicy, shown
from policies.workloads import (
    host_of,
    loopback,
    proxy_settings,
    url_host,
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
    if not issuer.startswith("https://") and not loopback(url_host(issuer)):
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
        if not loopback(url_host(str(upstream))):
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


POLICIES = (
    skips_nothing,
    signs_in_safely,
    guards_cookies,
    leads_to_loopback,
    trusts_few,
)
