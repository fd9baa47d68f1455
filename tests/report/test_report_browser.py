"""The page in a real browser, on a screen and on a phone, light and dark: it fits, and the console stays empty."""

import pytest
from report_browser import BROWSER, measure

from minitorch_cnn.report import run_page

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_and_the_console_is_empty(make_run, tmp_path, width, dark):
    run = make_run(
        subtitle="a_word_without_any_place_to_break_it_" * 4,
        commands=[("again", "minitorch-cnn " + "--option value " * 20)],
    )
    found = measure(run_page(run), width, dark, tmp_path)
    assert found["shown"] == width
    assert found["needed"] <= width, found
    assert found["wide"] == []
    assert found["broken"] == 0
    assert found["console"] == []
    assert found["faint"] == [] and found["unnamed"] == []
    assert found["paper"] == ("rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)")


def test_faint_text_and_pictures_without_alternative_text_are_detected(make_run, tmp_path):
    page = run_page(make_run()).replace("--muted:#556270", "--muted:#9aa4b0").replace('role="img"', 'role="none"')
    found = measure(page, 1280, False, tmp_path)
    assert any(words.startswith("text.") for words in found["faint"])  # in a drawing
    assert any(words.startswith("p.lead") for words in found["faint"]) and found["unnamed"]
