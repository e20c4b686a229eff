"""MLflow's Assistant API runs commands as the tracking server, so nobody reaches it, by either port."""

from __future__ import annotations

import httpx
import pytest

from tests.platform.local_stack import LocalStack

PREFIX = "/ajax-api/3.0/mlflow/assistant"


@pytest.mark.parametrize("port", ["tracking", "mlflow"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/config"), ("PUT", "/config"), ("POST", "/message"), ("POST", "/skills/install")]
)
def test_nobody_reaches_the_assistant(platform: LocalStack, port: str, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {platform.token('ada@example.com')}", "X-MLFLOW-WORKSPACE": "iris"}
    url = f"http://127.0.0.1:{platform.ports[port]}{PREFIX}{path}"
    answer = httpx.request(method, url, headers=headers, json={}, trust_env=False)
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "The MLflow Assistant is turned off on this platform.",
    )
