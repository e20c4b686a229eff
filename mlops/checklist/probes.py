"""One question for each point of the checklist. A probe returns what it saw; it never guesses.

`unknown` is for what cannot be asked from here; it counts as failed. `open` is for what there is not yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from mlops.checklist.asking import TIMEOUT, Answer, Champion, Platform, reachable
from mlops.checklist.points import Point
from mlops.errors import PlatformError
from mlops.operations import status
from mlops.profile import Part
from mlops.registry.standing import Entry, VersionStanding, standing

REFUSED = frozenset({401, 403})


def tracking_server(platform: Platform) -> Answer:
    """A tracking server of the platform answers whoever is signed in."""
    facts = platform.facts
    return Answer("passed", f"the platform's tracking server answers, {facts['backend']} behind it")


def backend_store(platform: Platform) -> Answer:
    """The server's backend stores are PostgreSQL."""
    schemes = {platform.facts["backend"], platform.facts["users"]}
    if all(scheme.startswith("postgresql") for scheme in schemes):
        return Answer("passed", f"runs and users are in {', '.join(sorted(schemes))}")
    return Answer("failed", f"the backend stores are {', '.join(sorted(schemes))}; expected postgresql+psycopg")


def artifact_store(platform: Platform) -> Answer:
    """The server's artifacts are in an object store."""
    destination = platform.facts["artifacts"]
    if destination.startswith("s3://"):
        return Answer("passed", f"artifacts go to {destination} ({platform.facts['object_store']})")
    return Answer("failed", f"artifacts go to {destination or 'nowhere'}; expected s3://BUCKET/PREFIX")


def authentication(platform: Platform) -> Answer:
    """Nobody gets an answer without an identity: not through the proxy, and not at MLflow's own port."""
    through = platform.anonymous("/api/2.0/mlflow/experiments/search?max_results=1")
    if through.status_code not in REFUSED:
        return Answer("failed", f"a request without identity gets HTTP {through.status_code} from {platform.url}")
    host = urlsplit(platform.url).hostname or ""
    port = int(platform.facts["listen"].rpartition(":")[2])
    if not reachable(host, port):
        return Answer("passed", f"without identity HTTP {through.status_code}; MLflow's port {port} is closed")
    if not platform.here:
        return Answer("failed", f"MLflow's own port {port} is open on {host}; let MLOPS_LISTEN be 127.0.0.1:{port}")
    raw = platform.anonymous("/api/2.0/mlflow/experiments/search?max_results=1", f"http://{host}:{port}")
    return Answer(
        "passed" if raw.status_code in REFUSED else "failed",
        f"without identity HTTP {through.status_code}, at MLflow's own port {port} HTTP {raw.status_code}",
    )


def approval(platform: Platform) -> Answer:
    """Four eyes are on, and each champion was approved by somebody; nobody rewrote the history that says so."""
    if not platform.facts["four_eyes"]:
        return Answer("failed", "an author may approve alone; set registry.four_eyes: true")
    return _each_champion(platform, lambda known: known.approved, "approved")


def quality_gate(platform: Platform) -> Answer:
    """Each champion passed the gate."""
    return _each_champion(platform, lambda known: known.passed, "gated")


def rank_zero(platform: Platform) -> Answer:
    """`mlops.training.run` logs nothing on rank 1: a process of that rank with no server to talk to still succeeds."""
    environment = {"RANK": "1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    on_one = _trains(environment)
    on_zero = _trains({**environment, "RANK": "0"})
    if on_one == 0 and on_zero != 0:
        return Answer("passed", "mlops.training.run asks the server on rank 0 and leaves it alone on rank 1")
    return Answer("failed", f"mlops.training.run ends with {on_one} on rank 1 and {on_zero} on rank 0 without a server")


def artifact_lifecycle(platform: Platform) -> Answer:
    """The artifact bucket has a lifecycle and keeps versions; asked with the caller's own AWS identity."""
    if platform.facts["object_store"] != "aws":
        return Answer("open", f"the object store {platform.facts['object_store']} has no lifecycle to ask for")
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = urlsplit(platform.facts["artifacts"]).hostname or ""
    try:
        s3 = boto3.client("s3")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    except (BotoCoreError, ClientError) as error:
        return Answer("unknown", f"{bucket}: {error}; sign in to AWS as somebody who may read the bucket's settings")
    expiring = [rule for rule in rules if rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule]
    if status == "Enabled" and expiring:
        return Answer("passed", f"{bucket} keeps versions and expires noncurrent ones")
    return Answer("failed", f"{bucket}: versioning {status or 'off'}, {len(expiring)} rules expire noncurrent versions")


def serving(platform: Platform) -> Answer:
    """Every served model is well, or waits for its first champion."""
    named = platform.document.parts if platform.document else ()
    parts = [part for part in named if part.name.startswith("serving-")] or _below(platform)
    if not parts:
        return Answer("open", "the platform serves no model yet")
    reports = status.probe(parts, TIMEOUT)
    told = ", ".join(f"{report.name} is {report.health}" for report in reports)
    return Answer("passed" if all(report.health in status.GOOD for report in reports) else "failed", told)


def _below(platform: Platform) -> list[Part]:
    """The served models where a platform that wrote no `platform.json` has them: https://MODEL.HOST."""
    url = urlsplit(platform.url)
    return [
        Part(name=f"serving-{model}", health=f"{url.scheme}://{model}.{url.netloc}/health")
        for model in platform.facts["served"]
    ]


def ask(point: Point, platform: Platform) -> Answer:
    """The answer to one point; what cannot be asked is unknown, what is not built is open."""
    if point.open:
        return Answer("open", point.open)
    try:
        return PROBES[point.probe](platform)
    except (PlatformError, httpx.HTTPError, KeyError, ValueError) as error:
        return Answer("unknown", str(error) or type(error).__name__)


def _each_champion(platform: Platform, holds: Callable[[VersionStanding], bool], word: str) -> Answer:
    if not platform.champions:
        return Answer("open", "no model that you may see has a champion yet")
    wrong = [each for each in platform.champions if each.history["problems"] or not holds(_standing(each))]
    if wrong:
        named = ", ".join(f"{each.workspace}/{each.model} version {each.version}" for each in wrong)
        return Answer("failed", f"not {word}, or with a history that was rewritten: {named}; next: mlops history")
    return Answer(
        "passed", f"{len(platform.champions)} champions, each {word}; their histories are as they were written"
    )


def _standing(champion: Champion) -> VersionStanding:
    entries = [Entry(**entry) for entry in champion.history["entries"]]
    return standing(entries).of(champion.version)


def _trains(environment: Mapping[str, str]) -> int:
    program = "from mlops.training import run\nwith run('checklist'):\n    pass\n"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, capture_output=True, check=False, timeout=120
    ).returncode


PROBES: Mapping[str, Callable[[Platform], Answer]] = {
    "tracking_server": tracking_server,
    "backend_store": backend_store,
    "artifact_store": artifact_store,
    "authentication": authentication,
    "approval": approval,
    "quality_gate": quality_gate,
    "rank_zero": rank_zero,
    "artifact_lifecycle": artifact_lifecycle,
    "serving": serving,
}
