"""A real browser that looks at the viewer's pages."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import axe_core_python
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
ESCAPE, ENTER = Keys.ESCAPE, Keys.ENTER
PATIENCE = 90.0
"""Seconds; on a busy machine a page takes several."""


class Browser:
    """Chromium without a window. It notes console messages and requests."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
        flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        for flag in flags:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver") or "/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, address: str | Path, *, scheme: str = "light", width: int = 1440, height: int = 1000) -> None:
        """Open a page and wait until it is drawn. What was noted before is forgotten."""
        self.look(scheme=scheme, width=width, height=height)
        url = address.as_uri() if isinstance(address, Path) else address
        self.driver.get("about:blank")  # the same page with another #address would not be loaded again
        self.console(), self.requests()
        self.driver.get(url)
        self.wait("return document.documentElement.dataset.ready || document.querySelector('[role=alert]')")

    def look(self, *, scheme: str = "light", width: int = 1440, height: int = 1000) -> None:
        """Choose colours and size."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return its value."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: object) -> Any:
        """Run a script until its value is true, and return that."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < end, f"not true within {PATIENCE} s: {script}"
            time.sleep(0.02)
        return value

    def press(self, keys: str) -> None:
        """Press keys, wherever the focus is, and wait until the page is drawn again."""
        self.driver.switch_to.active_element.send_keys(keys)
        self.settle()

    def click(self, selector: str) -> None:
        """Click the first element that matches."""
        self.run(
            "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", selector
        )
        self.settle()

    def settle(self) -> None:
        """Wait for two frames."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
        )

    def texts(self, selector: str) -> list[str]:
        """Return the visible text of each element that matches."""
        return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def text(self, selector: str) -> str:
        """Return the visible text of the only element that matches."""
        (text,) = self.texts(selector)
        return text

    def count(self, selector: str) -> int:
        """Count the elements that match."""
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def console(self) -> list[str]:
        """Return the console messages since the last call, such as errors and refusals of the content policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]

    def violations(self) -> list[str]:
        """Return what axe finds wrong, with the place."""
        self.run(AXE.read_text())
        found: Sequence[dict[str, Any]] = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then((found) => done(found.violations))"
        )
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()
