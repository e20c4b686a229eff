"""What the network of the account admits."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.foundation import HUB, POINT
from policies.model import Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, shown

EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def _few_open_ports(resource: Resource) -> Iterable[str]:
    for rule in items(resource.every("ingress")):
        blocks = [*(rule.get("cidrBlocks") or ()), *(rule.get("ipv6CidrBlocks") or ())]
        ports = (rule.get("fromPort"), rule.get("toPort"))
        if {*blocks} & EVERYWHERE and ports not in ((80, 80), (443, 443)):
            yield f"ports {shown(ports[0])}-{shown(ports[1])} are open to everybody; only 80 and 443 may be"
    source = resource.get("cidrIpv4") or resource.get("cidrIpv6")
    ports = (resource.get("fromPort"), resource.get("toPort"))
    if source in EVERYWHERE and (ports not in ((80, 80), (443, 443)) or resource.get("ipProtocol") != "tcp"):
        yield f"ports {shown(ports[0])}-{shown(ports[1])} are open to {source}; only 80 and 443 may be"


few_open_ports = ResourcePolicy(
    "few-ports-open",
    POINT,
    "critical",
    "A port is open to the whole internet. Name the sources (aws.edge.inbound_cidrs) or another security group.",
    f"{HUB}/ec2-controls.html#ec2-18",
    (tokens.SECURITY_GROUP_INGRESS, tokens.SECURITY_GROUP),
    _few_open_ports,
)
default_group_closed = ResourcePolicy(
    "default-security-group-closed",
    POINT,
    "high",
    "The VPC's default security group admits something. Give it no ingress and no egress.",
    f"{HUB}/ec2-controls.html#ec2-2",
    (tokens.DEFAULT_SECURITY_GROUP,),
    lambda group: [f"has {kind} rules" for kind in ("ingress", "egress") if group.every(kind)],
)


def _default_group_taken(stack: Stack) -> Iterable[Found]:
    for network in stack.of(tokens.VPC):
        if not any(stack.about(network, tokens.DEFAULT_SECURITY_GROUP, "vpcId")):
            yield network, "its default security group keeps AWS's rules; add a DefaultSecurityGroup"


default_group_taken = StackPolicy(
    "default-security-group-taken",
    POINT,
    "high",
    "The VPC's default security group admits everything within it. Add a DefaultSecurityGroup without rules.",
    f"{HUB}/ec2-controls.html#ec2-2",
    _default_group_taken,
)
no_public_addresses = ResourcePolicy(
    "subnets-without-public-addresses",
    POINT,
    "high",
    "Everything started in a subnet gets a public address. Set map_public_ip_on_launch=False.",
    f"{HUB}/ec2-controls.html#ec2-15",
    (tokens.SUBNET,),
    lambda subnet: ["mapPublicIpOnLaunch is true"] if subnet.get("mapPublicIpOnLaunch") is True else [],
)


POLICIES = (
    few_open_ports,
    default_group_closed,
    default_group_taken,
    no_public_addresses,
)
