"""The public names: each resolves to the load balancer that an Ingress has got.

They wait for the Ingresses, which wait for the edge; so they are no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class NamesArgs:
    region: str
    zone_id: str


class Names(pulumi.ComponentResource):
    """Records in the hosted zone; `opts` carries the AWS provider."""

    def __init__(self, name: str, args: NamesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Names", name, None, opts)
        self._name, self._args = name, args
        self.register_outputs({})

    def publish(self, host: str, load_balancer: pulumi.Output[str]) -> None:
        """Makes `host` resolve to the load balancer of that DNS name."""
        zone = aws.lb.get_hosted_zone_id_output(region=self._args.region, opts=pulumi.InvokeOutputOptions(parent=self))
        aws.route53.Record(
            f"{self._name}-{host}",
            zone_id=self._args.zone_id,
            name=host,
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(name=load_balancer, zone_id=zone.id, evaluate_target_health=True),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def metric(self, load_balancer: pulumi.Output[str]) -> pulumi.Output[str]:
        """What CloudWatch calls the load balancer of that DNS name, which contains the load balancer's own name."""
        name = load_balancer.apply(lambda host: host.partition(".")[0].removeprefix("internal-").rpartition("-")[0])
        return aws.lb.get_load_balancer_output(name=name, opts=pulumi.InvokeOutputOptions(parent=self)).arn_suffix
