"""`python -m tools …`: install (build) tools, run one with the others on PATH, make the environment, purge local data.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools import build, catalogue, pulumi_home, purge, venv

USAGE = "usage: python -m tools install [NAME …] | run NAME [ARGUMENT …] | venv | purge"


def main(arguments: list[str]) -> int:
    """Returns the exit code; `run` replaces this process."""
    match arguments:
        case ["install", *names] if all(name in catalogue.BY_NAME for name in names):
            for tool in [catalogue.BY_NAME[name] for name in names] or catalogue.LOCAL_STACK:
                build.ensure(tool)
            return 0
        case ["venv"]:
            venv.ensure()
            return 0
        case ["purge"]:
            purge.purge()
            return 0
        case ["run", name, *rest] if name in catalogue.BY_NAME:
            folders = [str(build.ensure(tool).parent) for tool in (catalogue.PULUMI, *catalogue.LOCAL_STACK)]
            path = os.pathsep.join([*dict.fromkeys(folders), os.environ.get("PATH", os.defpath)])
            environment = {**os.environ, "PATH": path}
            if name == catalogue.PULUMI.name:
                rest = pulumi_home.arguments(rest, environment)
            os.execvpe(name, [name, *rest], environment)
    print(f"{USAGE}; NAME is one of {', '.join(catalogue.BY_NAME)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    try:
        sys.exit(main(sys.argv[1:]))
    except catalogue.ToolError as error:
        sys.exit(f"error: {error}")
