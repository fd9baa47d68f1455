"""The notebooks of the examples: complete, in order, and with one line that installs the package."""

import json
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason='no notebooks without pip install -e ".[docs]"')

import notebooks


def test_every_script_has_a_notebook_and_no_name_is_misspelt():
    names = [script.stem for script in notebooks.scripts()]
    assert names == sorted(path.stem for path in (notebooks.ROOT / "examples").glob("*.py"))
    assert set(notebooks.NEED_DATA) < set(names)


@pytest.mark.parametrize("script", notebooks.scripts(), ids=lambda script: script.stem)
def test_the_cells_are_the_script(script):
    made = notebooks.notebook(script)
    assert made.cells[0].cell_type == "markdown" and made.cells[0].source.startswith("# ")
    assert made.cells[1].cell_type == "markdown" and "`pip install -e .`" in made.cells[1].source
    assert notebooks.notebook(script, "git+x").cells[1].source == "%pip install --quiet git+x"
    code = [cell.source for cell in made.cells[2:] if cell.cell_type == "code"]
    written = "".join(line for line in script.read_text() if not line.isspace())
    assert all("".join(cell.split()) in written for cell in code) and len(code) >= 4


def test_the_command_writes_what_jupyter_opens(tmp_path, capsys):
    assert notebooks.main(["--plain", str(tmp_path), "--package", "some.whl"]) == 0
    files = sorted(tmp_path.glob("*.ipynb"))
    assert len(files) == len(capsys.readouterr().out.splitlines()) == len(notebooks.scripts())
    for file in files:
        stored = json.loads(file.read_text())
        assert stored["nbformat"] == 4 and stored["cells"][1]["source"] == ["%pip install --quiet some.whl"]


def test_the_package_can_lie_beside_the_notebooks(tmp_path, monkeypatch, capsys):
    asked = []

    def pip(command, **options):
        asked.append([*command, (Path(command[-1]) / "minitorch_cnn" / "network" / "sequential.py").is_file()])
        (tmp_path / "minitorch_cnn-9.9-py3-none-any.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(notebooks.subprocess, "run", pip)
    assert notebooks.main(["--plain", str(tmp_path), "--wheel"]) == 0
    assert asked[0][1:4] == ["-m", "pip", "wheel"] and asked[0][-1]
    stored = json.loads(next(tmp_path.glob("01*.ipynb")).read_text())
    assert stored["cells"][1]["source"] == ["%pip install --quiet minitorch_cnn-9.9-py3-none-any.whl"]


def test_a_package_that_cannot_be_built_is_one_line(tmp_path, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, "", "no\nsetuptools\nhere")
    monkeypatch.setattr(notebooks.subprocess, "run", lambda *a, **k: failed)
    assert notebooks.main(["--plain", str(tmp_path), "--wheel"]) == 2
    said = capsys.readouterr().err
    assert "pip could not build the package there: no setuptools here" in said and said.count("\n") == 1


def test_results_of_another_version_of_the_script_are_not_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "RESULTS", tmp_path)
    script = notebooks.scripts()[0]
    assert notebooks.executed(script) is None
    made = notebooks.notebook(script)
    (tmp_path / f"{script.stem}.ipynb").write_text(notebooks.text(made))
    assert notebooks.executed(script) is not None
    made.metadata["script"] = "another"
    (tmp_path / f"{script.stem}.ipynb").write_text(notebooks.text(made))
    assert notebooks.executed(script) is None


def test_the_first_example_runs_as_a_notebook():
    made = notebooks.execute(notebooks.scripts()[0])
    printed = "".join(output.get("text", "") for cell in made.cells for output in cell.get("outputs", []))
    assert "the gradient is right to first order" in printed


def test_a_notebook_is_run_with_the_words_of_a_command_line(tmp_path):
    script = tmp_path / "some.py"
    script.write_text("# %% [markdown]\n# # Words\n\n# %%\nimport sys\n\nprint(sys.argv)\n")
    made = notebooks.execute(script, ["/somewhere/photos", "--images", "3"])
    printed = "".join(output.get("text", "") for cell in made.cells for output in cell.get("outputs", []))
    assert printed == "['some.py', '/somewhere/photos', '--images', '3']\n"
    assert made.metadata["arguments"] == "photos --images 3" and "argv =" not in notebooks.text(made)


def test_the_pages_of_what_needs_no_data_are_run_by_the_build(tmp_path, monkeypatch):
    pytest.importorskip("mkdocs", reason='no site without pip install -e ".[docs]"')
    import notebook_pages
    from mkdocs.config import load_config

    def execute(script, words):
        made = notebooks.notebook(script)
        made.metadata["arguments"] = notebooks.shown(words)
        ran.append(script.stem)
        return made

    ran = []
    monkeypatch.setattr(notebooks, "RESULTS", tmp_path)
    monkeypatch.setattr(notebooks, "execute", execute)
    config = load_config(str(notebooks.ROOT / "mkdocs.yml"))
    config.plugins._current_plugin = "the test"
    for _ in range(2):  # the second time nothing is run again
        files = notebook_pages.make(notebooks.ROOT, config)
        pages = {file.src_uri: file.content_string for file in files if file.src_uri.endswith(".md")}
        said = {name[10:12]: "It was run for this page." in page for name, page in pages.items()}
        assert said == {"01": True, "02": True, "03": False, "04": True, "05": False, "06": False, "07": True}
    assert [name[:2] for name in ran] == ["01", "02", "04", "07"]
    assert not any("pip install --quiet" in file.content_string for file in files if file.src_uri.endswith(".ipynb"))


def test_missing_data_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "RESULTS", tmp_path)
    monkeypatch.setattr(notebooks, "executed", lambda script: None)
    monkeypatch.setattr(notebooks, "execute", lambda script, words: notebooks.notebook(script))
    assert notebooks.main(["--data", str(tmp_path)]) == 2
    assert "cifar-10-batches-bin: not found; examples/03_cifar10.py needs it" in capsys.readouterr().err
