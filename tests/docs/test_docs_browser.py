"""Every page of the site in a real browser, on a desk and on a phone, light and dark."""

import pytest
from site_browser import BROWSER, walk

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

WIDTHS, EXTRA = [1280, 390], {False: [1440, 1920], True: []}  # the extra ones in light alone
PAPER = {False: "rgb(255, 255, 255)", True: "rgb(18, 22, 28)"}


def chosen(site):
    """Every page, but of the pages that only show a source file the largest ones and a sample of the others."""
    sources = sorted((site / "source").rglob("*.html"), key=lambda path: path.stat().st_size, reverse=True)
    return {*site.rglob("*.html")} - {*sources} | {*sources[:10], *sources[10::12]}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_and_the_console_is_silent(site, tmp_path, dark):
    pages = [f"/{path.relative_to(site).as_posix()}" for path in sorted(chosen(site))]
    measures, console, missing = walk(site, pages, WIDTHS, dark, tmp_path, extra=EXTRA[dark])
    assert len(measures) == len(pages) * (len(WIDTHS) + len(EXTRA[dark])) > 100
    assert console == []
    assert missing == []
    for found in measures:
        assert found["shown"] == found["width"], found
        assert found["needed"] <= found["width"] and found["wide"] == [], found
        assert found["broken"] == [] and found["foreign"] == [], found
        assert found["paper"] == PAPER[dark], found
        assert found["smallest"] >= 11, found  # pixels
        assert found["faint"] == [] and found["unnamed"] == [], found
        scrolls = found["width"] < 500 or found["page"].startswith("/source/")  # there a block may scroll inside itself
        assert [block for block in found["cut"] if not (scrolls and block["scrolls"])] == [], found
        assert found["scale"] >= 0.75, found  # a drawing is not shrunk until its words cannot be read


GOOD = '<!DOCTYPE html><link rel="icon" href="data:,"><body class="md-main"><p>words</p>{}</body>'
BAD = {
    "wide.html": '<p style="width:2000px">words</p>',
    "image.html": '<img src="gone.png" alt="a picture" width="10" height="10">',
    "script.html": "<script>throw new Error('a mistake')</script>",
    "network.html": '<img src="http://example.org/x.png" alt="a picture" width="10" height="10">',
    "small.html": '<div class="md-content"><p style="font-size:6px">words</p></div>',
    "faint.html": '<p style="color:#999">words</p><p style="opacity:0.4">words</p><p style="color:#767676">words</p>',
    "faint_drawing.html": '<svg role="img" aria-label="x" viewBox="0 0 90 30" width="90"><rect width="90" height="30"'
    ' fill="#4180cf"/><text x="5" y="20" fill="#556270" font-size="12">on a box</text></svg>',
    "unnamed.html": '<svg viewBox="0 0 9 9" width="90"><rect width="9" height="9"/></svg><img src="data:," width="9">',
    "cut.html": '<div class="md-content"><pre style="overflow:hidden"><code style="display:block;overflow:hidden">'
    + "x = 1 " * 99
    + '</code></pre><p style="width:50px;overflow:auto"><math><mi>wwwwwwwwwwwwwwww</mi></math></p></div>',
    "drawing.html": '<div class="drawing"><svg viewBox="0 0 900 10" style="width:100%"></svg></div>',
}


def test_the_walk_sees_what_is_wrong_with_a_page(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for name, body in {"good.html": "", **BAD}.items():
        (site / name).write_text(GOOD.format(body))
    measures, console, missing = walk(site, ["/good.html", *(f"/{name}" for name in BAD)], [390], False, tmp_path)
    found = {measure["page"].lstrip("/"): measure for measure in measures}
    assert found["good.html"]["needed"] <= 390 and not found["good.html"]["wide"] and not found["good.html"]["foreign"]
    assert found["wide.html"]["needed"] > 390 and found["wide.html"]["wide"]
    assert found["image.html"]["broken"] and missing == ["404 /gone.png"]
    assert any("a mistake" in line for line in console)
    assert found["network.html"]["broken"] and found["network.html"]["foreign"] == ["http://example.org/x.png"]
    assert found["small.html"]["smallest"] == 6
    assert found["drawing.html"]["scale"] < 0.5
    assert [block["scrolls"] for block in found["cut.html"]["cut"]] == [False, True] and not found["good.html"]["cut"]
    assert found["good.html"]["faint"] == [] and found["good.html"]["unnamed"] == []
    assert [words.split(": ")[1] for words in found["faint.html"]["faint"]] == ['2.85 "words"', '2.85 "words"']
    assert "85,98,112 on 65,128,207: 1.55" in found["faint_drawing.html"]["faint"][0]
    assert len(found["unnamed.html"]["unnamed"]) == 2
