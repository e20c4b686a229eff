from __future__ import annotations

import json
from typing import Any

from infra.recording import Recording, Resource

INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
PREFIX = "alb.ingress.kubernetes.io/"


def annotations(ingress: Resource) -> dict[str, Any]:
    found = ingress.inputs["metadata"]["annotations"]
    return {key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)}


def test_http_is_redirected_and_tls_is_modern(any_state: Recording) -> None:
    ingresses = any_state.of(INGRESS)
    assert len(ingresses) == 2
    for ingress in ingresses:
        said = annotations(ingress)
        assert said["ssl-redirect"] == "443"
        assert {port for entry in json.loads(said["listen-ports"]) for port in entry.values()} == {80, 443}
        assert said["ssl-policy"].startswith("ELBSecurityPolicy-TLS13-1-2")


def test_the_load_balancer_has_the_security_group_of_the_edge(aws_stack: Recording) -> None:
    group = aws_stack.one("aws:ec2/securityGroup:SecurityGroup", "edge")
    for ingress in aws_stack.of(INGRESS):
        assert group.urn in ingress.dependencies
        assert annotations(ingress)["security-groups"].startswith("sg-")


def test_health_is_asked_where_readiness_is(any_state: Recording) -> None:
    paths = {ingress.name: annotations(ingress)["healthcheck-path"] for ingress in any_state.of(INGRESS)}
    assert paths == {"tracking": "/ready", "serving-iris-classifier": "/health"}


def test_one_certificate_covers_every_host(any_state: Recording) -> None:
    certificate = any_state.one("aws:acm/certificate:Certificate").inputs
    domain = certificate["domainName"]
    hosts = {rule["host"] for ingress in any_state.of(INGRESS) for rule in ingress.inputs["spec"]["rules"]}
    assert domain in hosts
    assert all(host == domain or host.partition(".")[2] == domain for host in hosts)
    assert certificate["subjectAlternativeNames"] == [f"*.{domain}"]


def test_the_class_uses_the_validated_certificate(any_state: Recording) -> None:
    (parameters,) = any_state.of("kubernetes:eks.amazonaws.com/v1:IngressClassParams")
    validation = any_state.one("aws:acm/certificateValidation:CertificateValidation")
    assert validation.urn in parameters.dependencies
    (class_,) = any_state.of("kubernetes:networking.k8s.io/v1:IngressClass")
    assert class_.inputs["spec"]["controller"] == "eks.amazonaws.com/alb"
    assert all(i.inputs["spec"]["ingressClassName"] == class_.inputs["metadata"]["name"] for i in any_state.of(INGRESS))


def test_every_host_resolves_to_the_load_balancer(aws_stack: Recording) -> None:
    records = {r.inputs["name"]: r.inputs for r in aws_stack.of("aws:route53/record:Record") if r.inputs["type"] == "A"}
    hosts = {rule["host"] for ingress in aws_stack.of(INGRESS) for rule in ingress.inputs["spec"]["rules"]}
    assert set(records) == hosts
    for record in records.values():
        assert record["aliases"][0]["name"].endswith(".elb.amazonaws.com")


def test_production_stands_behind_a_firewall_that_lets_artifacts_through(prod: Recording) -> None:
    rules = {rule["name"]: rule for rule in prod.one("aws:wafv2/webAcl:WebAcl").inputs["rules"]}
    common = rules["AWSManagedRulesCommonRuleSet"]["statement"]["managedRuleGroupStatement"]
    (override,) = common["ruleActionOverrides"]
    assert override["name"] == "SizeRestrictions_BODY"
    assert "count" in override["actionToUse"]
    assert rules["RequestsPerAddress"]["action"] == {"block": {}}
    assert all("wafv2-acl-arn" in annotations(ingress) for ingress in prod.of(INGRESS))


def test_pods_may_call_the_platform_by_its_public_name(aws_stack: Recording) -> None:
    gateways = aws_stack.of("aws:ec2/eip:Eip")
    rules = [
        r for r in aws_stack.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") if "edge-pods" in r.name
    ]
    assert {rule.inputs["cidrIpv4"] for rule in rules} == {"198.51.100.7/32"}
    assert len(rules) == 2 * len(gateways)


def test_cookies_are_secure_and_proxies_named(prod: Recording) -> None:
    texts = [s.inputs["stringData"] for s in prod.of("kubernetes:core/v1:Secret")]
    (config,) = [text["oauth2-proxy.cfg"] for text in texts if "oauth2-proxy.cfg" in text]
    assert 'cookie_name = "__Host-mlflow"' in config
    assert '"10.40.192.0/21"' in config
    assert "0.0.0.0/0" not in config


def test_cognito_is_asked_only_for_scopes_that_it_knows(aws_stack: Recording) -> None:
    clients = aws_stack.of("aws:cognito/userPoolClient:UserPoolClient")
    for client in clients:
        assert set(client.inputs["allowedOauthScopes"]) == {"openid", "email", "profile"}
        assert client.inputs["allowedOauthFlows"] == ["code"]
    pools = aws_stack.of("aws:cognito/userPool:UserPool")
    assert len(clients) == 2 * len(pools)
    for pool in pools:
        assert pool.inputs["mfaConfiguration"] == "ON"
        assert pool.inputs["adminCreateUserConfig"]["allowAdminCreateUserOnly"] is True
