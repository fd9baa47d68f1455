"""Every page of the site in a real browser, on a desk and on a phone, light and dark."""

import pytest
from site_browser import BROWSER, walk

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

WIDTHS = [1280, 390]
PAPER = {False: "rgb(255, 255, 255)", True: "rgb(18, 22, 28)"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_and_the_console_is_silent(site, tmp_path, dark):
    pages = sorted(f"/{path.relative_to(site).as_posix()}" for path in site.rglob("*.html"))
    measures, console, missing = walk(site, pages, WIDTHS, dark, tmp_path)
    assert len(measures) == len(pages) * len(WIDTHS) > 100
    assert console == []
    assert missing == []
    for found in measures:
        assert found["shown"] == found["width"], found
        assert found["needed"] <= found["width"] and found["wide"] == [], found
        assert found["broken"] == [], found
        assert found["paper"] == PAPER[dark], found
        assert found["smallest"] >= 11, found  # pixels
        assert found["scale"] >= 0.75, found  # a drawing is not shrunk until its words cannot be read
