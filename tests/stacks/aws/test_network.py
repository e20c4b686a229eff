from __future__ import annotations

from ipaddress import ip_network

from infra.recording import Recording, record

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SUBNET = "aws:ec2/subnet:Subnet"


def test_only_the_load_balancer_is_open_to_the_world_and_only_for_the_web(any_state: Recording) -> None:
    open_ = [rule for rule in any_state.of(INGRESS) if rule.inputs.get("cidrIpv4") == "0.0.0.0/0"]
    assert all(rule.name.startswith("edge-caller-") for rule in open_)
    assert {rule.inputs["fromPort"] for rule in open_} <= {80, 443}
    assert all(rule.inputs["fromPort"] == rule.inputs["toPort"] for rule in any_state.of(INGRESS))


def test_production_is_open_to_the_world(prod: Recording) -> None:
    """Or the test above says nothing."""
    assert [rule for rule in prod.of(INGRESS) if rule.inputs.get("cidrIpv4") == "0.0.0.0/0"]


def test_no_security_group_carries_rules_of_its_own(any_state: Recording) -> None:
    groups = any_state.of("aws:ec2/securityGroup:SecurityGroup")
    assert groups
    assert not any(group.inputs.get("ingress") or group.inputs.get("egress") for group in groups)


def test_the_default_security_group_allows_nothing(any_state: Recording) -> None:
    default = any_state.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert default.inputs["ingress"] == default.inputs["egress"] == []


def test_subnets_do_not_overlap_and_lie_in_the_vpc(any_state: Recording) -> None:
    vpc = ip_network(any_state.one("aws:ec2/vpc:Vpc").inputs["cidrBlock"])
    subnets = [ip_network(subnet.inputs["cidrBlock"]) for subnet in any_state.of(SUBNET)]
    assert all(subnet.subnet_of(vpc) for subnet in subnets)
    assert not any(a.overlaps(b) for i, a in enumerate(subnets) for b in subnets[i + 1 :])


def test_every_tier_is_in_every_zone(any_state: Recording) -> None:
    tiers: dict[str, set[str]] = {}
    for subnet in any_state.of(SUBNET):
        tiers.setdefault(subnet.inputs["tags"]["tier"], set()).add(subnet.inputs["availabilityZone"])
    assert set(tiers) == {"public", "private", "database"}
    assert len({frozenset(zones) for zones in tiers.values()}) == 1


def test_no_instance_gets_a_public_address_by_itself(any_state: Recording) -> None:
    assert not any(subnet.inputs["mapPublicIpOnLaunch"] for subnet in any_state.of(SUBNET))


def test_the_database_subnets_have_no_way_out(aws_stack: Recording) -> None:
    (table,) = [t for t in aws_stack.of("aws:ec2/routeTable:RouteTable") if t.name == "network-database"]
    routes = aws_stack.of("aws:ec2/route:Route")
    assert routes
    assert not any(table.urn in route.dependencies for route in routes)


def test_private_subnets_leave_through_nat(aws_stack: Recording) -> None:
    routes = [route for route in aws_stack.of("aws:ec2/route:Route") if "private" in route.name]
    zones = {subnet.inputs["availabilityZone"] for subnet in aws_stack.of(SUBNET)}
    assert len(routes) == len(zones)
    assert all("natGatewayId" in route.inputs and "gatewayId" not in route.inputs for route in routes)


def test_all_traffic_is_logged(any_state: Recording) -> None:
    assert any_state.one("aws:ec2/flowLog:FlowLog").inputs["trafficType"] == "ALL"


def test_the_load_balancer_talks_to_the_ports_of_pods_only(prod: Recording) -> None:
    ports = {(rule.inputs["fromPort"], rule.inputs["toPort"]) for rule in prod.of(EGRESS)}
    assert ports == {(4180, 4180), (8080, 8080)}
    assert all("referencedSecurityGroupId" in rule.inputs for rule in prod.of(EGRESS))


def test_interface_endpoints_answer_the_vpc_only_and_cost_a_setting() -> None:
    with_endpoints = record("dev", overrides={"aws.network.interface_endpoints": ["ecr.api", "sts"]})
    interfaces = [e for e in with_endpoints.of("aws:ec2/vpcEndpoint:VpcEndpoint") if "subnetIds" in e.inputs]
    assert {e.inputs["serviceName"] for e in interfaces} == {
        "com.amazonaws.us-east-1.ecr.api",
        "com.amazonaws.us-east-1.sts",
    }
    assert all(endpoint.inputs["privateDnsEnabled"] is True for endpoint in interfaces)
    assert with_endpoints.one(INGRESS, "network-endpoints").inputs["cidrIpv4"] == "10.41.0.0/16"


def test_zones_without_a_gateway_of_their_own_share_one(prod: Recording) -> None:
    assert len(prod.of("aws:ec2/natGateway:NatGateway")) == 1
    three = record("prod", overrides={"aws.network.nat_gateways": 3})
    routes = [route.inputs["natGatewayId"] for route in three.of("aws:ec2/route:Route") if "private" in route.name]
    assert len(set(routes)) == 3
