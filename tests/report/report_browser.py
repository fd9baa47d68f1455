"""Measures a page in a real browser, in a frame as narrow as a phone."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

READING = (Path(__file__).parents[1] / "page_reading.js").read_text(encoding="utf-8")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# A window cannot be as narrow as a phone, but a frame can. The page is the frame's `srcdoc`, so the outer page may look
# inside it; it writes the measurements into its title.
FRAME = """<!DOCTYPE html>
<body style="margin:0">
<iframe id="page" width="{width}" height="900" style="border:0"></iframe>
<script>
READING
const frame = document.getElementById("page");
frame.onload = () => {{
  const root = frame.contentDocument.documentElement;
  const images = [...frame.contentDocument.images];
  const wide = [...root.querySelectorAll("body *")].filter(node => !node.closest("svg, .scroll, pre, .unseen")
    && node.getBoundingClientRect().right > root.clientWidth + 1).map(node => node.tagName + "." + node.className);
  const measures = {{
    shown: root.clientWidth, needed: root.scrollWidth, wide: wide,
    paper: frame.contentWindow.getComputedStyle(root).backgroundColor,
    broken: images.filter(image => image.offsetParent && !image.naturalWidth).length,
  }};
  frame.height = root.scrollHeight; // so that every point of the page is inside the frame
  const view = frame.contentWindow;
  document.title = JSON.stringify({{...measures, faint: faintText(view), unnamed: unnamed(view)}});
}};
frame.srcdoc = {page};
</script>"""


def measure(page, width, dark, folder):
    """Returns widths, background colour, broken images, faint text and unnamed pictures of a page, and the console."""
    wrapper = folder / "wrapper.html"
    page = json.dumps(page).replace("</", "<\\/").replace("<!--", "<\\!--")
    wrapper.write_text(FRAME.format(width=width, page=page).replace("READING", READING), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000", "--enable-logging=stderr"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=5000", "--dump-dom"]
    done = subprocess.run([*command, wrapper.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(title[1])) | {"console": console}
