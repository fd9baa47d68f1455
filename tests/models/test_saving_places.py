"""Where a model's files are written, the same for every format: links, missing folders, permissions, long names."""

import os
import stat

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.errors import CheckpointError, WeightsError


def network():
    return mtc.Sequential([layers.Dense(2, name="d")], (3,), seed=1)


def exported(path):
    pytest.importorskip("onnx")
    network().export_onnx(path)


WRITERS = {
    ".npz": lambda path: network().save(path),
    ".keras": lambda path: network().save(path),
    ".h5": lambda path: network().save(path),
    ".weights.h5": lambda path: network().save_weights(path),
    ".onnx": exported,
}
ERRORS = (WeightsError, CheckpointError)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_link_stays_a_link(ending, tmp_path):
    real, link = tmp_path / "folder" / f"real{ending}", tmp_path / f"link{ending}"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(real)
    WRITERS[ending](link)
    assert link.is_symlink() and real.stat().st_size > 100
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["folder", link.name, real.name])
    real.unlink()
    WRITERS[ending](link)  # also a link to a file that is still to be written
    assert link.is_symlink() and real.stat().st_size > 100


@pytest.mark.parametrize("ending", WRITERS)
def test_what_is_no_place_for_a_file_is_refused_in_one_line(ending, tmp_path):
    loop, folder = tmp_path / f"loop{ending}", tmp_path / f"folder{ending}"
    loop.symlink_to(loop)
    folder.mkdir()
    places = {
        loop: "symbolic links",
        folder: "it is a folder",
        tmp_path / "absent" / f"x{ending}": f"there is no folder {tmp_path / 'absent'}",
        tmp_path / f"{'x' * 300}{ending}": "name too long",
    }
    before = sorted(tmp_path.iterdir())
    for path, words in places.items():
        with pytest.raises(ERRORS, match=words) as caught:
            WRITERS[ending](path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before and loop.is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_keeps_its_permissions_when_it_is_replaced(ending, mode, tmp_path):
    path = tmp_path / f"x{ending}"
    WRITERS[ending](path)
    usual = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode)
    WRITERS[ending](path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    path.unlink()
    WRITERS[ending](path)
    assert stat.S_IMODE(path.stat().st_mode) == usual == 0o666 & ~current_umask()


def current_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_a_path_may_be_bytes(tmp_path):
    pytest.importorskip("onnx")
    model = network()
    model.export_onnx(os.fsencode(tmp_path / "x.onnx"))
    model.save(os.fsencode(tmp_path / "x.npz"))
    x = np.ones((1, 3), "float32")
    np.testing.assert_array_equal(mtc.load_model(tmp_path / "x.npz").predict(x), model.predict(x))
    assert (tmp_path / "x.onnx").stat().st_size > 100
