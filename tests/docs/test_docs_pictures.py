"""The kept pictures of VGG16 are what the real weights make of the photo.

The weights lie beside the repository, in shared/data/vgg16, and are not part of it.
"""

import importlib.util
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
    monkeypatch.setattr("sys.argv", ["pictures.py", "--weights", "nowhere.h5"])
    assert pictures.main() == 2
    assert "nowhere.h5" in capsys.readouterr().err
