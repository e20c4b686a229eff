"""The life of a local stack, told in order: up, no change, one change, crash, recovery, refresh, destroy, up again."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.platform.local_stack import LocalStack

pytestmark = pytest.mark.xdist_group("lifecycle")
GRACE = "grace@example.com"


def changes(output: str) -> dict[str, int]:
    """The engine's own summary: how many resources it created, updated, replaced, deleted or left alone."""
    summary = output.rpartition("Resources:")[2]
    return {
        word: int(count) for count, word in re.findall(r"(\d+) (created|updated|replaced|deleted|unchanged)", summary)
    }


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@retry(
    retry=retry_if_exception_type((AssertionError, httpx.HTTPError)),
    stop=stop_after_delay(60),
    wait=wait_fixed(0.2),
    reraise=True,
)
def experiments_readable(stack: LocalStack, token: str) -> set[str]:
    with stack.api(token) as client:
        response = client.post("/api/2.0/mlflow/experiments/search", json={"max_results": 100})
    assert response.status_code == 200, response.text
    return {each["name"] for each in response.json().get("experiments", [])}


@pytest.fixture(scope="module")
def stack(disposable: LocalStack) -> LocalStack:
    """Up, with one experiment in it."""
    disposable.up()
    with disposable.api(disposable.token(GRACE)) as client:
        client.post("/api/2.0/mlflow/experiments/create", json={"name": "precious"}).raise_for_status()
    return disposable


def test_up_starts_every_part(stack: LocalStack) -> None:
    assert {name: listening(port) for name, port in stack.ports.items()} == dict.fromkeys(stack.ports, True)


def test_nothing_listens_beyond_loopback(stack: LocalStack) -> None:
    addresses = {
        connection.laddr.ip
        for process in stack.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_up_without_a_change_changes_nothing(stack: LocalStack) -> None:
    assert changes(stack.up()).keys() == {"unchanged"}


def test_secrets_are_in_no_command_line_log_or_open_file(stack: LocalStack) -> None:
    secrets = [path.read_text() for path in (stack.state / "data" / "secrets").iterdir()]
    assert len(secrets) >= 9
    shown = [" ".join(process.cmdline()) for process in stack.processes()]
    shown += [log.read_text(errors="replace") for log in (stack.state / "logs").glob("*.log")]
    shown += [path.read_text() for path in (stack.state / "pulumi").rglob("*.json") if path.is_file()]
    shown.append(stack.pulumi("stack", "output", "--json"))
    assert [secret for secret in secrets if any(secret in text for text in shown)] == []


def test_files_of_the_stack_are_for_their_owner_only(stack: LocalStack) -> None:
    files = [path for path in stack.state.rglob("*") if path.is_file() and not path.is_symlink()]
    open_to_others = [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077 and _reachable(path, stack)]
    assert open_to_others == []


def _reachable(path: Path, stack: LocalStack) -> bool:
    """Whether every directory between the state directory and the file may be listed by others."""
    inner = [parent for parent in path.parents if parent.is_relative_to(stack.state)]
    return all(stat.S_IMODE(parent.stat().st_mode) & 0o055 for parent in inner)


def test_a_changed_setting_changes_only_what_it_concerns(stack: LocalStack) -> None:
    before = {process.pid for process in stack.processes()}
    stack.settings["models"][0]["workers"] = 2
    stack.write_settings()
    summary = changes(stack.up())
    assert summary.pop("unchanged") > 20
    assert summary == {"updated": 1}
    kept = before & {process.pid for process in stack.processes()}
    assert len(before - kept) <= 3  # the model server: its follower, gunicorn and one worker


@pytest.mark.parametrize("part", ["database", "object-store", "identity", "mlflow", "tracking", "management"])
def test_a_killed_part_comes_back_and_no_data_is_lost(stack: LocalStack, part: str) -> None:
    token = stack.token(GRACE)
    port = stack.ports[part]
    victims = [
        process
        for process in stack.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert victims
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
    psutil.wait_procs(victims, timeout=20)
    if part == "identity":  # it keeps its signing keys in memory, as a development provider may
        token = retry(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)(stack.token)(GRACE)
    assert "precious" in experiments_readable(stack, token)


def test_refresh_notices_a_dead_supervisor_and_up_mends_it(stack: LocalStack) -> None:
    processes = stack.processes()
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=20)
    assert changes(stack.pulumi("refresh", "--yes"))["deleted"] >= 5
    stack.up()
    assert "precious" in experiments_readable(stack, stack.token(GRACE))


def test_a_taken_port_is_one_clear_line_and_starts_nothing(stack: LocalStack) -> None:
    stack.destroy()
    with socket.create_server(("127.0.0.1", stack.ports["identity"])):
        output = stack.pulumi("up", "--yes", "--refresh", check=False)
    assert f"port {stack.ports['identity']} is taken by" in output
    assert "Traceback" not in output
    assert stack.processes() == []


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("tracking", {"wrokers": 4}, "tracking.wrokers = 4: no such setting"),
        ("tracking", {"workers": "four"}, 'tracking.workers = "four"'),
        ("local", {"address": "192.168.0.1"}, "must be a loopback address"),
        ("local", {"identity_port": 5999, "database_port": 5999}, "port 5999 is used twice"),
    ],
)
def test_a_bad_setting_is_one_clear_line_and_changes_nothing(
    stack: LocalStack, section: str, change: dict[str, object], expected: str
) -> None:
    before = stack.parts()
    kept = dict(stack.settings[section])
    stack.settings[section] |= change
    stack.write_settings()
    try:
        output = stack.pulumi("up", "--yes", check=False)
    finally:
        stack.settings[section] = kept
        stack.write_settings()
    assert expected in output
    assert "Traceback" not in output
    assert stack.parts() == before


def test_a_second_up_at_the_same_time_is_refused_and_harms_nothing(stack: LocalStack) -> None:
    command = [sys.executable, "-m", "tools", "run", "pulumi", "up", "--yes", "--skip-preview", "--stack", "local"]
    both = [
        subprocess.Popen(
            command,
            cwd=stack.directory,
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [each.communicate()[0] for each in both]
    codes = sorted(each.returncode for each in both)
    assert codes[0] == 0, outputs
    if codes[1] != 0:
        assert any("locked" in output for output in outputs)
    assert "precious" in experiments_readable(stack, stack.token(GRACE))


def test_a_corrupt_data_directory_is_one_clear_line(stack: LocalStack) -> None:
    stack.destroy()
    control = stack.state / "data" / "postgres" / "global" / "pg_control"
    good = control.read_bytes()
    control.write_bytes(b"\0" * len(good))
    try:
        output = stack.pulumi("up", "--yes", check=False)
    finally:
        control.write_bytes(good)
    assert "database ended while it was starting; it says:" in output, output
    assert "Traceback" not in output
    stack.up()
    assert "precious" in experiments_readable(stack, stack.token(GRACE))


def test_destroy_leaves_no_process_and_no_listening_port_and_keeps_the_data(stack: LocalStack) -> None:
    processes = stack.processes()
    assert processes
    stack.destroy()
    assert [process for process in processes if process.is_running()] == []
    assert {name: listening(port) for name, port in stack.ports.items()} == dict.fromkeys(stack.ports, False)
    stack.up()
    assert "precious" in experiments_readable(stack, stack.token(GRACE))
