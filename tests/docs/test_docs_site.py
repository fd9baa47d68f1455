"""The built site: its links, its pictures, and nothing that comes over the network."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from figures import KINDS
from link_check import Links, broken_links


class Elements(HTMLParser):
    """Every (tag, attributes) of a page."""

    def __init__(self, html):
        super().__init__()
        self.all = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))


def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_all_links_and_anchors_hold(site):
    assert broken_links(site) == []


def test_every_page_of_the_lesson_is_in_the_navigation(site):
    reached = {target for _, _, target in Links((site / "index.html").read_text()).links}
    written = {f"{part}/{path.name}" for part in ("tour", "notebooks") for path in (site / part).glob("*.html")}
    written |= {path.name for path in site.glob("*.html")} - {"404.html", "index.html"}
    assert written <= reached


def test_the_tour_has_its_stops_and_they_follow_each_other(site):
    stops = sorted((site / "tour").glob("[0-9]*.html"))
    assert [int(stop.name[:2]) for stop in stops] == list(range(1, 18))
    for here, following in pairwise(stops):
        assert any(target == following.name for _, _, target in Links(here.read_text()).links)


def test_the_examples_that_need_no_data_show_what_they_printed(site):
    for start in ("01", "02", "04", "07"):
        (page,) = (site / "notebooks").glob(f"{start}_*.html")
        html = page.read_text()
        assert "It was run for this page" in html and "%pip install --quiet" not in html, start


def test_every_stop_has_a_picture_before_its_first_heading_and_code(site):
    for stop in sorted((site / "tour").glob("[0-9]*.html")):
        html = stop.read_text()
        article = html[html.index("<article") : html.index("</article")]
        first = article.index('class="drawing"')
        assert "<svg" in article[first : first + 20_000], stop.name
        assert 'class="highlight"' not in article[:first] and article[:first].count("<h2") <= 1, stop.name


def test_every_stop_shows_lines_of_the_code_and_ends_in_something_to_try(site):
    for stop in sorted((site / "tour").glob("[0-9]*.html")):
        html = stop.read_text()
        article = html[html.index("<article") : html.index("</article")]
        assert 'class="origin"' in article, stop.name
        assert re.findall(r'<h2 id="([^"]*)"', article)[-1] == "try-it", stop.name
        tried = article[article.index('id="try-it"') :]
        assert "output" in tried or 'class="drawing"' in tried or "minitorch-cnn" in tried, stop.name


def test_pictures_have_words(site):
    counted = 0
    for name, html in pages(site).items():
        for tag, attributes in Elements(html).all:
            if tag == "img":
                assert attributes.get("alt"), (name, attributes.get("src", "")[:80])
                counted += 1
            if tag == "svg" and attributes.get("role") == "img":
                assert len(attributes.get("aria-label", "")) > 10, name
                counted += 1
    assert counted > 20


def test_nothing_comes_over_the_network(site):
    for name, html in pages(site).items():
        for tag, attributes in Elements(html).all:
            target = attributes.get("src") or (attributes.get("href", "") if tag == "link" else "")
            assert not re.match(r"(https?:)?//", target), (name, target)
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_no_page_is_heavy(site):
    """A page with its styles and scripts, which a slow connection loads before it shows the first picture."""
    for name, html in pages(site).items():
        size = (site / name).stat().st_size
        for tag, attributes in Elements(html).all:
            loaded = tag == "link" and attributes.get("rel") in ("stylesheet", "icon")
            target = (attributes.get("src") or (attributes.get("href", "") if loaded else "")).partition("?")[0]
            file = (site / name).parent / target
            if target and not target.startswith("data:") and file.is_file():
                size += file.stat().st_size
        if not name.startswith("source/"):
            assert size < 500_000, (name, size)


def test_the_figures_stand_in_their_pages_with_a_picture_for_readers_without_scripts(site):
    found = {}
    for name, html in pages(site).items():
        for kind, inside in re.findall(r'class="figure" data-figure="(\w+)">(.*?)<script type=', html, re.DOTALL):
            found.setdefault(name, []).append(kind)
            assert "<svg" in inside and len(re.search(r'<p class="caption">(.*?)</p>', inside)[1]) > 100, name
            assert re.search(r'<script src="[./]*figures/core.js">', html), name
    assert found["index.html"] == ["microscope"] and found["tour/07_the_convolution.html"] == ["microscope"]
    assert {kind for kinds in found.values() for kind in kinds} == set(KINDS)
    home = (site / "index.html").read_text()
    assert home.index("data-figure") < home.index("<h2")  # it opens the site


def test_formulas_are_shown_without_a_script(site):
    html = (site / "tour" / "02_a_layer.html").read_text()
    assert html.count("<math ") > 5
    for name, text in pages(site).items():
        assert "arithmatex" not in text and "mathjax" not in text.lower(), name


@pytest.mark.parametrize("kind", ["code", "test"])
def test_every_row_of_the_slide_index_leads_to_code_and_to_a_test(site, kind):
    html = (site / "slides.html").read_text()
    rows = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)]
    rows = [cells for cells in rows if cells]
    assert [int(number) for number, *_ in rows] == list(range(1, len(rows) + 1)) and len(rows) > 25
    for _, slide, code, test in rows:
        targets = re.findall(r'href="([^"]*)"', code if kind == "code" else test)
        assert targets, slide
        for target in targets:
            folders = ("source/minitorch_cnn/", "source/examples/") if kind == "code" else ("source/tests/",)
            assert target.startswith(folders), (slide, target)
            assert "#__codelineno-0-" in target or target.startswith("source/examples/"), (slide, target)
        if kind == "test":
            assert all(name.startswith("test_") for name in re.findall(r"<code>([^<]*)</code>", test)), slide


def test_no_page_names_the_machine_it_was_built_on(site):
    for name, html in pages(site).items():
        if not name.startswith("source/"):
            assert not re.search(r"/home/\w|/root/|site-packages", html), name
