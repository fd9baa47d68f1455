"""Operates a page in a real browser with a real keyboard and finger: what the browser itself makes of keys and touches.

The browser is spoken to through a pipe (Chrome DevTools Protocol, messages in JSON that end in a zero byte).
"""

import contextlib
import itertools
import json
import os
import subprocess

from report_browser import BROWSER, READING

KEYS = {"Tab": 9, "Enter": 13, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Hand:
    """A page in the browser, and what a reader can do there."""

    def __init__(self, down, up):
        self.down, self.up, self.numbers, self.session, self.waiting = down, up, itertools.count(1), None, b""
        self.console = []

    def call(self, method, **parameters):
        message = {"id": next(self.numbers), "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.down, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(answer["params"])
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                return answer["result"]

    def read(self):
        while b"\0" not in self.waiting:
            piece = os.read(self.up, 1 << 16)
            assert piece, "the browser has ended"
            self.waiting += piece
        message, _, self.waiting = self.waiting.partition(b"\0")
        return json.loads(message)

    def open(self, path, width=1280, scripts=True):
        self.session = None
        self.console = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        while self.read().get("method") != "Page.loadEventFired":
            pass

    def see(self, expression):
        """The value of a JavaScript expression on the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector):
        return self.see(f"document.querySelector({json.dumps(selector)}).textContent")

    def read_page(self, width):
        """Whether the page is wider than the window, its faint text, pictures without words, and broken pictures."""
        height = self.see("document.documentElement.scrollHeight")  # so that every point can be pointed at
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return self.see(f"""(() => {{ {READING}; const root = document.documentElement; return {{
            wide: root.scrollWidth > root.clientWidth, faint: faintText(window), unnamed: unnamed(window),
            broken: [...document.images].filter(image => image.offsetParent && !image.naturalWidth).length }}; }})()""")

    def press(self, *names):
        for name in names:
            key = {"key": name, "code": name, "windowsVirtualKeyCode": KEYS[name]}
            letters = {"text": "\r"} if name == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **key, **letters)
            self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def touch(self, selector, across=0.5, down=0.5):
        """Tap an element, `across` and `down` its box from the upper left corner."""
        box = self.see(f"""(() => {{ const node = document.querySelector({json.dumps(selector)});
            node.scrollIntoView({{block: "center"}}); return node.getBoundingClientRect().toJSON(); }})()""")
        point = {"x": box["x"] + across * box["width"], "y": box["y"] + down * box["height"]}
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


@contextlib.contextmanager
def hand(folder):
    """A `Hand` in a browser of its own, which ends with the context."""
    (theirs, down), (up, out) = os.pipe(), os.pipe()

    def connect():  # the browser reads from 3 and writes to 4
        low, high = os.dup(theirs), os.dup(out)
        os.dup2(low, 3)
        os.dup2(high, 4)

    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    browser = subprocess.Popen(
        [*command, f"--user-data-dir={folder / 'profile'}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=connect,
    )  # fmt: skip
    os.close(theirs)
    os.close(out)
    try:
        yield Hand(down, up)
    finally:
        browser.kill()
        browser.wait()
        os.close(down)
        os.close(up)
