"""What people see: from signing in to a run's pictures and a model's alias, and back out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.platform.local_stack import PROJECT, LocalStack

GRACE = "grace@example.com"
EXPERIMENT, MODEL, ALIAS = "iris-classification", "iris-classifier", "candidate"

pytestmark = pytest.mark.usefixtures("trained")


@pytest.fixture(scope="module")
def trained(platform: LocalStack) -> None:
    """The example has run once, and its newest model version has an alias."""
    environment = platform.client_environment(GRACE)
    example = subprocess.run(
        [sys.executable, str(PROJECT / "examples" / "iris.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert example.returncode == 0, example.stderr
    import mlflow

    with platform.signed_in(GRACE):
        client = mlflow.MlflowClient()
        newest = max(int(each.version) for each in client.search_model_versions(f"name = '{MODEL}'"))
        client.set_registered_model_alias(MODEL, ALIAS, str(newest))


@pytest.fixture
def grace(visitor: Visitor) -> Iterator[Visitor]:
    """A scientist who has signed in; afterwards nothing on her pages has failed."""
    visitor.sign_in(GRACE)
    yield visitor
    assert visitor.troubles == []


def test_the_front_page_opens_no_assistant_and_speaks_of_no_telemetry(grace: Visitor) -> None:
    expect(grace.page.get_by_role("link", name="iris", exact=True)).to_be_visible()
    expect(grace.page.get_by_text("Welcome to MLflow Assistant")).to_have_count(0)
    expect(grace.page.get_by_text("telemetry")).to_have_count(0)


def test_a_scientist_finds_the_runs_of_the_team(grace: Visitor) -> None:
    page = grace.page
    page.get_by_role("link", name="iris", exact=True).click()
    page.get_by_role("link", name=EXPERIMENT, exact=True).first.click()
    expect(page.get_by_role("link", name="random-forest").first).to_be_visible()
    grace.picture("experiment")


def test_the_confusion_matrix_of_a_run_is_shown(grace: Visitor) -> None:
    page = grace.page
    page.get_by_role("link", name="iris", exact=True).click()
    page.get_by_role("link", name=EXPERIMENT, exact=True).first.click()
    page.get_by_role("link", name="random-forest").first.click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("plots", exact=True).click()
    page.get_by_text("confusion_matrix.png", exact=True).click()
    picture = page.get_by_role("img", name="plots/confusion_matrix.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 100
    grace.picture("confusion-matrix")


def test_a_models_page_shows_its_alias(grace: Visitor) -> None:
    page = grace.page
    page.goto(f"{grace.platform_url}/#/models/{MODEL}?workspace=iris")
    expect(page.get_by_role("heading", name=MODEL)).to_be_visible()
    expect(page.get_by_text(f"@ {ALIAS}")).to_be_visible()


def test_signing_out_ends_the_session(grace: Visitor) -> None:
    page = grace.page
    expect(page.get_by_role("link", name="iris", exact=True)).to_be_visible()
    page.goto(f"{grace.platform_url}/oauth2/sign_out")
    expect(page).to_have_title("Development sign-in")
    page.goto(grace.platform_url)
    expect(page).to_have_title("Development sign-in")
    assert page.request.get(f"{grace.platform_url}/ajax-api/2.0/mlflow/users/current").status == 401


def test_somebody_without_a_team_reads_why_there_is_nothing_to_see(visitor: Visitor) -> None:
    visitor.sign_in("stranger@example.com")
    page = visitor.page
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    expect(page.get_by_text("stranger@example.com belongs to no team")).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    expect(page).to_have_title("Development sign-in")
    assert visitor.troubles == [f"HTTP 403: GET {visitor.platform_url}/"]
