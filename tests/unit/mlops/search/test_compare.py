"""What tells runs apart, and how the best one is run again."""

from __future__ import annotations

from pathlib import Path

from mlops.search import pictures
from mlops.search.compare import differing, reproduce
from mlops.search.runs import Run


def run(params: dict[str, str] | None = None, tags: dict[str, str] | None = None, **metrics: float) -> Run:
    return Run("0" * 32, "a run", "FINISHED", params or {}, metrics, tags or {})


def test_only_parameters_that_differ_are_shown() -> None:
    runs = [
        run({"depth": "3", "seed": "1"}),
        run({"depth": "4", "seed": "1"}),
        run({"depth": "4", "seed": "1", "c": "2"}),
    ]
    assert differing(runs) == ["c", "depth"]


def test_a_recorded_run_is_reproduced_by_clone_checkout_and_command() -> None:
    tags = {
        "mlflow.source.git.commit": "abc123",
        "mlflow.source.git.repoURL": "https://example.com/team/it's.git",
        "mlops.command": "python train.py --depth 3",
    }
    assert reproduce(run(tags=tags)) == [
        f"git clone 'https://example.com/team/it'\"'\"'s.git' {'0' * 32} && cd {'0' * 32}",
        "git checkout abc123",
        "python train.py --depth 3",
    ]


def test_what_a_record_does_not_tell_is_said() -> None:
    assert all(line.startswith("# the run records no") for line in reproduce(run()))
    assert "# files differed" in reproduce(run(tags={"mlops.git.dirty": "true"}))[1]


def test_pictures_take_words_numbers_and_single_runs(tmp_path: Path) -> None:
    many = [
        run({"lr": "0.1", "opt": "sgd"}, acc=0.5),
        run({"lr": "0.2", "opt": "adam"}, acc=0.7),
        run(acc=float("nan")),
    ]
    for runs in (many, many[:1]):
        pictures.parallel_coordinates(tmp_path / "p.png", runs, ["lr", "opt"], "acc")
        pictures.curves(tmp_path / "c.png", {"one": [(0, 0.5), (1, 0.6)], "none": []}, "acc")
        assert (tmp_path / "p.png").stat().st_size > 5000
        assert (tmp_path / "c.png").stat().st_size > 5000
