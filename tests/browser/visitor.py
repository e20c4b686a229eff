"""A person in front of a browser window, and a note of everything there that went wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response, expect

IMAGES = Path(__file__).parents[2] / "docs" / "images"
EXPECTED = {
    "/ajax-api/3.0/mlflow/assistant/": "the Assistant is turned off, and MLflow's pages ask for it all the same",
    "net::ERR_ABORTED": "the person went on to another page before the answer was there",
}


@dataclass
class Visitor:
    """`troubles` are failed requests, requests to other machines, console errors and exceptions, without `EXPECTED`."""

    page: Page
    platform_url: str
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._requested)
        self.page.on("response", self._answered)
        self.page.on("requestfailed", lambda request: self._note(f"{request.failure}: {request.url}"))
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self._note(f"exception: {error}"))

    def sign_in(self, email: str) -> None:
        """Opens the platform and signs in at the development identity provider, as a seeded or any other person."""
        self.page.goto(self.platform_url)
        expect(self.page).to_have_title("Development sign-in")
        seeded = self.page.get_by_role("button", name=email, exact=True)
        if seeded.count():
            seeded.click()
        else:
            self.page.get_by_placeholder("sub").fill(email)
            self.page.get_by_role("button", name="Authorize").click()
        self.page.wait_for_url(f"{self.platform_url}/**")

    def picture(self, name: str) -> None:
        """Writes the README's picture `name`, when UPDATE_SCREENSHOTS is set."""
        if os.environ.get("UPDATE_SCREENSHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.hostname != "127.0.0.1":
            self._note(f"request to another machine: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._note(f"HTTP {response.status}: {response.request.method} {response.url}")

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):  # noted above
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _note(self, trouble: str) -> None:
        if not any(part in trouble for part in EXPECTED):
            self.troubles.append(trouble)
