"""The first page of MLflow's web application, with this platform's answers to what it would ask each new browser.

MLflow keeps these answers in the browser and has no setting for them. A choice that somebody has made stays.
"""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, Response

ANSWERS = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,  # do not open the Assistant, which is turned off
    "mlflow.telemetry.info.alert.dismissed_v1": True,  # no news about telemetry, which is turned off
    "mlflow.workflowType_v1": "machine_learning",  # show runs and models first; the switch to GenAI is beside them
}
_SCRIPT = """<script>
for (const [key, value] of Object.entries(%s))
  if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
</script>"""


def install(app: Flask) -> None:
    """Replaces the view of MLflow's front page; before the first request.

    Raises:
        RuntimeError: this version of MLflow has no such page or view.
    """
    index = Path(app.static_folder or "") / "index.html"
    if "serve" not in app.view_functions or not index.is_file():
        raise RuntimeError(f"{index}: MLflow's front page is not where it was; adapt mlops/tracking/front_page.py")
    html = index.read_text().replace("<script", _SCRIPT % json.dumps(ANSWERS) + "<script", 1)
    app.view_functions["serve"] = lambda: Response(html, mimetype="text/html", headers={"Cache-Control": "no-cache"})
