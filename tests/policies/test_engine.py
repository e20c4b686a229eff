"""The pack in the real engine: the local stack passes, one broken setting is stopped before anything changes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform.local_stack import LocalStack

PACK = ("--policy-pack", "policies")
TRACKING = "infra/workloads/tracking.py"
BREAK = (
    ("server-on-loopback", TRACKING, '"MLOPS_LISTEN": f"127.0.0.1:', '"MLOPS_LISTEN": f"0.0.0.0:'),
    ("registry-guarded", TRACKING, '"mlops", "tracking", "serve"', '"mlflow", "server", "--host=127.0.0.1"'),
)

pytestmark = pytest.mark.xdist_group("engine")


def _engine(stack: LocalStack, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "tools", "run", "pulumi", *arguments, "--stack", "local"],
        cwd=stack.directory,
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


def _resources(stack: LocalStack) -> list[str]:
    code, text = _engine(stack, "stack", "export")
    assert code == 0, text
    document = json.loads(text[text.index("{") :])
    return [each["urn"] for each in document["deployment"].get("resources") or []]


def test_preview_of_the_local_stack_passes(disposable: LocalStack) -> None:
    code, output = _engine(disposable, "preview", *PACK)
    assert code == 0, output
    assert "✅ mlflow-platform" in output
    assert "can't run policy" not in output


@pytest.mark.parametrize(("policy", "file", "old", "new"), BREAK, ids=[row[0] for row in BREAK])
def test_broken_setting_is_stopped_and_nothing_changes(
    disposable: LocalStack, policy: str, file: str, old: str, new: str
) -> None:
    path: Path = disposable.directory / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    try:
        code, output = _engine(disposable, "up", "--yes", *PACK)
        assert code != 0, output
        assert re.search(rf"\[mandatory\]\s+(\[severity: \w+\]\s+)?{policy}\b", output), output
        assert not disposable.processes()
        assert not (disposable.state / "platform.json").exists()
        assert [urn for urn in _resources(disposable) if "local:" in urn] == []
    finally:
        path.write_text(text)


def test_levels_of_the_stack_count_in_the_engine(disposable: LocalStack) -> None:
    levels = disposable.directory / "policies" / "levels.local.json"
    text, path = levels.read_text(), disposable.directory / TRACKING
    program = path.read_text()
    reason = "Shows that the engine tells the pack which stack it is"
    off = {name: {"level": "off", "reason": reason} for name in ("server-on-loopback", "local-listeners-on-loopback")}
    levels.write_text(json.dumps({"levels": off}))
    path.write_text(program.replace(BREAK[0][2], BREAK[0][3]))
    try:
        code, output = _engine(disposable, "preview", *PACK)
        assert code == 0, output
    finally:
        levels.write_text(text)
        path.write_text(program)


def test_expired_exception_stops_the_engine(disposable: LocalStack) -> None:
    levels = disposable.directory / "policies" / "levels.local.json"
    text = levels.read_text()
    ended = {"policy": "images-pinned", "resource": "tracking", "reason": "Was needed for a while"}
    levels.write_text(json.dumps({"exceptions": [{**ended, "expires": "2020-01-31"}]}))
    try:
        code, output = _engine(disposable, "preview", *PACK)
        assert code != 0, output
        assert "ended on 2020-01-31" in output
    finally:
        levels.write_text(text)


def test_what_a_preview_cannot_know_is_stopped_at_up(disposable: LocalStack) -> None:
    """The proxy's file holds secrets that the first `up` makes: it is judged then, before the proxy is started."""
    path = disposable.directory / TRACKING
    text = path.read_text()
    path.write_text(text.replace('"code_challenge_method": "S256",', '"code_challenge_method": "",'))
    try:
        code, output = _engine(disposable, "up", "--yes", *PACK)
    finally:
        path.write_text(text)
    assert code != 0, output
    assert "proxy-signs-in-safely" in output
    started = {urn.rpartition("::")[2] for urn in _resources(disposable) if "local:Process" in urn}
    assert "tracking-mlflow" in started
    assert "tracking" not in started


def test_up_of_the_local_stack_passes(disposable: LocalStack) -> None:
    code, output = _engine(disposable, "up", "--yes", *PACK)
    assert code == 0, output
    assert "✅ mlflow-platform" in output
    with disposable.api(None) as client:
        assert client.get("/api/2.0/mlflow/experiments/search").status_code == 401


FOREIGN = '''
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Nothing(ResourceProvider):
    def create(self, props):
        return CreateResult("1", props)


class Thing(Resource):
    def __init__(self, name, props, opts=None):
        super().__init__(Nothing(), name, props, opts)


first = Thing("first", {"tags": ["a", None], "size": 3, "nested": {"deep": [{"x": 1}]}, "made": None})
Thing("second", {"from": first.id, "text": pulumi.Output.secret("s"), "env": "not a mapping"})


class Process(Resource, module="local", name="Process"):
    """Called as this project's own, with inputs of another shape."""

    def __init__(self, name, props):
        super().__init__(Nothing(), name, props)


Process("odd", {"definition": "none", "ports": "80", "secret_files": [1], "address": 7})
pulumi.export("first", first.id)
'''


def test_foreign_program_is_judged_without_a_crash(disposable: LocalStack, tmp_path: Path) -> None:
    runtime = {"name": "python", "options": {"virtualenv": str(disposable.directory / ".venv")}}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({"name": "foreign", "runtime": runtime}))
    (tmp_path / "__main__.py").write_text(FOREIGN)
    (tmp_path / "state").mkdir()
    environment = {
        **disposable.environment,
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
    }
    pulumi = [sys.executable, "-c", _RUN, str(disposable.directory)]
    for arguments in (["stack", "init", "test"], ["preview", "--policy-pack", str(disposable.directory / "policies")]):
        run = subprocess.run(
            [*pulumi, *arguments, "--cwd", str(tmp_path)],
            cwd=disposable.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    output = run.stdout + run.stderr
    assert "Traceback" not in output, output
    assert "mlflow-platform" in output
    assert "tracking-server-exists" not in output, "nothing is missing from what is no MLflow platform"


_RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from tools import catalogue
from pathlib import Path
found = catalogue.locate("pulumi")
host = catalogue.locate("pulumi-language-python")
os.environ["PATH"] = os.pathsep.join([str(found.parent), str(host.parent), os.environ["PATH"]])
os.execv(found, [str(found), *sys.argv[2:]])
"""
