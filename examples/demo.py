"""`make demo`: one model from training to a served prediction, through the running local platform.

Two people take part, as they should: a scientist trains and registers, an approver gates, approves and promotes. The
development identity provider asks for no password, so the demo signs both in by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from rich.console import Console
from tenacity import RetryError, retry, retry_if_not_result, stop_after_delay, wait_fixed

from infra.local.token_projector import fetch
from mlops.profile import Document, find
from tools.pulumi_home import write_private

SCIENTIST, APPROVER = "grace@example.com", "rosalind@example.com"
WORKSPACE = "iris"
console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Runs the whole story; ends with exit code 1 and one line when the platform does not play along."""
    platform = find()
    if platform is None or platform.issuer is None:
        sys.exit("error: no local platform is running here; start it with `make up`")
    with tempfile.TemporaryDirectory() as folder:
        people = {email: _sign_in(platform, email, Path(folder)) for email in (SCIENTIST, APPROVER)}
        os.environ.update(people[SCIENTIST])
        from examples import iris

        _say(f"{SCIENTIST} trains on iris, logs and registers a version")
        version = str(iris.main())
        held_out = Path(folder) / "held-out.csv"
        iris.split()[1].to_csv(held_out, index=False)
        _say(f"{APPROVER} gates it on the held-out flowers, approves and promotes it")
        for arguments in (
            ["gate", iris.MODEL, version, "--data", str(held_out), "--label", "target"],
            ["approve", iris.MODEL, version, "--reason", "good enough for flowers"],
            ["promote", iris.MODEL, version],
        ):
            _mlops(*arguments, env=people[APPROVER])
        serving = next(part.url for part in platform.parts if part.name == f"serving-{iris.MODEL}")
        _say("the model server follows the alias")
        try:
            _wait_until_served(f"{serving}/model", version)
        except RetryError:
            sys.exit(f"error: {serving} does not serve version {version} after 120 s; see `make status`")
        question = {"dataframe_split": iris.split()[1].drop(columns="target").head(3).to_dict(orient="split")}
        answer = httpx.post(f"{serving}/invocations", json=question, timeout=60, trust_env=False)
        _say(f"POST {serving}/invocations answers {answer.status_code}: {answer.text.strip()}")
    _say(f"look around: {platform.tracking_url} (sign in as {SCIENTIST}; workspace {WORKSPACE})")


def _sign_in(platform: Document, email: str, folder: Path) -> dict[str, str]:
    """The environment in which `mlops` and plain MLflow code are `email`; the token goes into a private file."""
    token = folder / email
    write_private(token, fetch(str(platform.issuer), platform.cli_client_id, email))
    return {
        "MLFLOW_TRACKING_URI": platform.tracking_url,
        "MLFLOW_TRACKING_AUTH": "mlops",
        "MLFLOW_WORKSPACE": WORKSPACE,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLOPS_TOKEN_FILE": str(token),
    }


def _mlops(*arguments: str, env: dict[str, str]) -> None:
    command = str(Path(sys.executable).parent / "mlops")
    console.print(f"[bold]$ mlops {' '.join(arguments)}[/bold]")
    run = subprocess.run([command, *arguments], env={**os.environ, **env}, check=False)
    if run.returncode != 0:
        sys.exit(run.returncode)


@retry(retry=retry_if_not_result(bool), stop=stop_after_delay(120), wait=wait_fixed(0.5))
def _wait_until_served(url: str, version: str) -> bool:
    try:
        return bool(httpx.get(url, timeout=10, trust_env=False).json().get("version") == version)
    except (httpx.HTTPError, ValueError):
        return False


def _say(text: str) -> None:
    console.print(f"[cyan]•[/cyan] {text}")


if __name__ == "__main__":
    main()
