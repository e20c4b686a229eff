"""What a gate file may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops.errors import PlatformError
from mlops.registry import gatefile


def test_without_a_file_a_classifier_needs_the_usual_scores() -> None:
    gate = gatefile.read(None)
    assert gate.metrics["accuracy"].min == 0.90
    assert gate.metrics["f1_macro"].min == 0.85
    assert gate.signature
    assert gate.better_than_champion is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acuracy: 0.9", "acuracy = 0.9: Extra inputs are not permitted; known keys: metrics"),
        ("metrics: {acuracy: {min: 0.9}}", "metrics.acuracy"),
        ("metrics: {accuracy: {}}", "expected min, max or both"),
        ("metrics: {accuracy: {min: .nan}}", "finite number"),
        ("better_than_champion: {margin: -1}", "better_than_champion.margin = -1"),
        ("slices: [{column: a, metric: accuracy}]", "slices.0.min"),
        ("metrics: [", "not YAML"),
    ],
)
def test_a_mistake_is_one_line_naming_the_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(PlatformError) as error:
        gatefile.read(path)
    assert said in str(error.value)
    assert str(error.value).startswith(f"gate file {path}: ")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="No such file"):
        gatefile.read(tmp_path / "none.yaml")


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("size_mb: 10\n")
    assert gatefile.read(path).digest == gatefile.read(path).digest != gatefile.read(None).digest
