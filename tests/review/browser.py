"""A workspace with candidates, the real server over it, and a real Chromium: what the tests of the page share."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.reviews import read_answers, read_standing
from tests.review.browser_candidates import fill, plain

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE: Final = 15_000
"""Milliseconds until something that has to appear counts as missing; a busy machine is slow."""
OFFLINE: Final = re.compile(r"net::ERR_")
"""What Chromium itself writes to the console when a server is away: no fault of the page."""
expect.set_options(timeout=PATIENCE)

WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}


class Site:
    """A workspace and the server over it, a process of its own, which may be killed and started again."""

    def __init__(self, folder: Path, candidates: list[list[dict[str, Any]]], *options: str) -> None:
        """`candidates`: for each image its anomalies; `options` of the command line."""
        self.workspace = Workspace.open(folder / "workspace")
        fill(self.workspace, candidates)
        self.options = options
        self.url = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server, at the same address as before."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "anomagent", "review", "--workspace", str(self.workspace.path)]
        command += ["--port", port, *self.options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self.process.stderr
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(r"http://[^\s]+", line):
                self.url = found[0]
                return
        raise AssertionError(f"the server did not start:\n{said}")

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Kill the server in the middle of whatever it does."""
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        self.process = None

    def answers(self) -> list[Answer]:
        """What is stored, the oldest first."""
        return [answer for _, answer in read_answers(self.workspace)]

    def standing(self, annotator: str = "Ada") -> dict[int, str]:
        """What a person says of each candidate, in the end."""
        return {answer.anomaly: answer.verdict for answer in self.standing_answers(annotator)}

    def standing_answers(self, annotator: str = "Ada") -> list[Answer]:
        """The answers of a person that count, by their candidates."""
        items = sorted({answer.anomaly for answer in self.answers() if answer.annotator == annotator})
        found = (read_standing(self.workspace, annotator, item) for item in items)
        return [answer for answer in found if answer]


class Reader:
    """One tab of one person, used by keyboard alone; what the browser complains about is remembered."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def sign_in(self, name: str = "Ada") -> None:
        """Open the page and type the name."""
        self.page.goto(self.site.url)
        self.give_name(name)
        self.settle()

    def give_name(self, name: str) -> None:
        """Type the name into the form for signing in."""
        expect(self.page.locator("#name")).to_be_focused()
        expect(self.page.locator("#sign-in [type=submit]")).to_be_enabled()
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")

    def settle(self) -> int:
        """Wait until a candidate with its image takes answers, and return it."""
        self.page.wait_for_selector("#work[data-item]")
        self.page.wait_for_timeout(200)  # the guard against a key that was meant for the candidate before
        return int(self.page.get_attribute("#work", "data-item") or 0)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, key: str) -> int:
        """Press a verdict's key, wait for the next candidate, and return the one that was answered."""
        before = self.settle()
        self.press(key)
        expect(self.page.locator("#work")).not_to_have_attribute("data-item", str(before))
        return before

    def sent(self) -> None:
        """Wait until no answer is left to be sent."""
        expect(self.page.locator("body")).to_have_attribute("data-waiting", "0", timeout=40_000)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def sees(self, selector: str) -> None:
        """Wait until it can be seen."""
        expect(self.page.locator(selector)).to_be_visible(timeout=PATIENCE)

    def misses(self, selector: str) -> None:
        """Wait until it cannot be seen."""
        expect(self.page.locator(selector)).to_be_hidden(timeout=PATIENCE)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


class People:
    """Opens tabs, and keeps pictures of them when a test fails."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.contexts: list[BrowserContext] = []
        self.readers: list[Reader] = []
        self.may_complain: re.Pattern[str] | None = None

    def come(self, site: Site, **options: Any) -> Reader:
        """A new person at a browser of their own."""
        context = self.browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
        self.contexts.append(context)
        return self.tab(context, site)

    def tab(self, context: BrowserContext, site: Site) -> Reader:
        """One more tab."""
        self.readers.append(Reader(context.new_page(), site))
        return self.readers[-1]

    def photograph(self) -> None:
        """Keep what every tab shows, and say where."""
        for number, reader in enumerate(self.readers):
            if not reader.page.is_closed():
                file = self.folder / f"tab-{number}.png"
                reader.page.screenshot(path=file)
                print(f"screenshot: {file}")

    def leave(self) -> None:
        for context in self.contexts:
            context.close()

    def complaints(self) -> list[str]:
        """What the browsers complained about, without what was to be expected."""
        said = [text for reader in self.readers for text in reader.complaints]
        return [text for text in said if not (self.may_complain and self.may_complain.search(text))]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    if not CHROMIUM.exists():
        pytest.skip(f"NOT TESTED: the review page; it needs a browser, and there is no {CHROMIUM} (Debian: chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def people(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[People]:
    """Screenshots are kept when the test fails; a complaint of the browser is a failure."""
    failed_before = request.session.testsfailed
    people = People(chromium, tmp_path)
    try:
        yield people
        complaints = people.complaints()
        if complaints or request.session.testsfailed > failed_before:
            people.photograph()
        assert not complaints, complaints
    finally:
        people.leave()


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The server, started, over four images or what the test's parameter (candidates, options) asks for."""
    candidates, options = getattr(request, "param", (plain(4), ()))
    site = Site(tmp_path, candidates, *options)
    site.start()
    try:
        yield site
    finally:
        site.stop()
