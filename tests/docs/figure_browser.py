"""Operates the interactive figures in a browser, on a page opened from a file."""

import html
import json
import re
import subprocess

import figures
from site_browser import BROWSER

# What a reader's hand does: a tap on a cell of a grid, and keys.
HAND = """
const touch = (svg, x, y, pointerType = "touch") => {
  const place = {clientX: x, clientY: y, pointerId: 1, pointerType, bubbles: true};
  svg.dispatchEvent(new PointerEvent("pointerdown", place));
  svg.dispatchEvent(new PointerEvent("click", place));
};
const tap = (grid, index, kind = "touch") => {
  const box = grid.svg.getBoundingClientRect(), scale = box.width / (grid.columns * grid.across + 4 + grid.gutter);
  const x = box.left + (2 + grid.gutter + (index % grid.columns + 0.5) * grid.across) * scale;
  const y = box.top + (2 + (Math.floor(index / grid.columns) + 0.5) * grid.cell) * scale;
  touch(grid.svg, x, y, kind);
};
const key = (node, name) =>
  node.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const text = (root, selector) => root.querySelector(selector).textContent.replace("−", "-");
const press = (root, words) => [...root.querySelectorAll("button")].find(one => one.textContent === words).click();
const slide = (root, name, value) => {
  const input = root.querySelector(`input[aria-label="${name}"]`);
  input.value = value;
  input.dispatchEvent(new Event("input", {bubbles: true}));
};
"""


def run(body, script, folder, name="page"):
    """What `script`, the body of a function that returns something for JSON, finds on the page of `body`."""
    page = folder / f"{name}.html"
    ending = f"<script>{HAND}addEventListener('load', () => {{let found; try {{ found = (() => {{{script}}})(); }}"
    ending += " catch (error) { found = {error: error.stack}; } document.title = JSON.stringify(found); });</script>"
    page.write_text(figures.page(body) + ending, encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=5000"]
    command += [
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,1000",
        "--enable-logging=stderr",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))
    assert not isinstance(found, dict) or "error" not in found, found["error"]
    return found
