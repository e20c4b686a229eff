"""Writes the settings of an ephemeral stack: those of another stack, smaller, unprotected, and with a date of removal.

python -m infra.ephemeral pr-123 --source dev --hours 72
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from infra.recording import ROOT, configuration
from infra.settings import SettingsError


def derive(source: Mapping[str, Any], stack: str, expires: datetime) -> dict[str, Any]:
    """The configuration of the ephemeral stack `stack`: that of `source` with nothing kept and everything smallest.

    Its hosts are below the source's domain. An OIDC issuer must know its redirect; Cognito gets a user pool of its own.

    Raises:
        SettingsError: `source` is no AWS stack.
    """
    if source.get("target") != "aws":
        raise SettingsError(
            f"{stack}: an ephemeral stack is made of an AWS stack, not of target {source.get('target')!r}"
        )
    config = deepcopy(dict(source))
    config["tracking"] = {**config.get("tracking", {}), "workers": 1}
    config["models"] = [{**model, "scaling": {"minimum": 1, "maximum": 1}} for model in config.get("models", [])]
    aws = config["aws"]
    aws |= {"ephemeral": True, "expires": expires.isoformat(timespec="seconds"), "backups": None}
    aws["network"] |= {"zones": aws["network"]["zones"][:2], "nat_gateways": 1, "interface_endpoints": []}
    aws["network"]["flow_log_days"] = 1
    aws["database"] |= {
        "instance_class": "db.t4g.micro",
        "storage_gib": 20,
        "maximum_storage_gib": 40,
        "multi_az": False,
        "deletion_protection": False,
        "final_snapshot": False,
        "backup_retention_days": 0,
        "log_days": 1,
    }
    aws["artifacts"] = {"noncurrent_days": 1, "operators": aws["artifacts"].get("operators", [])}
    aws["cluster"]["log_days"] = 1
    aws["cluster"]["nodes"] |= {
        "families": ["t4g"],
        "size": "medium",
        "maximum_cpu": 4,
        "capacity": "spot",
        "expected": 1,
    }
    aws["cluster"]["nodes"]["architecture"] = "arm64"
    aws["edge"] |= {"domain": f"{stack}.{aws['edge']['domain']}", "waf": False}
    if aws["identity"].get("cognito"):
        aws["identity"]["cognito"]["prefix"] = f"mlflow-{stack}-{aws['account_id']}"
    aws["alarms"]["monthly_budget_usd"] = 150
    return config


def main() -> None:
    """Writes `Pulumi.STACK.yaml` beside the other stacks' files and says what to do with it."""
    parser = argparse.ArgumentParser(description="Write the settings of an ephemeral stack.")
    parser.add_argument("stack", help="its name, such as pr-123")
    parser.add_argument("--source", default="dev", help="the stack whose settings it starts from")
    parser.add_argument("--hours", type=int, default=72, help="how long it may live")
    arguments = parser.parse_args()
    expires = datetime.now(UTC) + timedelta(hours=arguments.hours)
    try:
        config = derive(configuration(arguments.source), arguments.stack, expires)
    except SettingsError as error:
        sys.exit(f"error: {error}")
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    path = ROOT / f"Pulumi.{arguments.stack}.yaml"
    path.write_text(yaml.safe_dump({"config": {f"{project}:{key}": config[key] for key in config}}, sort_keys=False))
    print(f"{path.name}: expires {expires:%Y-%m-%d %H:%M} UTC")
    print(f"next: pulumi stack init {arguments.stack} && pulumi up --stack {arguments.stack}")


if __name__ == "__main__":
    main()
