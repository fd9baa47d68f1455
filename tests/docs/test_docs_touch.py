"""On a phone, a finger that moves up or down over a figure scrolls the page; one that drags to the side moves a dot."""

import figures
import pytest
from site_browser import BROWSER
from touch_browser import Phone

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

PLACES = """
const of = kind => document.querySelector(`[data-figure=${kind}]`);
const middle = node => {
  node.scrollIntoView({block: "center", behavior: "instant"});
  const {left, top, width, height} = node.getBoundingClientRect();
  return [left + width / 2, top + height / 2, scrollY];
};
"""


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phone")
    page = folder / "page.html"
    body = "".join(map(figures.html, ("neuron", "batch_norm", "descent", "im2col")))
    head = '<meta name="viewport" content="width=device-width">'
    page.write_text(head + figures.page(body) + f'<div style="height:900px"></div><script>{PLACES}</script>')
    with Phone(folder, page.as_uri()) as phone:
        yield phone


@pytest.mark.parametrize(
    "plot, state",
    [
        ("of('neuron').querySelector('svg.plot')", "of('neuron').figure.state.w"),
        ("of('batch_norm').querySelector('.stage-room svg')", "of('batch_norm').figure.state.x.join()"),
        ("of('descent').querySelector('svg.plot')", "of('descent').figure.state.start.join()"),
        ("of('im2col').figure.grids.image.svg", "of('im2col').figure.state.pixel"),
    ],
    ids=["neuron", "batch_norm", "descent", "im2col"],
)
def test_a_swipe_scrolls_a_drag_moves_and_a_tap_chooses(phone, plot, state):
    x, y, before = phone.read(f"middle({plot})")
    x += 50
    first = phone.read(state)
    phone.swipe(x, y, 6, -250)
    assert phone.read("scrollY") > before + 100 and phone.read(state) == first
    x, y, before = phone.read(f"middle({plot})")
    phone.swipe(x, y, -90, 5)
    dragged = phone.read(state)
    assert dragged != first and phone.read("scrollY") == before
    phone.swipe(x + 30, y, 0, 0, steps=0)
    assert phone.read(state) != dragged and phone.read("scrollY") == before


def test_the_start_of_the_descent_can_be_dragged_in_any_direction(phone):
    x, y, before = phone.read("middle(of('descent').querySelectorAll('.handle')[0])")
    first = phone.read("of('descent').figure.state.start")
    phone.swipe(x, y, 0, -60)
    moved = phone.read("of('descent').figure.state.start")
    assert moved[1] > first[1] + 0.5 and abs(moved[0] - first[0]) < 0.5 and phone.read("scrollY") == before
