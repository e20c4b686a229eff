"""Finding tools: what is on PATH is used when it is good, and a missing one is told in one line with both remedies."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools import build, catalogue, pulumi_home


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No tool in the cache, nothing on PATH."""
    monkeypatch.setenv("MLFLOW_PLATFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_good_tool_on_path_is_used_as_it_is(empty: Path) -> None:
    script(empty / "versitygw", "echo version 1.9.0")
    assert build.ensure(catalogue.VERSITYGW) == empty / "versitygw"


def test_an_old_tool_on_path_is_not_used(empty: Path) -> None:
    script(empty / "versitygw", "echo version 1.7.9")
    assert catalogue.VERSITYGW.locate() is None


def test_a_pulumi_without_its_python_host_is_not_used(empty: Path) -> None:
    script(empty / "pulumi", "echo v3.260.0")
    assert catalogue.PULUMI.locate() is None
    script(empty / "pulumi-language-python", "echo 3.260.0")
    assert catalogue.PULUMI.locate() == empty / "pulumi"


def test_with_neither_tool_nor_go_the_message_names_both_remedies(empty: Path) -> None:
    with pytest.raises(
        catalogue.ToolError, match=r"neither the tool nor Go is on PATH: install versitygw on PATH, or Go"
    ):
        build.ensure(catalogue.VERSITYGW)


def test_an_old_go_is_told(empty: Path) -> None:
    script(empty / "go", "echo go version go1.19.1 linux/amd64")
    with pytest.raises(catalogue.ToolError, match=r"go1\.19\.1.*Go 1\.\d+ or later"):
        build.ensure(catalogue.VERSITYGW)


def test_a_failed_build_leaves_nothing_that_looks_built(empty: Path) -> None:
    module = '{"Version":"v1","Dir":"/"}'
    script(
        empty / "go",
        f"case $1 in version) echo go version go1.99.0 linux/amd64;; mod) echo '{module}';; *) exit 1;; esac",
    )
    with pytest.raises(catalogue.ToolError, match="`go install` failed"):
        build.ensure(catalogue.VERSITYGW)
    assert catalogue.VERSITYGW.built() is None
    assert [path for path in (empty / "cache").iterdir() if path.is_dir()] == []


def test_a_changed_pin_is_another_place_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue.VERSITYGW.cache_dir
    for name in ("go.mod", "go.sum"):
        (tmp_path / "versitygw").mkdir(exist_ok=True)
        (tmp_path / "versitygw" / name).write_bytes((catalogue.TOOLS_DIR / "versitygw" / name).read_bytes() + b"\n")
    monkeypatch.setattr(catalogue, "TOOLS_DIR", tmp_path)
    assert replace(catalogue.VERSITYGW).cache_dir.name != before.name


def test_a_misspelt_command_is_told_in_one_line() -> None:
    run = subprocess.run([sys.executable, "-m", "tools", "instal"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("usage: ")


def test_a_chosen_backend_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(tmp_path / "state"))
    environment = {"PULUMI_BACKEND_URL": "s3://states"}
    assert pulumi_home.arguments(["up", "--stack", "local"], environment) == ["up", "--stack", "local"]
    assert environment["PULUMI_BACKEND_URL"] == "s3://states"
    assert not (tmp_path / "state").exists()


def test_a_login_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(tmp_path / "state"))
    (tmp_path / "credentials.json").write_text('{"current": "https://api.example.com"}')
    environment = {"PULUMI_HOME": str(tmp_path)}
    assert pulumi_home.arguments(["preview", "--stack", "local"], environment) == ["preview", "--stack", "local"]
    assert "PULUMI_BACKEND_URL" not in environment


def test_an_unknown_stack_is_told_with_the_known_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(tmp_path / "state"))
    with pytest.raises(
        catalogue.ToolError, match=r"stack 'lokal': no file Pulumi\.lokal\.yaml; expected one of .*local"
    ):
        pulumi_home.arguments(["up", "--stack", "lokal"], {"PULUMI_HOME": str(tmp_path)})


def test_private_files_are_private_from_the_first_byte(tmp_path: Path) -> None:
    pulumi_home.write_private(tmp_path / "secret", "text")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
