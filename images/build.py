"""Builds the platform's images: `python -m images.build [NAME …]`, with docker or buildah, as any user who may run one.

The wheels of `images/requirements.lock` are downloaded here, by the user's own pip and its settings. They are checked
against the lock's hashes here and again inside the build, which runs without a network.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

IMAGES = Path(__file__).parent
ROOT = IMAGES.parent
LOCK = IMAGES / "requirements.lock"
NAMES = ("tracking", "serving", "jobs")
PYTHON = "3.11"
MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
NO_MODEL = "none"
EPOCH = "315532800"
"""1980, the earliest time in a wheel: the same sources make the same wheel, which the build cache then knows."""
CERTIFICATES = IMAGES / "rds-global-bundle.pem"
"""The certificate authorities of Amazon RDS, every region's. To renew it, replace it by
https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem."""


class BuildError(Exception):
    """An image cannot be built; the message is one line and says what to do."""


def main(arguments: Sequence[str]) -> None:
    """Builds the named images, or all of them, and tags them `PREFIX/NAME:TAG`."""
    parser = argparse.ArgumentParser(prog="python -m images.build", description="Build the platform's images.")
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*NAMES, []], help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--prefix", default="mlflow-platform", help="what stands before the image's name")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--base", help="the base image: Debian with Python, pinned by digest")
    parser.add_argument("--model", type=Path, help="a model directory to bake into the serving image")
    options = parser.parse_args(arguments)
    context = prepare(options.model)
    for name in options.names or NAMES:
        values = {"BASE": options.base, "MODEL": options.model and options.model.name if name == "serving" else None}
        build(
            name, f"{options.prefix}/{name}:{options.tag}", context, {key: text for key, text in values.items() if text}
        )


def prepare(model: Path | None) -> Path:
    """The build context: wheels, lock, the project's own wheel, and the model to bake."""
    if model is not None and not (model / "MLmodel").exists():
        raise BuildError(f"--model {model}: no MLmodel in it; expected a directory that `mlflow.save_model` wrote")
    context = ROOT / "build" / "images"
    context.mkdir(parents=True, exist_ok=True)
    _download_wheels(context)
    _build_package(context)
    shutil.copy(CERTIFICATES, context)
    shutil.rmtree(context / "models", ignore_errors=True)
    (context / "models" / NO_MODEL).mkdir(parents=True)
    if model is not None:
        shutil.copytree(model, context / "models" / model.name)
    return context


def build(name: str, reference: str, context: Path, values: dict[str, str]) -> None:
    """Builds one image from `context` with the build arguments `values`."""
    engine = find_engine()
    command = [engine, *(["bud"] if Path(engine).name == "buildah" else ["build"]), "--network", "none"]
    command += ["--file", str(IMAGES / name / "Dockerfile"), "--tag", reference]
    command += [part for key, text in values.items() for part in ("--build-arg", f"{key}={text}")]
    if subprocess.run([*command, str(context)], check=False).returncode != 0:
        raise BuildError(f"{reference}: `{Path(engine).name}` could not build it; see above")


def find_engine() -> str:
    """`$CONTAINER_ENGINE`, or docker or buildah from PATH."""
    wanted = os.environ.get("CONTAINER_ENGINE")
    for name in (wanted,) if wanted else ("docker", "buildah"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise BuildError(
        f"no container engine: {wanted or 'neither docker nor buildah'} is not on PATH; install one of them"
    )


def _download_wheels(context: Path) -> None:
    wheels, done = context / "wheels", context / LOCK.name
    if done.exists() and done.read_bytes() == LOCK.read_bytes():
        return
    shutil.rmtree(wheels, ignore_errors=True)
    platforms = [f"--platform={name}_{_machine()}" for name in MANYLINUX]
    _pip(
        *("download", "--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)),
        *(f"--python-version={PYTHON}", "--implementation=cp", *platforms, "--requirement", str(LOCK)),
    )
    shutil.copy(LOCK, done)


def _build_package(context: Path) -> None:
    """From a copy of the sources, since setuptools leaves files of earlier builds in the tree that it builds in."""
    package = context / "package"
    shutil.rmtree(package, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "pyproject.toml", folder)
        shutil.copytree(ROOT / "mlops", Path(folder) / "mlops", ignore=shutil.ignore_patterns("__pycache__"))
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(package), folder, SOURCE_DATE_EPOCH=EPOCH)


def _machine() -> str:
    """The engine's architecture, which is this machine's."""
    return {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


def _pip(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    if subprocess.run(command, env={**os.environ, **environment}, check=False).returncode != 0:
        raise BuildError(f"`pip {arguments[0]}` failed; see above")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BuildError as error:
        sys.exit(f"error: {error}")
