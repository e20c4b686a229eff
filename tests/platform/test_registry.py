"""A model's life through the `mlops` command: registered, gated, approved, promoted, rolled back, and its history."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from tests.platform.registry_support import APPROVER, EDITOR, STRANGER, Outcome, Platform, Rest, mlops, signed_in

Run = Callable[..., Outcome]
LOGGED: dict[str, str] = {}
GOOD, BAD = LogisticRegression(max_iter=500), DummyClassifier()


@pytest.fixture
def run(platform: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `mlops` as the approver, or as somebody else."""
    return lambda *args, email=APPROVER: mlops(platform, email, monkeypatch, capsys, *map(str, args))


@pytest.fixture(scope="module")
def iris() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = load_iris(as_frame=True).frame
    train, test = train_test_split(frame, test_size=0.3, random_state=0, stratify=frame["target"])
    return train, test.assign(site=["north", "south", "east"] * 15)


@pytest.fixture
def held_out(iris: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> Path:
    path = tmp_path / "held-out.csv"
    iris[1].to_csv(path, index=False)
    return path


@pytest.fixture
def name() -> str:
    return f"iris-{secrets.token_hex(4)}"


@pytest.fixture
def register(
    platform: Any, monkeypatch: pytest.MonkeyPatch, iris: tuple[pd.DataFrame, pd.DataFrame], name: str, run: Run
) -> Callable[..., int]:
    """Registers a trained model as the editor; returns its version. Each estimator is trained and logged once."""
    features, labels = iris[0].drop(columns="target"), iris[0]["target"]

    def train(estimator: Any, **logged: Any) -> int:
        key = f"{estimator} {sorted(logged)}"
        if key not in LOGGED:
            options = {"input_example": features.head(2), **logged}
            with signed_in(platform, EDITOR, monkeypatch):
                mlflow.set_experiment("registry-tests")
                with mlflow.start_run():
                    info = mlflow.sklearn.log_model(estimator.fit(features, labels), name="model", **options)
            LOGGED[key] = info.model_uri
        registered = run("register", LOGGED[key], name, "--json", email=EDITOR)
        return int(json.loads(registered.out)["version"])

    return train


def gate(run: Run, name: str, version: int, data: Path, *more: object, email: str = APPROVER) -> Outcome:
    return run("gate", name, version, "--data", data, "--label", "target", *more, email=email)


def test_a_model_lives_from_registration_to_rollback(
    platform: Platform, run: Run, register: Callable[..., int], name: str, held_out: Path
) -> None:
    rest = Rest(platform, APPROVER)
    versions = [register(GOOD), register(LogisticRegression(C=5, max_iter=500))]
    for version in versions:
        measured = gate(run, name, version, held_out, "--json")
        assert measured.code == 0, measured.err
        assert rest.aliases(name)["staging"] == version
        tags = rest.tags(name, version)
        assert (tags["gate.status"], tags["approval_status"]) == ("passed", "pending")
        assert run("approve", name, version, "--reason", "measured well").code == 0
        assert run("promote", name, version).code == 0
    assert rest.aliases(name) == {"champion": versions[1], "previous-champion": versions[0], "staging": versions[1]}
    assert rest.tags(name, versions[1])["approval.by"] == APPROVER
    assert run("rollback", name, "--reason", "complaints").code == 0
    assert rest.aliases(name)["champion"] == versions[0]
    shown = run("history", name, "--json")
    assert shown.code == 0
    actions = [entry["action"] for entry in json.loads(shown.out)["entries"]]
    assert actions == [*["registered"] * 2, *["gated", "approved", "promoted"] * 2, "rolled-back"]


def test_the_report_lies_beside_the_run_with_its_picture(
    platform: Platform,
    run: Run,
    register: Callable[..., int],
    name: str,
    held_out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = json.loads(gate(run, name, register(GOOD), held_out, "--json").out)["report"]
    with signed_in(platform, APPROVER, monkeypatch):
        page = mlflow.artifacts.load_text(report)
        picture = mlflow.artifacts.load_image(report.replace("gate.md", "predictions.png"))
    assert "| accuracy |" in page
    assert picture.width > 300


def test_a_version_that_fails_its_gate_gets_no_alias(
    platform: Platform, run: Run, register: Callable[..., int], name: str, held_out: Path
) -> None:
    version = register(BAD)
    measured = gate(run, name, version, held_out)
    assert measured.code == 6
    assert "did not pass: accuracy, f1_macro" in measured.err
    rest = Rest(platform, APPROVER)
    assert rest.aliases(name) == {}
    assert rest.tags(name, version)["gate.status"] == "failed"
    assert "approval_status" not in rest.tags(name, version)
    assert run("approve", name, version, "--reason", "please").code == 1


def test_a_version_that_only_loses_to_the_champion_becomes_challenger(
    platform: Platform, run: Run, register: Callable[..., int], name: str, held_out: Path, tmp_path: Path
) -> None:
    champion, rival = register(GOOD), register(LogisticRegression(C=5, max_iter=500))
    gate(run, name, champion, held_out)
    run("approve", name, champion, "--reason", "first")
    run("promote", name, champion)
    strict = tmp_path / "strict.yaml"
    strict.write_text("better_than_champion: {metric: accuracy, margin: 0.5}\n")
    measured = gate(run, name, rival, held_out, "--gate", strict)
    assert measured.code == 6
    assert "did not pass: better_than_champion" in measured.err
    assert Rest(platform, APPROVER).aliases(name)["challenger"] == rival


def test_every_kind_of_check_is_measured(
    run: Run, register: Callable[..., int], name: str, held_out: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(
        "metrics: {accuracy: {min: 0.9}, f1_macro: {min: 0.85}}\nlatency: {p95_ms: 2000, repeats: 20}\nsize_mb: 50\n"
        "slices: [{column: site, metric: accuracy, min: 0.8}]\n"
    )
    measured = gate(run, name, register(GOOD), held_out, "--gate", path, "--dry-run", "--json")
    assert measured.code == 0, measured.err
    names = [check["name"] for check in json.loads(measured.out)["checks"]]
    slices = [f"accuracy[site={site}]" for site in ("east", "north", "south")]
    assert names == ["signature", "data_schema", "size_mb", "accuracy", "f1_macro", *slices, "latency_p95_ms"]


def test_a_weak_slice_fails_the_gate(
    run: Run, register: Callable[..., int], name: str, held_out: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(held_out)
    north = frame["site"] == "north"
    frame.loc[north, "target"] = (frame.loc[north, "target"] + 1) % 3
    frame.to_csv(held_out, index=False)
    path = tmp_path / "gate.yaml"
    path.write_text("metrics: {accuracy: {min: 0.5}}\nslices: [{column: site, metric: accuracy, min: 0.8}]\n")
    measured = gate(run, name, register(GOOD), held_out, "--gate", path, "--dry-run")
    assert measured.code == 6
    assert "did not pass: accuracy[site=north]" in measured.err


def test_a_model_without_signature_fails_its_gate(
    run: Run, register: Callable[..., int], name: str, held_out: Path
) -> None:
    frame = pd.read_csv(held_out).drop(columns="site")
    frame.to_csv(held_out, index=False)
    version = register(GOOD, input_example=None, signature=False)
    measured = gate(run, name, version, held_out, "--dry-run")
    assert measured.code == 6
    assert "signature" in measured.err


def test_data_that_does_not_fit_the_signature_fails_the_gate(
    run: Run, register: Callable[..., int], name: str, held_out: Path
) -> None:
    pd.read_csv(held_out).drop(columns="petal width (cm)").to_csv(held_out, index=False)
    measured = gate(run, name, register(GOOD), held_out, "--dry-run")
    assert measured.code == 6
    assert "data_schema" in measured.err


def test_an_editor_may_measure_but_not_record(
    platform: Platform, run: Run, register: Callable[..., int], name: str, held_out: Path
) -> None:
    version = register(GOOD)
    assert gate(run, name, version, held_out, "--dry-run", email=EDITOR).code == 0
    refused = gate(run, name, version, held_out, email=EDITOR)
    assert refused.code == 4
    assert "approver role" in refused.err
    assert Rest(platform, EDITOR).tags(name, version) == {}


def test_bad_input_is_one_line_and_changes_nothing(
    platform: Platform, run: Run, register: Callable[..., int], name: str, held_out: Path, tmp_path: Path
) -> None:
    version = register(GOOD)
    unlabelled, unknown, nan = tmp_path / "unlabelled.csv", tmp_path / "unknown.yaml", tmp_path / "nan.yaml"
    pd.read_csv(held_out).assign(target=None).to_csv(unlabelled, index=False)
    unknown.write_text("accuracy: 0.9\n")
    nan.write_text("metrics: {accuracy: {min: .nan}}\n")
    before = Rest(platform, APPROVER).history(name)
    attempts = {
        "unknown model": run("promote", "no-such-model", 1),
        "unknown version": run("promote", name, 99),
        "ungated": run("promote", name, version),
        "no champion": run("rollback", name, "--reason", "x"),
        "no dataset": gate(run, name, version, tmp_path / "none.csv"),
        "no label column": run("gate", name, version, "--data", held_out, "--label", "nothing"),
        "rows without label": gate(run, name, version, unlabelled),
        "unknown key": gate(run, name, version, held_out, "--gate", unknown),
        "NaN threshold": gate(run, name, version, held_out, "--gate", nan),
        "other team": run("promote", name, version, email=STRANGER),
    }
    for what, outcome in attempts.items():
        assert outcome.code != 0, what
        assert outcome.err.startswith("error: "), (what, outcome.err)
        assert outcome.err.count("\n") == 1, (what, outcome.err)
    assert Rest(platform, APPROVER).history(name) == before
    assert "accuracy = 0.9" in attempts["unknown key"].err
    assert "known keys: metrics" in attempts["unknown key"].err


def test_a_kept_seal_shows_that_history_was_cut(run: Run, register: Callable[..., int], name: str) -> None:
    register(GOOD)
    entries = json.loads(run("history", name, "--json").out)["entries"]
    assert run("history", name, "--since", entries[-1]["seal"]).code == 0
    cut = run("history", name, "--since", "0" * 64)
    assert cut.code == 7
    assert "is missing" in cut.err
