"""Checkov passes what the stacks register, but for the checks that `checkov.yaml` leaves out with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from infra.kubernetes import manifests
from infra.kubernetes.manifests import Manifest

CHECKOV = "checkov==3.2.495"
SETTINGS = Path(manifests.__file__).with_name("checkov.yaml")


def test_checkov_passes_every_object(objects: list[Manifest], tmp_path: Path) -> None:
    rendered = tmp_path / "manifests.yaml"
    rendered.write_text(yaml.safe_dump_all(objects))
    command = [Path(sys.executable).with_name("uv"), "tool", "run", CHECKOV, "--config-file", SETTINGS]
    command += ["--file", rendered, "--output", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(run.stdout)
    failed = [(check["check_id"], check["resource"]) for check in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["passed"] > 100
