"""The command-line tools that the platform runs, and where to find or build each one.

A tool that is already on PATH in a good version is used as it is. Otherwise it is built once, from the pinned Go module
in `tools/<name>/`, into a per-user cache that is keyed by that module's `go.sum`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOOLS_DIR = Path(__file__).parent
GO_MINIMUM = (1, 24)


class ToolError(Exception):
    """A tool is missing or could not be built; the message is one line and names the remedies."""


@dataclass(frozen=True)
class Tool:
    """One tool: `name` is its command, and its folder in `tools/` unless it shares the `folder` of others."""

    name: str
    minimum: tuple[int, ...]
    version_args: tuple[str, ...] = ("--version",)
    companions: tuple[Tool, ...] = ()
    """Tools that must lie beside this one."""
    scripts: tuple[str, ...] = ()
    ldflags: str = "-s -w"
    source_module: str = ""
    folder: str = ""

    @property
    def module_dir(self) -> Path:
        """The Go module that pins and builds this tool."""
        return TOOLS_DIR / (self.folder or self.name)

    @property
    def cache_dir(self) -> Path:
        """Where this tool's pinned version is built; a changed pin is a new folder."""
        pins = b"".join((self.module_dir / name).read_bytes() for name in ("go.mod", "go.sum"))
        return cache_root() / f"{self.module_dir.name}-{hashlib.sha256(pins).hexdigest()[:12]}"

    def on_path(self) -> Path | None:
        """The tool found on PATH, when it is at least `minimum` and has its companions on PATH too."""
        found = shutil.which(self.name)
        if found is None or any(shutil.which(each.name) is None for each in self.companions):
            return None
        try:
            run = subprocess.run([found, *self.version_args], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        version = re.search(r"(\d+)\.(\d+)\.(\d+)", run.stdout + run.stderr)
        if version is None or tuple(map(int, version.groups())) < self.minimum:
            return None
        return Path(found)

    def built(self) -> Path | None:
        """The tool in the cache, when its build has finished."""
        binary = self.cache_dir / self.name
        return binary if binary.exists() else None

    def locate(self) -> Path | None:
        """The tool to use: the one on PATH when it is good, else the cached build."""
        return self.on_path() or self.built()


def cache_root() -> Path:
    """`$MLFLOW_PLATFORM_CACHE`, or `mlflow-platform/tools` in the user's cache directory."""
    override = os.environ.get("MLFLOW_PLATFORM_CACHE")
    if override:
        return Path(override)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlflow-platform" / "tools"


PULUMI_HOST = Tool(
    name="pulumi-language-python",
    minimum=(3, 75, 0),
    source_module="github.com/pulumi/pulumi/sdk/v3",
    scripts=(
        "python/cmd/pulumi-language-python-exec",
        "python/dist/pulumi-resource-pulumi-python",
        "python/dist/pulumi-analyzer-policy-python",
    ),
)
PULUMI = Tool(
    name="pulumi",
    minimum=(3, 200, 0),
    version_args=("version",),
    companions=(PULUMI_HOST,),
    source_module="github.com/pulumi/pulumi/pkg/v3",
    ldflags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",
)
OAUTH2_PROXY = Tool(
    name="oauth2-proxy",
    minimum=(7, 8, 1),
    source_module="github.com/oauth2-proxy/oauth2-proxy/v7",
    ldflags="-s -w -X github.com/oauth2-proxy/oauth2-proxy/v7/pkg/version.VERSION={version}",
)
VERSITYGW = Tool(
    name="versitygw",
    minimum=(1, 8, 0),
    source_module="github.com/versity/versitygw",
    ldflags="-s -w -X main.Version={version}",
)
KUBE_APISERVER, KUBE_CONTROLLER_MANAGER = (
    Tool(
        name=name,
        minimum=(1, 36, 0),
        folder="kubernetes",
        source_module="k8s.io/kubernetes",
        ldflags="-s -w -X k8s.io/component-base/version.gitVersion=v{version}",
    )
    for name in ("kube-apiserver", "kube-controller-manager")
)
ETCD = Tool(name="etcd", minimum=(3, 6, 0), source_module="go.etcd.io/etcd/server/v3")

LOCAL_STACK = (PULUMI_HOST, PULUMI, OAUTH2_PROXY, VERSITYGW)
CLUSTER = (ETCD, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER)
"""A Kubernetes control plane on loopback, for `make test-cluster`; built only when asked for by name."""

BY_NAME = {tool.name: tool for tool in (*LOCAL_STACK, *CLUSTER)}


def locate(name: str) -> Path:
    """The path of a tool that was found or built before.

    Raises:
        ToolError: it is neither on PATH nor in the cache.
    """
    tool = BY_NAME[name]
    found = tool.locate()
    if found is None:
        raise ToolError(
            f"{name}: not found on PATH in version {'.'.join(map(str, tool.minimum))} or later, and not built yet: "
            "run `make tools`"
        )
    return found
