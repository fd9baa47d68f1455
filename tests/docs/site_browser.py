"""All pages of the site in one browser, light or dark, in a frame as wide as a desk's screen and then as a phone's.

A server on this machine hands out the pages and takes down what the browser asked for in vain; a page of ours loads
one page after the other into its frame, measures it at each width, and sends the measures back.
"""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

READING = (Path(__file__).parents[1] / "page_reading.js").read_text(encoding="utf-8")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WALK = """<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><body style="margin:0"><script>
READING
const pages = PAGES, widths = WIDTHS, extra = EXTRA;
const settled = async frame => {
  await new Promise(done => setTimeout(done, 100));
  const moving = frame.contentDocument.getAnimations().map(animation => animation.finished.catch(() => 0));
  await Promise.race([Promise.all(moving), new Promise(done => setTimeout(done, 1000))]);
};
const laidOut = frame => new Promise(done => frame.contentWindow.requestAnimationFrame(() => setTimeout(done)));
const scrolls = "svg, pre, math, .drawing, .formula, .md-typeset__scrollwrap, .md-sidebar, .md-search, .highlighttable";
// Blocks of code, tables and formulas that are wider than the box they stand in; `scrolls`: whether that box scrolls.
function cutOff(view, all) {
  const found = [], tell = (node, box, over) => over > 1 && found.push({over: Math.round(over),
    what: `${node.localName}.${node.className || ""} ${node.textContent.trim().slice(0, 40)}`,
    scrolls: ["auto", "scroll"].includes(view.getComputedStyle(box).overflowX)});
  for (const box of all(".md-content pre > code, .md-content .formula"))
    tell(box, box, box.scrollWidth - box.clientWidth);
  for (const node of all(".md-content table:not(.highlighttable), .md-content math")) {
    const box = node.closest(".md-typeset__scrollwrap, .formula, .drawing, td, li, p, .md-content");
    tell(node, box, node.getBoundingClientRect().right - box.getBoundingClientRect().right);
  }
  return found;
}
function measure(page, frame) {
  const view = frame.contentWindow, inner = frame.contentDocument, root = inner.documentElement;
  const all = selector => [...inner.querySelectorAll(selector)].filter(node => node.getClientRects().length);
  const wide = all(".md-main *").filter(node => !node.closest(scrolls) && node.offsetParent
    && node.getBoundingClientRect().right > root.clientWidth + 1).map(node => node.tagName + "." + node.className);
  const text = all(".md-content p, .md-content pre code, .md-content td")
    .map(node => parseFloat(view.getComputedStyle(node).fontSize));
  const pictures = all(".drawing svg").map(svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
  const loaded = view.performance.getEntriesByType("resource").map(entry => entry.name);
  return {page, width: Number(frame.width), shown: root.clientWidth, needed: root.scrollWidth, wide: wide.slice(0, 5),
    paper: view.getComputedStyle(inner.body).backgroundColor,
    foreign: loaded.filter(name => !name.startsWith(location.origin) && !name.startsWith("data:")),
    cut: cutOff(view, all), smallest: Math.min(...text, 99), scale: Math.min(...pictures, 1),
    broken: [...inner.images].filter(image => image.offsetParent && !image.naturalWidth).map(image => image.src)};
}
(async () => {
  const found = [];
  for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.width = widths[0]; frame.height = 900; frame.style.border = 0; frame.src = page;
    const arrived = new Promise(done => { frame.onload = done; });
    document.body.append(frame);
    await arrived;
    for (const width of extra) { // only whether everything fits, which costs little
      frame.width = width; frame.height = 900;
      await laidOut(frame);
      found.push({...measure(page, frame), faint: [], unnamed: []});
    }
    for (const width of widths) {
      frame.width = width; frame.height = 900;
      await settled(frame);
      const measures = measure(page, frame);
      frame.height = Math.min(frame.contentDocument.documentElement.scrollHeight, 60000); // all of it can be pointed at
      await laidOut(frame);
      found.push({...measures, faint: faintText(frame.contentWindow), unnamed: unnamed(frame.contentWindow)});
    }
    frame.remove();
  }
  await fetch("/measures", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Hands out the site and the walking page; takes the measures."""

    def do_GET(self):
        if self.path != "/walk":
            return super().do_GET()
        body = self.server.walk.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.measures = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, format, *arguments):
        pass

    def send_error(self, code, *arguments, **options):
        self.server.missing.append(f"{code} {self.path}")
        super().send_error(code, *arguments, **options)


def walk(site, pages, widths, dark, folder, seconds=1200, extra=()):
    """What the browser says of every page at every width: (measures, its console, what it asked for in vain).

    At the `extra` widths it only looks whether everything fits.
    """
    handler = functools.partial(Handler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.walk = WALK.replace("PAGES", json.dumps(pages)).replace("WIDTHS", json.dumps(widths))
    server.walk = server.walk.replace("READING", READING).replace("EXTRA", json.dumps(list(extra)))
    server.done, server.measures, server.missing = threading.Event(), [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # nothing but this machine is there
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1800,1000", "--enable-logging=stderr"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--remote-debugging-port=0"]
    log = folder / "console.txt"
    command.append(f"http://127.0.0.1:{server.server_port}/walk")
    with open(log, "w") as stream:
        browser = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            finished = server.done.wait(seconds)
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    lines = log.read_text(errors="replace").splitlines()
    assert finished, "\n".join(lines[-20:])
    return server.measures, [line for line in lines if "CONSOLE" in line], server.missing
