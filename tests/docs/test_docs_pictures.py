"""The kept pictures of VGG16 are what the real weights make of the photo.

The weights lie beside the repository, in shared/data/vgg16, and are not part of it.
"""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT.parent / "shared" / "data" / "vgg16" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PICTURES", tmp_path)
    return module


def test_the_kept_schemes_are_what_the_engine_computes(pictures, tmp_path):
    pictures.of_nothing()
    made = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert made == sorted(path.name for path in (ROOT / "docs" / "pictures").glob("*.svg")) and len(made) == 6
    for name in made:
        new, kept = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, ROOT / "docs" / "pictures"))
        if name.startswith("figure_"):  # many shades, of which one may be rounded otherwise on another machine
            new, kept = (re.sub(r'opacity="[^"]*"', "", text) for text in (new, kept))
        assert new == kept, f"{name}: python docs/pictures.py"


def test_the_schemes_say_what_is_true(pictures, tmp_path):
    pictures.of_nothing()
    words = {path.stem: re.findall(r"<text[^>]*>([^<]*)", path.read_text()) for path in tmp_path.glob("*.svg")}
    weights = [3 * 3 * 3 * 32, 3 * 3 * 32 * 32, 3 * 3 * 32 * 64, 3 * 3 * 64 * 64, 7 * 7 * 64 * 512, 512 * 10]
    assert f"{sum(weights) + 32 + 32 + 64 + 64 + 512 + 10:,}" in words["training_loop"]
    assert {f"{9 * 144**2:,} weights", f"{9 * 144:,}", f"+ {144**2:,} weights"} <= set(words["depthwise"])
    numbers = [int(word) for word in words["weight_layouts"] if word.isdigit()]
    rows = np.arange(1, 9).reshape(2, 2, 2).transpose(1, 2, 0).ravel()  # (c, h, w) as (h, w, c)
    ups, downs = list(range(1, 10)), list(range(9, 0, -1))
    assert numbers == [*ups, *ups, *ups, *downs, *range(1, 9), *rows]


@pytest.mark.shared
@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no real VGG16 weights in {WEIGHTS.parent}")
def test_the_kept_feature_maps_are_those_of_the_real_weights(pictures, tmp_path):
    pictures.of_the_weights(WEIGHTS)
    made = sorted(tmp_path.glob("*.png"))
    assert [path.stem for path in made] == [f"vgg16_block{number}_pool" for number in range(1, 6)]
    for path in made:
        kept = Image.open(ROOT / "docs" / "pictures" / path.name).convert("RGBA")
        difference = np.asarray(kept, float) - np.asarray(Image.open(path).convert("RGBA"), float)
        assert np.abs(difference).mean() < 3, path.name


def test_a_missing_weight_file_is_one_line(pictures, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "of_nothing", lambda: None)
    monkeypatch.setattr("sys.argv", ["pictures.py", "--weights", "nowhere.h5"])
    assert pictures.main() == 2
    assert "nowhere.h5" in capsys.readouterr().err
