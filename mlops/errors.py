"""Errors that a user can mend: one line that names the thing, its value, what was expected and what to do."""

from __future__ import annotations


class PlatformError(Exception):
    """Ends a command with `exit_code` and its message; never a stack trace."""

    exit_code = 1
