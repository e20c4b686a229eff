"""`mlops gate`: measure a version on held-out data, keep the report beside its run, tell the registry the result."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow

from mlops.errors import PlatformError
from mlops.registry import checks, report
from mlops.registry.checks import Check
from mlops.registry.client import Registry
from mlops.registry.errors import one_line
from mlops.registry.gatefile import GateFile
from mlops.registry.heldout import HeldOut


@dataclass(frozen=True)
class Result:
    """What a gate found. `report` is the artifact URI of the page, empty after a dry run."""

    name: str
    version: int
    checks: Sequence[Check]
    report: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check was met."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> list[str]:
        """The names of the checks that were not met."""
        return [check.name for check in self.checks if not check.passed]


def run(name: str, version: int, data: HeldOut, gate: GateFile, *, record: bool = True) -> Result:
    """Measures `version` of the model `name`; with `record`, the registry takes note and moves its aliases and tags.

    Raises:
        PlatformError: unknown model or version, data that the model cannot predict, or a subclass as `Registry`.
    """
    registry = Registry()
    before = registry.version(name, version)
    rival = before["champion"] if gate.better_than_champion and before["champion"] != version else None
    with tempfile.TemporaryDirectory() as scratch, one_line():
        directory = Path(scratch)
        candidate = checks.load(name, version, directory / "candidate")
        champion = checks.load(name, rival, directory / "champion") if rival else None
        found, predicted = checks.run(gate, candidate, champion, data)
        if not found:
            raise PlatformError("the gate file asks for nothing; expected at least one check")
        if not record:
            return Result(name, version, found)
        page, digest = report.write(_made(directory / "report"), f"{name} version {version}", found, data, predicted)
        address = _keep(page.parent, name, version, before["run_id"], digest)
    registry.gate(
        name,
        version,
        {
            "checks": [asdict(check) for check in found],
            "fingerprint": before["fingerprint"],
            "champion": before["champion"],
            "compared": rival is not None or (gate.better_than_champion is not None and before["champion"] is None),
            "report": address,
            "report_digest": digest,
            "data_digest": data.digest,
            "gate_digest": gate.digest,
        },
    )
    return Result(name, version, found, address)


def _keep(directory: Path, name: str, version: int, run_id: str, digest: str) -> str:
    if not run_id:
        raise PlatformError(f"{name} version {version} comes from no run; register a model that a run logged")
    path = f"gate/{name}-{version}-{digest[:12]}"
    mlflow.MlflowClient().log_artifacts(run_id, str(directory), path)
    return f"runs:/{run_id}/{path}/gate.md"


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
