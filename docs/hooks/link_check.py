"""Do all links of the built pages work? Every `href` and `src` must name an existing file, every anchor an element.

The build ends with this check; `python docs/hooks/link_check.py build/site` repeats it.
"""

import posixpath
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")}


class Links(HTMLParser):
    """The links (tag, attribute, target) of a page, and the names of its elements."""

    def __init__(self, html):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in ("href", "src") and value is not None:
                self.links.append((tag, key, value))
            elif key in ("id", "name") and value:
                self.names.add(value)


def broken_links(folder):
    """One line for every link of the pages in `folder` that leads nowhere, or that loads something over the network."""

    @cache
    def page(path):
        return Links(path.read_text(encoding="utf-8"))

    broken = []
    for path in sorted(folder.rglob("*.html")):
        here = path.relative_to(folder).as_posix()
        for tag, key, target in page(path).links:
            problem = _problem(folder, here, tag, key, target, page)
            if problem:
                broken.append(f"{here}: {target}: {problem}")
    return broken


def _problem(folder, here, tag, key, target, page):
    parts = urlsplit(target)
    if parts.scheme in ("data", "mailto"):
        return None
    if parts.scheme or parts.netloc:
        return "is loaded over the network" if (tag, key) in LOADED else None
    path = unquote(parts.path)
    if here == "404.html" and path.startswith("/"):  # the one page that may be shown at any address
        path = path[1:]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(here), path)) if path else here
    file = folder / place
    if place.startswith(".."):
        return "leaves the site"
    if file.is_dir():
        file = file / "index.html"
    if not file.is_file():
        return "is not there"
    anchor = unquote(parts.fragment)
    if anchor and file.suffix == ".html" and anchor not in page(file).names:
        return f"there is no #{anchor}"
    return None


if __name__ == "__main__":
    found = broken_links(Path(sys.argv[1]))
    print(*found, sep="\n")
    print(f"{len(found)} broken links")
    sys.exit(bool(found))
