"""What the build refuses: a name that is gone, a cell that raises, a formula that cannot be read, a broken link."""

import textwrap
from pathlib import Path

import cells
import fences
import inline_charts
import pytest
import source_code
from link_check import broken_links
from repository import Repository

ROOT = Path(__file__).parents[2]

SOURCE = '''"""Words."""
LIMIT: int = 3
a, b = 1, 2


@decorated
def f():
    return 1


class C:
    size = 4

    def g(self):
        return 2
'''


@pytest.mark.parametrize(
    "name, lines", [("f", (6, 8)), ("C", (11, 15)), ("C.g", (14, 15)), ("C.size", (12, 12)), ("LIMIT", (2, 2))]
)
def test_lines_of_a_name(name, lines):
    assert source_code.span(SOURCE, name) == lines


@pytest.mark.parametrize("name", ["h", "C.h", "f.g", "LIMIT.x", "C.g.x"])
def test_a_name_that_is_not_there(name):
    with pytest.raises(ValueError, match=rf"layers\.py has no {name}"):
        source_code.span(SOURCE, name, "layers.py")


def test_quoted_lines_are_those_of_the_file():
    text = "before\n\n```python source\nminitorch_cnn/engine/layers/dense.py Dense.backward_scores\n```\n\nafter\n"
    page = source_code.insert(text, "tour/x.md", Repository(ROOT))
    assert "    dx" not in page and "return matmul(dscores, self.parameters" in page
    line = next(
        number
        for number, line in enumerate((ROOT / "minitorch_cnn/engine/layers/dense.py").read_text().splitlines(), 1)
        if "def backward_scores" in line
    )
    assert f"(../source/minitorch_cnn/engine/layers/dense.py.md#__codelineno-0-{line})" in page
    assert page.startswith("before") and page.endswith("after\n")


LONG = '''class C:
    @decorated
    def f(
        self,
    ):
        """Words."""
        check()
        a = 1
        for b in (
            2,
        ):
            a += b
        return a

    def g(self):
        """Words."""
        return 1

    def h(c):
        # Why.
        for b in c:
            x()
            y()

        return b
'''


@pytest.mark.parametrize(
    "name, words, shown",
    [
        ("C.g", "return", "def g(self):|    return 1"),
        ("C.f", "a = 1 ... for", "@decorated|def f(|    self,|):|    ...|    a = 1|    for b in (|        2,|    ):"
         "|        a += b|    ..."),
        ("C.f", "check() ... a = 1", "@decorated|def f(|    self,|):|    check()|    a = 1|    ..."),
        ("C.h", "for b in c: | y() | re", "def h(c):|    # Why.|    for b in c:|        ...|        y()|    return b"),
        ("C.h", "for b | return", "def h(c):|    # Why.|    for b in c:|        x()|        y()|    return b"),
        ("C.h", "x()", "def h(c):|    # Why.|        ...|        x()|    ..."),
    ],
)  # fmt: skip
def test_some_lines_of_a_function(name, words, shown):
    assert textwrap.dedent("\n".join(source_code.lines(LONG, name, words))) == shown.replace("|", "\n")


@pytest.mark.parametrize(
    "line, message",
    [
        ("minitorch_cnn/engine/layers/dense.py Dense.gone", "dense.py has no Dense.gone"),
        ("minitorch_cnn/engine/layers/gone.py Dense", "there is no minitorch_cnn/engine/layers/gone.py"),
        ("minitorch_cnn/engine/layers/dense.py", "expected a name"),
        ("", "names nothing"),
        ("minitorch_cnn/engine/layers/dense.py Dense.scores: y = gone", "Dense.scores: expected one line .*, found 0"),
        ("minitorch_cnn/engine/layers/dense.py Dense.scores: self.check ... scores", "begins with 'scores', found 2"),
    ],
)
def test_quoting_what_is_not_there_is_an_error(line, message):
    with pytest.raises(ValueError, match=message):
        source_code.insert(f"```python source\n{line}\n```\n", "x.md", Repository(ROOT))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_all_that_a_page_quotes_or_links_to_is_there(page):
    where = page.relative_to(ROOT / "docs").as_posix()
    repository, text = Repository(ROOT), page.read_text(encoding="utf-8")
    source_code.insert(text, where, repository)
    repository.rewrite_links(text, where)


def test_cells_share_their_names_and_show_what_they_print():
    page, drawings = cells.run_all("```python exec\na = 2\n```\n\n```python exec\nprint(a)\na + 1\n```\n", "x.md")
    assert "{ .text .output }\n2\n3\n```" in page and drawings == []


def test_a_page_may_write_itself():
    text = "```python exec markdown\nprint('## ' + 'Title')\n```\n"
    assert cells.run_all(text, "x.md")[0].strip() == "## Title"


def test_what_is_hidden_from_readers_of_the_markdown_is_shown_on_the_site():
    cell = "before\n\n<!-- python exec markdown\nprint('## ' + 'Title')\n-->\n\nafter <!-- a comment -->\n"
    assert [line for line in cells.run_all(cell, "x.md")[0].splitlines() if line] == [
        "before", "## Title", "after <!-- a comment -->"
    ]  # fmt: skip
    figure = "<!-- figure\nsoftmax\n-->\n![a still picture](pictures/softmax.svg)\n\n![another](x.svg)\n"
    page, drawings = cells.run_all(figure, "x.md")
    assert len(drawings) == 1 and "still picture" not in page and "![another](x.svg)" in page


