"""`mlops tracking …`: what the tracking image runs."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve() -> None:
    """Become the tracking server (settings come from the environment)."""
    from mlops.tracking import server

    server.serve()


@app.command()
def migrate() -> None:
    """Bring the databases to this version's schema, and make the teams' workspaces and roles."""
    from mlops.tracking import migrate

    migrate.migrate()
