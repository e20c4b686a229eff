"""What a stack costs a month, from its recording and the price file: `python -m infra.cost prod`.

What runs all month is counted; what depends on use is a range between a quiet team and a busy one (`USE`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.recording import Recording, configuration, record
from infra.settings import SettingsError

PRICES = Path(__file__).parent / "aws" / "prices.json"
CORE = ("EKS control plane", "NAT gateways", "Database", "Nodes", "EKS Auto Mode fee")
"""The lines that the budget of the platform's core is about."""
USE: Mapping[str, tuple[float, float]] = {
    "nat_traffic": (20, 300),
    "artifacts": (50, 1000),
    "artifact_copy": (50, 1000),
    "backup": (20, 300),
    "log_ingestion": (2, 30),
    "images": (5, 30),
}
"""GB a month, quiet and busy."""


@dataclass(frozen=True)
class Line:
    """One item; `low` and `high` in USD a month, equal unless the item depends on use or on a market price."""

    item: str
    quantity: str
    low: float
    high: float


@dataclass(frozen=True)
class Bill:
    """The lines of one stack."""

    stack: str
    lines: tuple[Line, ...]

    @property
    def core(self) -> Line:
        """Control plane, NAT, database and nodes with their fee."""
        return self._sum("core", [line for line in self.lines if line.item in CORE])

    @property
    def total(self) -> Line:
        """Everything."""
        return self._sum("total", list(self.lines))

    def _sum(self, name: str, lines: list[Line]) -> Line:
        return Line(name, "", sum(line.low for line in lines), sum(line.high for line in lines))


@cache
def prices() -> Any:
    """The price file."""
    return json.loads(PRICES.read_text())


def bill(recording: Recording, nodes: Mapping[str, Any]) -> Bill:
    """The bill of `recording`, whose cluster runs `nodes` (the settings' `aws.cluster.nodes`) on an ordinary day.

    Raises:
        SettingsError: the price file has no price of an instance type in use.
    """
    return Bill(recording.stack, (*_fixed(recording), *_database(recording), *_nodes(nodes), *_used(recording)))


def _hour(table: str, type_: str) -> float:
    """USD an hour of the instance type `type_`."""
    try:
        return float(prices()[table][type_])
    except KeyError:
        raise SettingsError(f"{type_}: no price in {PRICES.name}, {table}; add it there") from None


def _hourly(recording: Recording, item: str, type_: str, price: str) -> Line:
    count = len(recording.of(type_))
    cost = count * prices()["per_hour"][price] * prices()["hours_per_month"]
    return Line(item, str(count), cost, cost)


def _monthly(item: str, count: int, price: str) -> Line:
    cost = count * prices()["per_month"][price]
    return Line(item, str(count), cost, cost)