def test_drawings_find_their_places():
    source = "from minitorch_cnn.report import Drawing as D\nD('<svg>1</svg>')"
    pair = "D('<svg>2</svg>'), D('<svg>3</svg>')"
    page, drawings = cells.run_all(f"```python exec\n{source}\n```\n\n```python exec\n{pair}\n```\n", "x.md")
    html = cells.place_drawings(page, drawings)
    assert html.index("<svg>1") < html.index('class="wide"><svg>2') < html.index('class="narrow"><svg>3')
    with pytest.raises(ValueError, match="lost its place"):
        cells.place_drawings("", drawings)


@pytest.mark.parametrize(
    "source", ["1 / 0", "assert False, 'wrong'", "import numpy as np\nnp.float32(1e38) * 10", "x ="]
)
def test_a_cell_that_raises_names_its_line(source):
    with pytest.raises((ValueError, SyntaxError), match=r"x\.md, the cell at line 3|invalid syntax"):
        cells.run_all(f"words\n\n```python exec\n{source}\n```\n", "x.md")


def test_a_figure_is_drawn_and_knows_where_the_source_is():
    page, drawings = cells.run_all("```figure\nsoftmax\n```\n", "tour/x.md")
    html = cells.place_drawings(page, drawings)
    assert 'data-source="../source/minitorch_cnn" class="figure" data-figure="softmax"' in html
    with pytest.raises(ValueError, match=r"figure: expected one of microscope, .*, got 'telescope'"):
        cells.run_all("```figure\ntelescope\n```\n", "x.md")


def test_what_a_cell_writes_goes_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells.run_all("```python exec\nopen('left', 'w').close()\n```\n", "x.md")
    assert list(tmp_path.iterdir()) == []


def test_formulas():
    pytest.importorskip("latex2mathml", reason='no formulas without pip install -e ".[docs]"')
    import formulas

    inline, block = (f'<{tag} class="arithmatex">{text}</{tag}>' for tag, text in
                     (("span", r"\(a &lt; b\)"), ("div", r"\[\frac{1}{2}\]")))  # fmt: skip
    html = formulas.to_mathml(f"<p>{inline}</p>{block}")
    assert "&lt;" in html or "&#x0003C;" in html
    assert '<div class="formula"><math' in html and "<mfrac>" in html and "arithmatex" not in html
    with pytest.raises(ValueError, match=r"\\nonsense is not understood"):
        formulas.to_mathml(r'<span class="arithmatex">\(\nonsense x\)</span>')


def test_formulas_side_by_side_may_stand_below_each_other():
    pytest.importorskip("latex2mathml", reason='no formulas without pip install -e ".[docs]"')
    import formulas

    html = formulas.to_mathml(r'<div class="arithmatex">\[a = b, \qquad c = \sqrt{d} \quad e\]</div>')
    assert html.count("<math ") == 3 and html.count('class="formula"') == 1 and "<msqrt>" in html
    assert formulas.to_mathml(r'<span class="arithmatex">\(a \quad b\)</span>').count("<math ") == 1


def test_a_block_holds_any_text():
    inside = "```python\nx\n```\n````\ny\n````"
    assert fences.replace(fences.block(inside, "md"), "md", lambda body, line: body) == inside + "\n"


def test_links_into_the_repository_lead_to_its_pages():
    repository = Repository(ROOT)
    text = "[a](../minitorch_cnn/engine/layers/dense.py#Dense) [b](performance.md) [c](https://x.y) `[d](no)`\n"
    page = repository.rewrite_links(text.replace(" `[d](no)`", ""), "index.md")
    line, _ = source_code.span((ROOT / "minitorch_cnn/engine/layers/dense.py").read_text(), "Dense")
    assert f"[a](source/minitorch_cnn/engine/layers/dense.py.md#__codelineno-0-{line})" in page
    assert "[b](performance.md) [c](https://x.y)" in page


@pytest.mark.parametrize(
    "target", ["../minitorch_cnn/gone.py", "../../elsewhere.py", "../minitorch_cnn/engine/losses.py#Gone"]
)
def test_links_to_nothing_are_refused(target):
    with pytest.raises(ValueError, match=r"leads to nothing|has no Gone"):
        Repository(ROOT).rewrite_links(f"[a]({target})", "index.md")


@pytest.mark.parametrize(
    "html, problem",
    [
        ('<a href="gone.html">', "is not there"),
        ('<a href="other.html#gone">', "there is no #gone"),
        ('<a href="#gone">', "there is no #gone"),
        ('<a href="../outside.html">', "leaves the site"),
        ('<img src="gone.png">', "is not there"),
        ('<script src="https://example.org/x.js">', "over the network"),
        ('<link href="//example.org/x.css">', "over the network"),
    ],
)
def test_a_broken_link_is_found(tmp_path, html, problem):
    (tmp_path / "other.html").write_text('<p id="here"><a href="page.html#top">')
    (tmp_path / "page.html").write_text(f'<p id="top"><a href="other.html#here"><a href="https://example.org">{html}')
    (broken,) = broken_links(tmp_path)
    assert broken.startswith("page.html: ") and problem in broken


def test_a_chart_stands_in_the_page_with_the_colours_of_the_theme():
    file = "benchmarks/results/scaling.svg"
    html = f'<p>before</p>\n<p><img alt="words" src="../source/{file}" /></p><img alt="x" src="a.png">'
    page = inline_charts.insert(html, "tour/x.md", Repository(ROOT))
    assert page.startswith('<p>before</p>\n<div class="drawing"><svg ') and page.endswith('<img alt="x" src="a.png">')
    assert "<style>" not in page and 'fill="#' not in page and 'stroke="#' not in page
    assert page.count("</text>") == (ROOT / file).read_text().count("</text>") and "min-width:570px" in page
    assert 'fill="var(--ink, #16202c)"' in page and 'fill="var(--paper, #ffffff)"' in page
