"""A phone in a browser: real touches, as the browser gets them from a screen, and not events made by a script."""

import fcntl
import json
import os
import subprocess

from site_browser import BROWSER

PAUSE = """(async () => {
  for (let before = null, same = 0; same < 8; same = scrollY === before ? same + 1 : 0) {
    before = scrollY;
    await new Promise(done => setTimeout(done, 30));
  }
})()"""  # until the page has stopped scrolling


class Phone:
    """A window of 390 by 800 pixels with a touch screen; it is told what to do over two pipes (DevTools protocol)."""

    def __init__(self, folder, address):
        (theirs, self.say), (self.hear, back) = (tuple(map(_high, os.pipe())) for _ in range(2))
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder / 'phone'}", "--remote-debugging-pipe", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "close_fds": False}
        self.browser = subprocess.Popen(command, preexec_fn=lambda: (os.dup2(theirs, 3), os.dup2(back, 4)), **quiet)
        os.close(theirs), os.close(back)
        self.count, self.waiting, self.session = 0, b"", None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
        self("Emulation.setTouchEmulationEnabled", enabled=True)
        self("Page.enable")
        self("Page.navigate", url=address)
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.terminate()
        self.browser.wait()
        os.close(self.say), os.close(self.hear)

    def __call__(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        os.write(self.say, json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while (answer := self._message()).get("id") != self.count:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def read(self, code):
        """The value of an expression in the page."""
        found = self("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def swipe(self, x, y, across, down, steps=12):
        """A finger touches (x, y), in pixels of the window, moves and leaves."""
        self("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        for step in range(1, steps + 1):
            place = {"x": x + across * step / steps, "y": y + down * step / steps}
            self("Input.dispatchTouchEvent", type="touchMove", touchPoints=[place])
        self.read(PAUSE)  # a finger that rests before it leaves does not throw the page
        self("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.read(PAUSE)

    def _message(self):
        while b"\0" not in self.waiting:
            piece = os.read(self.hear, 1 << 20)
            assert piece, "the browser has ended"
            self.waiting += piece
        message, self.waiting = self.waiting.split(b"\0", 1)
        return json.loads(message)


def _high(descriptor):
    """The same end of a pipe under a number that does not collide with 3 and 4, where the browser expects its own."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy
