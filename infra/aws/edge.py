"""The way in: certificate, the load balancer's security group and class, and the firewall in front by setting.

EKS Auto Mode makes the load balancer itself when the first Ingress of the class appears, and removes it with the last;
so whatever it uses is made here, before, and outlives every Ingress. Not here: the names that lead to it (`names`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import settings_aws
from infra.aws.access_logs import LOAD_BALANCER_PREFIX
from infra.aws.firewall import Firewall, FirewallArgs
from infra.aws.scope import Scope

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3 with forward secrecy."""


@dataclass(frozen=True)
class EdgeArgs:
    """`ports` are those of the pods that the load balancer talks to; `own_addresses` those that pods call it from."""

    scope: Scope
    settings: settings_aws.Edge
    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    own_addresses: Sequence[pulumi.Input[str]]
    cluster_security_group: pulumi.Input[str]
    ports: frozenset[int]
    access_logs: pulumi.Input[str]


class Edge(pulumi.ComponentResource):
    """Outputs: the annotations that every Ingress needs. `opts` carries the AWS and the Kubernetes provider."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Edge", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        group = self._security_group()
        certificate = self._certificate()
        self.annotations: dict[str, pulumi.Input[str]] = {
            "alb.ingress.kubernetes.io/target-type": "ip",
            "alb.ingress.kubernetes.io/listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
            "alb.ingress.kubernetes.io/ssl-redirect": "443",
            "alb.ingress.kubernetes.io/ssl-policy": TLS_POLICY,
            "alb.ingress.kubernetes.io/security-groups": group,
        }
        if args.settings.waf:
            firewall = Firewall(f"{name}-firewall", FirewallArgs(args.scope.name), self._child)
            self.annotations["alb.ingress.kubernetes.io/wafv2-acl-arn"] = firewall.arn
        self._ingress_class(certificate)
        self.register_outputs({})

    def _security_group(self) -> pulumi.Output[str]:
        settings, name = self._args.settings, self._name
        group = aws.ec2.SecurityGroup(
            name, vpc_id=self._args.vpc_id, description="The load balancer", opts=self._child
        ).id
        callers = {f"caller-{index}": cidr for index, cidr in enumerate(settings.inbound_cidrs)}
        pods = {f"pods-{index}": cidr for index, cidr in enumerate(self._args.own_addresses)}
        for who, cidr in {**callers, **pods}.items():
            for port in (443, 80):
                aws.vpc.SecurityGroupIngressRule(
                    f"{name}-{who}-{port}",
                    security_group_id=group,
                    description="HTTPS" if port == 443 else "HTTP, redirected to HTTPS",
                    cidr_ipv4=cidr,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self._child,
                )
        for port in sorted(self._args.ports):
            shared: dict[str, Any] = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "opts": self._child}
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-to-{port}",
                security_group_id=group,
                description="To the pods",
                referenced_security_group_id=self._args.cluster_security_group,
                **shared,
            )
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-from-{port}",
                security_group_id=self._args.cluster_security_group,
                description="From the load balancer",
                referenced_security_group_id=group,
                **shared,
            )
        return group

    def _certificate(self) -> pulumi.Output[str]:
        settings = self._args.settings
        certificate = aws.acm.Certificate(
            self._name,
            domain_name=settings.domain,
            subject_alternative_names=[f"*.{settings.domain}"],
            validation_method="DNS",
            opts=self._child,
        )
        proof = certificate.domain_validation_options[0]  # a wildcard is proven by the same record as its domain
        record = aws.route53.Record(
            f"{self._name}-proof",
            zone_id=settings.zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=300,
            allow_overwrite=True,
            opts=self._child,
        )
        return aws.acm.CertificateValidation(
            self._name, certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=self._child
        ).certificate_arn

    def _ingress_class(self, certificate: pulumi.Output[str]) -> None:
        scope, settings = self._args.scope, self._args.settings
        attributes: dict[str, pulumi.Input[str]] = {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": self._args.access_logs,
            "access_logs.s3.prefix": LOAD_BALANCER_PREFIX,
            "routing.http.drop_invalid_header_fields.enabled": "true",
            "routing.http.desync_mitigation_mode": "defensive",
            "idle_timeout.timeout_seconds": "300",  # an artifact of some GB takes that long to be stored
        }
        parameters = kubernetes.apiextensions.CustomResource(
            f"{self._name}-parameters",
            api_version="eks.amazonaws.com/v1",
            kind="IngressClassParams",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=settings.ingress_class),
            spec={
                "scheme": settings.scheme,
                "group": {"name": scope.name},  # every Ingress of the platform shares one load balancer
                "subnets": {"ids": list(self._args.subnets)},
                "certificateARNs": [certificate],
                "loadBalancerAttributes": [{"key": key, "value": value} for key, value in attributes.items()],
            },
            opts=self._child,
        )
        kubernetes.networking.v1.IngressClass(
            f"{self._name}-class",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=settings.ingress_class),
            spec=kubernetes.networking.v1.IngressClassSpecArgs(
                controller="eks.amazonaws.com/alb",
                parameters=kubernetes.networking.v1.IngressClassParametersReferenceArgs(
                    api_group="eks.amazonaws.com", kind="IngressClassParams", name=settings.ingress_class
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[parameters]),
        )