def _fixed(recording: Recording) -> Iterator[Line]:
    hours, per_hour = prices()["hours_per_month"], prices()["per_hour"]
    yield _hourly(recording, "EKS control plane", "aws:eks/cluster:Cluster", "eks_control_plane")
    yield _hourly(recording, "NAT gateways", "aws:ec2/natGateway:NatGateway", "nat_gateway")
    public = [s for s in recording.of("aws:ec2/subnet:Subnet") if s.inputs["tags"].get("tier") == "public"]
    addresses = len(recording.of("aws:ec2/eip:Eip")) + len(public)
    cost = addresses * per_hour["public_ipv4"] * hours
    yield Line("Public IPv4 addresses", str(addresses), cost, cost)
    base, unit = per_hour["load_balancer"] * hours, per_hour["load_balancer_capacity_unit"] * hours
    yield Line("Load balancer", "1 with 0.1 to 2 capacity units", base + 0.1 * unit, base + 2 * unit)
    endpoints = [e for e in recording.of("aws:ec2/vpcEndpoint:VpcEndpoint") if "subnetIds" in e.inputs]
    zones = sum(len(endpoint.inputs["subnetIds"]) for endpoint in endpoints)
    cost = zones * per_hour["interface_endpoint_zone"] * hours
    yield Line("Interface endpoints", str(zones), cost, cost)
    yield _monthly("KMS keys", len(recording.of("aws:kms/key:Key")), "kms_key")
    yield _monthly("Secrets", len(recording.of("aws:rds/instance:Instance")), "secret")
    yield _monthly("Alarms", len(recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")), "alarm")
    for acl in recording.of("aws:wafv2/webAcl:WebAcl"):
        yield _monthly("Firewall", 1, "web_acl")
        yield _monthly("Firewall rules", len(acl.inputs["rules"]), "web_acl_rule")


def _database(recording: Recording) -> Iterator[Line]:
    for instance in recording.of("aws:rds/instance:Instance"):
        class_, multi_az = instance.inputs["instanceClass"], instance.inputs["multiAz"]
        table = "database_multi_az_per_hour" if multi_az else "database_per_hour"
        cost = _hour(table, class_) * prices()["hours_per_month"]
        yield Line("Database", f"{class_}{', Multi-AZ' if multi_az else ''}", cost, cost)
        rate = prices()["per_gb"]["database_storage_multi_az" if multi_az else "database_storage"]
        low, high = instance.inputs["allocatedStorage"], instance.inputs["maxAllocatedStorage"]
        yield Line("Database storage", f"{low} GiB, growing to {high}", low * rate, high * rate)


def _nodes(nodes: Mapping[str, Any]) -> Iterator[Line]:
    count, size = nodes["expected"], nodes["size"]
    rate = max(_hour("node_per_hour", f"{family}.{size}") for family in nodes["families"])
    listed = count * rate * prices()["hours_per_month"]
    low, high = prices()["spot_share_of_on_demand"] if nodes["capacity"] == "spot" else (1, 1)
    yield Line("Nodes", f"{count} {nodes['families'][0]}.{size}, {nodes['capacity']}", low * listed, high * listed)
    fee = listed * prices()["auto_mode_share_of_on_demand"]
    yield Line("EKS Auto Mode fee", f"{prices()['auto_mode_share_of_on_demand']:.0%} of on-demand", fee, fee)
    volume = count * 40 * prices()["per_gb"]["node_volume"]
    yield Line("Node volumes", f"{count} of 40 GiB", volume, volume)


def _used(recording: Recording) -> Iterator[Line]:
    shown = {
        "nat_traffic": ("NAT traffic", "aws:ec2/natGateway:NatGateway"),
        "artifacts": ("Artifacts", "aws:s3/bucket:Bucket"),
        "artifact_copy": ("Artifacts in the other region", "aws:s3/bucketReplicationConfig:BucketReplicationConfig"),
        "backup": ("Backups", "aws:backup/plan:Plan"),
        "log_ingestion": ("Logs", "aws:cloudwatch/logGroup:LogGroup"),
        "images": ("Images", "aws:ecr/repository:Repository"),
    }
    for use, (item, type_) in shown.items():
        if recording.of(type_):
            low, high = USE[use]
            rate = prices()["per_gb"][use]
            yield Line(item, f"{low:g} to {high:g} GB", low * rate, high * rate)


def main() -> None:
    """Prints the bill as a table, or with `--json` for machines."""
    parser = argparse.ArgumentParser(description="What a stack costs a month.")
    parser.add_argument("stack")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        config = configuration(arguments.stack)
        if config["target"] != "aws":
            raise SettingsError(f"{arguments.stack}: target {config['target']!r} has no price; name an AWS stack")
        result = bill(record(arguments.stack), config["aws"]["cluster"]["nodes"])
    except SettingsError as error:
        sys.exit(f"error: {error}")
    if arguments.json:
        print(json.dumps({line.item: [line.low, line.high] for line in (*result.lines, result.core, result.total)}))
        return
    table = Table("item", "quantity", "USD a month", title=f"{result.stack}, {prices()['region']}, {prices()['date']}")
    for line in (*result.lines, result.core, result.total):
        amount = f"{line.low:.2f}" if line.low == line.high else f"{line.low:.2f} to {line.high:.2f}"
        table.add_row(line.item, line.quantity, amount, end_section=line is result.lines[-1])
    console = Console()
    console.print(table)
    console.print(f"Prices: {prices()['source']}.")


if __name__ == "__main__":
    main()
