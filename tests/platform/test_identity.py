"""Who may do what, asked through the proxy and around it, with real tokens of a real issuer."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.platform.local_stack import LocalStack

SEARCH = "/api/2.0/mlflow/experiments/search"
GRACE, ALAN, ADA = "grace@example.com", "alan@example.com", "ada@example.com"


def search(platform: LocalStack, token: str | None, workspace: str = "iris") -> httpx.Response:
    with platform.api(token, workspace) as client:
        return client.post(SEARCH, json={"max_results": 100})


def names(response: httpx.Response) -> set[str]:
    return {experiment["name"] for experiment in response.json().get("experiments", [])}


def forged(platform: LocalStack, **changes: Any) -> str:
    claims = {"iss": platform.issuer, "aud": "mlops-cli", "sub": GRACE, "email": GRACE, "groups": ["iris-scientists"]}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    return jwt.encode({**claims, "iat": now, "exp": now + 600, **changes}, key, algorithm="RS256")


def test_a_signed_in_scientist_may_use_the_teams_workspace(platform: LocalStack) -> None:
    assert search(platform, platform.token(GRACE)).status_code == 200


def test_a_request_without_token_is_refused(platform: LocalStack) -> None:
    assert search(platform, None).status_code == 401


def test_a_browser_without_session_is_sent_to_sign_in(platform: LocalStack) -> None:
    with platform.api(None) as client:
        response = client.get("/")
    assert response.status_code == 302
    location = httpx.URL(response.headers["location"])
    assert str(location).startswith(f"{platform.issuer}/oauth2/authorize")
    assert location.params["code_challenge_method"] == "S256"


@pytest.mark.parametrize("port", ["tracking", "mlflow"])
def test_forwarded_headers_name_nobody(platform: LocalStack, port: str) -> None:
    spoofed = {
        "X-Forwarded-User": ADA,
        "X-Forwarded-Email": ADA,
        "X-Forwarded-Preferred-Username": ADA,
        "X-Forwarded-Groups": "platform-admins",
        "X-Auth-Request-Email": ADA,
        "Remote-User": ADA,
    }
    url = f"http://127.0.0.1:{platform.ports[port]}{SEARCH}"
    response = httpx.post(url, json={}, headers={**spoofed, "X-MLFLOW-WORKSPACE": "iris"}, trust_env=False)
    assert response.status_code == 401


def test_forwarded_headers_do_not_change_who_a_token_names(platform: LocalStack) -> None:
    token = platform.token(ALAN)
    headers = {"X-Forwarded-Email": ADA, "X-Forwarded-Groups": "platform-admins"}
    with platform.api(token, "vision") as client:
        answer = client.get("/api/2.0/mlflow/users/current", headers=headers)
    assert answer.json()["user"]["username"] == ALAN
    assert answer.json()["user"]["is_admin"] is False


@pytest.mark.parametrize("basic", [("system:platform", "password1234"), (ADA, "x"), ("admin", "password1234")])
def test_mlflows_own_passwords_open_nothing_at_its_own_port(platform: LocalStack, basic: tuple[str, str]) -> None:
    url = f"http://127.0.0.1:{platform.ports['mlflow']}{SEARCH}"
    assert httpx.post(url, json={}, auth=basic, trust_env=False).status_code == 401


@pytest.mark.parametrize("port", ["tracking", "mlflow"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="signed by nobody we know"),
        pytest.param({"iss": "https://elsewhere.example.com"}, id="other issuer"),
        pytest.param({"aud": "another-application"}, id="other audience"),
        pytest.param({"exp": 1_000_000_000}, id="expired"),
    ],
)
def test_a_forged_token_is_refused(platform: LocalStack, port: str, changes: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {forged(platform, **changes)}", "X-MLFLOW-WORKSPACE": "iris"}
    url = f"http://127.0.0.1:{platform.ports[port]}{SEARCH}"
    assert httpx.post(url, json={}, headers=headers, trust_env=False).status_code in (401, 403)


@pytest.mark.parametrize("port", ["tracking", "mlflow"])
def test_an_unsigned_token_is_refused(platform: LocalStack, port: str) -> None:
    genuine = jwt.decode(platform.token(GRACE), options={"verify_signature": False})
    headers = {"Authorization": f"Bearer {jwt.encode(genuine, None, algorithm='none')}", "X-MLFLOW-WORKSPACE": "iris"}
    url = f"http://127.0.0.1:{platform.ports[port]}{SEARCH}"
    assert httpx.post(url, json={}, headers=headers, trust_env=False).status_code in (401, 403)


def test_a_genuine_token_for_another_application_is_refused(platform: LocalStack) -> None:
    assert search(platform, platform.token(GRACE, audience="another-application")).status_code in (401, 403)


def test_someone_of_no_team_is_forbidden_not_given_a_default_role(platform: LocalStack) -> None:
    response = search(platform, platform.token("stranger@example.com"))
    assert response.status_code == 403
    assert "belongs to no team" in response.text


def test_a_team_cannot_read_another_teams_experiments(platform: LocalStack) -> None:
    with platform.api(platform.token(GRACE)) as client:
        created = client.post("/api/2.0/mlflow/experiments/create", json={"name": "only for iris"})
    assert created.status_code == 200
    experiment = created.json()["experiment_id"]
    alan = platform.token(ALAN)
    for workspace in ("iris", "vision"):
        assert "only for iris" not in names(search(platform, alan, workspace))
        with platform.api(alan, workspace) as client:
            got = client.get("/api/2.0/mlflow/experiments/get", params={"experiment_id": experiment})
            run = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": experiment})
        assert got.status_code in (403, 404)
        assert run.status_code in (403, 404)


def test_a_viewer_reads_but_creates_nothing(platform: LocalStack) -> None:
    viewer = platform.token("viewer@example.com")
    assert search(platform, viewer).status_code == 200
    with platform.api(viewer) as client:
        created = client.post("/api/2.0/mlflow/experiments/create", json={"name": "a viewer's own"})
    assert created.status_code == 403


def test_an_administrator_sees_every_workspace(platform: LocalStack) -> None:
    for workspace in ("iris", "vision"):
        assert search(platform, platform.token(ADA), workspace).status_code == 200


def test_a_host_that_is_not_ours_is_refused_by_mlflow(platform: LocalStack) -> None:
    url = f"http://127.0.0.1:{platform.ports['mlflow']}{SEARCH}"
    headers = {"Host": "evil.example.com", "Authorization": f"Bearer {platform.token(GRACE)}"}
    assert httpx.post(url, json={}, headers=headers, trust_env=False).status_code == 403


def test_the_management_port_shows_health_and_metrics_but_no_data(platform: LocalStack) -> None:
    base = f"http://127.0.0.1:{platform.ports['management']}"
    with httpx.Client(base_url=base, trust_env=False) as client:
        assert client.get("/ready").status_code == 200
        assert "mlflow_http_request_total" in client.get("/metrics").text
        assert (
            client.post(SEARCH, json={}, headers={"Authorization": f"Bearer {platform.token(ADA)}"}).status_code == 404
        )


def test_the_served_models_token_reads_but_does_not_write(platform: LocalStack) -> None:
    token = (platform.state / "run" / "tokens" / "serving-iris-classifier").read_text()
    assert search(platform, token).status_code == 200
    with platform.api(token) as client:
        assert client.post("/api/2.0/mlflow/experiments/create", json={"name": "by a server"}).status_code == 403
