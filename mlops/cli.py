"""`mlops`: one command for the people and the containers of the platform.

Each group of commands lives beside what it drives; this file gathers them and turns a user's mistake into one line.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from mlops.checklist.cli import app as checklist
from mlops.errors import PlatformError
from mlops.login.cli import app as login
from mlops.operations.diagnose import app as diagnose
from mlops.operations.status import app as status
from mlops.registry.cli import app as registry
from mlops.search.cli import app as search
from mlops.serving.cli import app as serving
from mlops.tracking.cli import app as tracking

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False)
app.add_typer(login)
app.add_typer(status)
app.add_typer(checklist)
app.add_typer(diagnose)
app.add_typer(registry)
app.add_typer(search)
app.add_typer(tracking, name="tracking", help="Run and prepare the tracking server (inside its image).")
app.add_typer(serving, name="serving", help="Run a model server (inside its image).")


def main() -> None:
    """Runs the command line; a `PlatformError` ends it with one line and the error's exit code."""
    try:
        app()
    except PlatformError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/red] {escape(str(error))}")
        sys.exit(error.exit_code)
