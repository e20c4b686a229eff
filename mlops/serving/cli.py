"""`mlops serving …`: what the serving image runs."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve() -> None:
    """Serve the model that an alias names, and follow the alias (settings come from the environment)."""
    from mlops.serving import server

    server.serve()
