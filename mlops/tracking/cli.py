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


@app.command()
def bootstrap() -> None:
    """Make the databases and the roles that sign in to them with IAM tokens, as the instance's master user."""
    from mlops.operations import database_bootstrap

    database_bootstrap.bootstrap()
