from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.mlops.login.oidc_servers import USER, Browser, PublicClientProvider

PROJECT = Path(__file__).parents[4]
MLOPS = [sys.executable, "-c", "from mlops.cli import main; main()"]
PLATFORM = "https://mlflow.example.com/it's"


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"}


@pytest.fixture
def logged_in(issuer: PublicClientProvider, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`mlops login --no-browser`, finished by somebody who opened the URL that it printed."""
    command = [*MLOPS, "login", PLATFORM, "--issuer", issuer.url, "--no-browser", "--timeout", "20"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        Browser().visit(process.stdout.readline().strip())
        yield process


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MLOPS, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_login_whoami_env_logout(
    issuer: PublicClientProvider, logged_in: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    _, messages = logged_in.communicate(timeout=20)
    assert logged_in.returncode == 0, messages
    assert f"Signed in to {PLATFORM} as {USER}." in messages

    person = json.loads(run(environment, "whoami", "--json").stdout)
    assert (person["name"], person["groups"], person["platform"]) == (USER, ["scientists"], PLATFORM)

    exported = run(environment, "env", "--workspace", "iris").stdout
    shown = 'printf "%s\\n" "$MLFLOW_TRACKING_URI" "$MLFLOW_TRACKING_AUTH" "$MLFLOW_WORKSPACE"'
    shell = subprocess.run(["sh", "-c", f"{exported}\n{shown}"], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == [PLATFORM, "mlops", "iris"]

    assert "ended its refresh token" in run(environment, "logout").stderr
    after = run(environment, "whoami", PLATFORM)
    assert after.returncode == 1
    assert "not logged in" in after.stderr


def test_second_login_needs_no_issuer(
    issuer: PublicClientProvider, logged_in: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    logged_in.communicate(timeout=20)
    again = run(environment, "login", PLATFORM, "--no-browser", "--timeout", "1")
    assert again.stdout.startswith(f"{issuer.url}/oauth2/authorize?")
    assert "nobody finished signing in" in again.stderr


def test_login_without_an_issuer_says_how_to_name_it(environment: dict[str, str]) -> None:
    result = run(environment, "login", PLATFORM)
    assert result.returncode == 1
    assert "Pass --issuer or set MLOPS_ISSUER" in result.stderr
    assert "Traceback" not in result.stderr


def test_platform_in_plain_http_elsewhere_gets_no_login(environment: dict[str, str]) -> None:
    result = run(environment, "login", "http://mlflow.example.com", "--issuer", "https://sso.example.com")
    assert "the platform's URL 'http://mlflow.example.com' must be https" in result.stderr


def test_browser_of_the_system_is_opened(
    issuer: PublicClientProvider, environment: dict[str, str], tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {opened}\n')
    browser.chmod(0o700)
    run({**environment, "BROWSER": f"{browser} %s"}, "login", PLATFORM, "--issuer", issuer.url, "--timeout", "1")
    assert opened.read_text().startswith(f"{issuer.url}/oauth2/authorize?")


def test_error_is_printed_as_it_is(environment: dict[str, str]) -> None:
    result = run(environment, "login", "https://[/red]")
    assert result.stderr.startswith("error: ")
    assert "[/red]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["login", "--help"], ["status"], ["whoami"]])
def test_command_line_starts_without_mlflow(environment: dict[str, str], arguments: list[str]) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print('mlflow' in sys.modules)); "
        "from mlops.cli import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.stdout.splitlines()[-1] == "False"
