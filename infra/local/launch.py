"""`python -m infra.local.launch FILE`: becomes the command that FILE describes, with exactly the environment in it.

The file (0600) keeps secrets out of argument lists and out of the supervisor's configuration, whose quoting cannot
carry every text. When it names an account, root is given up first. That is done here and not by `subprocess`, because
with `user=` it forks its caller, and the fork of a process that serves gRPC now and then ends in a segmentation fault.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tools.pulumi_home import PROJECT, write_private


def describe(path: Path, command: Sequence[str], environment: Mapping[str, str], account: str | None) -> list[str]:
    """Writes the file; returns the command line that launches what it describes, to be run in `DIRECTORY`."""
    document = {"command": list(command), "environment": dict(environment), "account": account}
    write_private(path, json.dumps(document))
    return [sys.executable, "-m", "infra.local.launch", str(path)]


DIRECTORY = PROJECT
"""Where the command line of `describe` must be run: that is where Python finds this module."""


def main(path: str) -> NoReturn:
    """Replaces this process."""
    document = json.loads(Path(path).read_text())
    command: list[str] = document["command"]
    if document["account"] is not None:
        entry = pwd.getpwnam(document["account"])
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    os.execvpe(command[0], command, document["environment"])


if __name__ == "__main__":
    main(sys.argv[1])
