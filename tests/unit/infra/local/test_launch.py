"""A launched command gets exactly the described environment, whatever characters it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local import launch

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@settings(max_examples=8, deadline=None)
@given(value=VALUES)
def test_the_environment_arrives_unchanged_and_nothing_else_does(value: str, tmp_path_factory: object) -> None:
    folder: Path = tmp_path_factory.mktemp("launch")  # type: ignore[attr-defined]
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    environment = {"VALUE": value, "LC_ALL": "C.UTF-8"}
    command = launch.describe(folder / "launch.json", [sys.executable, "-I", "-c", show], environment, None)
    run = subprocess.run(command, cwd=launch.DIRECTORY, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == environment


def test_the_description_is_for_its_owner_only(tmp_path: Path) -> None:
    launch.describe(tmp_path / "launch.json", ["/bin/true"], {"SECRET": "text"}, None)
    assert (tmp_path / "launch.json").stat().st_mode & 0o777 == 0o600
