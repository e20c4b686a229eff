"""`python -m infra.local.as_account ACCOUNT COMMAND …`: gives up root, then becomes the command.

A program of its own, because `subprocess` with `user=` forks its caller, and the fork of a process that serves gRPC now
and then ends in a segmentation fault.
"""

from __future__ import annotations

import os
import pwd
import sys


def main(account: str, *command: str) -> None:
    """Replaces this process by `command`, running as `account` without supplementary groups."""
    entry = pwd.getpwnam(account)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.execv(command[0], list(command))


if __name__ == "__main__":
    main(*sys.argv[1:])
