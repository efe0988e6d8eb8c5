"""A real browser for tests: Chromium without a window, driven over the DevTools protocol by a pair of pipes.

    with Browser.start() as browser:
        page = browser.open("file:///tmp/report/index.html", width=390)
        page.run("document.title")                      "Which one?"
        page.press("Enter")
        page.requests                                   every address that was asked for

https://chromedevtools.github.io/devtools-protocol/; messages are JSON, each ended by a NUL byte.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe"),
)
# The browser reads its file 3 and writes to its file 4.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 13); os.dup2(int(sys.argv[2]), 14)
os.dup2(13, 3); os.dup2(14, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
KEYS: Mapping[str, int] = {"Enter": 13, "Tab": 9, " ": 32, "ArrowDown": 40, "ArrowUp": 38, "Home": 36, "End": 35}
SECONDS = 20
Message = dict[str, Any]


def installed() -> str | None:
    """The browser of this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class PageError(AssertionError):
    """What a script threw, or what the browser refused."""


class Browser:
    """One process; every page has a profile of its own in it."""

    def __init__(self, program: str) -> None:
        self._home = TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        to_read, self._writing = os.pipe()
        self._reading, to_write = os.pipe()
        launch = [sys.executable, "-c", LAUNCH, str(to_read), str(to_write), program, *ARGUMENTS]
        self._process = subprocess.Popen(
            [*launch, f"--user-data-dir={self._home.name}", "about:blank"],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number = 0
        self._begun = b""
        self._pages: dict[str, Page] = {}

    @classmethod
    def start(cls) -> "Browser":
        """The installed one."""
        program = installed()
        assert program, f"none of {', '.join(NAMES)} is installed"
        return cls(program)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, PageError):
            self.ask("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._writing)
        os.close(self._reading)
        self._home.cleanup()

    def open(
        self,
        address: str,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        wait: bool = True,
    ) -> "Page":
        """A page in a window of this size, once it has loaded."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.ask(f"{domain}.enable")
        phone = width < 600
        page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.ask("Emulation.setEmulatedMedia", features=[scheme])
        if not scripts:
            page.ask("Emulation.setScriptExecutionDisabled", value=True)
        page.go(address, wait)
        return page

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> Message:
        """Sends a command and waits for its answer; what happens meanwhile is told to the pages."""
        self._number += 1
        message: Message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        sent = json.dumps(message).encode() + b"\0"
        while sent:
            sent = sent[os.write(self._writing, sent) :]
        own = self._number
        while True:
            found = self.hear()
            if found.get("id") == own:
                if "error" in found:
                    raise PageError(f"{method}: {found['error']['message']}")
                result: Message = found["result"]
                return result

    def hear(self) -> Message:
        """The next message."""
        while b"\0" not in self._begun:
            ready, _, _ = select.select([self._reading], [], [], SECONDS)
            if not ready:
                raise PageError(f"the browser has said nothing for {SECONDS} seconds")
            more = os.read(self._reading, 1 << 20)
            if not more:
                raise PageError("the browser has ended")
            self._begun += more
        text, _, self._begun = self._begun.partition(b"\0")
        message: Message = json.loads(text)
        page = self._pages.get(message.get("sessionId", ""))
        if page and "method" in message:
            page.events.append(message)
        return message


@dataclass
class Page:
    """A tab."""

    browser: Browser
    session: str
    context: str
    events: list[Message] = field(default_factory=list)

    def ask(self, method: str, **parameters: Any) -> Message:
        """A command to this page."""
        return self.browser.ask(method, self.session, **parameters)

    def go(self, address: str, wait: bool = True) -> None:
        """Opens an address, and waits until it has loaded."""
        before = len(self.events)
        if "loaderId" not in self.ask("Page.navigate", url=address):
            return  # another place on the same page
        del self.events[:before]
        end = time.monotonic() + SECONDS
        while wait and not any(event["method"] == "Page.loadEventFired" for event in self.events):
            assert time.monotonic() < end, f"{address} does not load"
            self.browser.hear()

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return found["result"].get("value")

    def until(self, condition: str) -> Any:
        """The value of an expression, once there is one."""
        end = time.monotonic() + SECONDS
        while not (value := self.run(condition)):
            assert time.monotonic() < end, f"never: {condition}"
            time.sleep(0.01)
        return value

    def press(self, *keys: str) -> None:
        """Keys, one after the other, to what has the focus."""
        for key in keys:
            code = KEYS.get(key, ord(key[0].upper()))
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            shared = {"key": key, "windowsVirtualKeyCode": code, "code": key}
            self.ask("Input.dispatchKeyEvent", type="keyDown", **shared, **({"text": text} if text else {}))
            self.ask("Input.dispatchKeyEvent", type="keyUp", **shared)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.ask("Input.insertText", text=text)

    def picture(self, path: Path, whole: bool = False) -> None:
        """A screenshot, of the window or of the whole page."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    @property
    def complaints(self) -> Sequence[str]:
        """What the console would show of errors and of what the page's policy refused."""
        thrown = [
            e["params"]["exceptionDetails"]["text"] for e in self.events if e["method"] == "Runtime.exceptionThrown"
        ]
        logged = [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]
        return [*thrown, *logged]

    def close(self) -> None:
        """Ends the tab and forgets what it kept."""
        self.browser.ask("Target.disposeBrowserContext", browserContextId=self.context)
