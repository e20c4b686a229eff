"""The `mlops` command as a whole."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"mlflow", "pandas", "sklearn", "matplotlib", "sqlalchemy"}


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['mlops', '--help']\n"
        "from mlops.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "loaded: []" in ran.stdout
    for command in ("gate", "approve", "reject", "promote", "rollback", "history", "compare", "diagnose"):
        assert command in ran.stdout
