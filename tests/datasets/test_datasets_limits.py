"""The worst images and archives: each is read or refused within the memory and time that SECURITY.md promises."""

import hostile_archives
import pytest
from hostile_images import REFUSED, WORST
from limits import ARCHIVE_MIB, ARCHIVE_SECONDS, IMAGE_MIB, IMAGE_SECONDS, STATUS, measure

SLOWER = 4  # the machine that runs this may be slower than the one that was promised about

pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
QUICK = ("JPEG, 108 million pixels", "PNG, palette with transparency, 57 million", "WebP, RGBA, 20 million pixels")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.campaign] * (n not in QUICK)) for n in WORST])
def test_the_worst_that_is_read(tmp_path, name):
    (tmp_path / "file").write_bytes(WORST[name]())
    (found,) = measure([tmp_path / "file"])
    assert found["MiB"] < IMAGE_MIB and found["seconds"] < SLOWER * IMAGE_SECONDS
    assert "takes" not in found["message"]  # these are below the limit of memory, only just


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    paths = {name: folder / f"{number}" for number, name in enumerate(REFUSED)}
    for name, path in paths.items():
        path.write_bytes(REFUSED[name][1]())
    return dict(zip(REFUSED, measure(paths.values())))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_soon_and_in_one_line(refusals, name):
    found = refusals[name]
    assert REFUSED[name][0] in found["message"] and found["message"] and found["message"].isprintable()
    assert found["MiB"] < 100 and found["seconds"] < SLOWER * IMAGE_SECONDS / 2


@pytest.fixture(scope="module")
def archive_refusals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    paths = {name: folder / f"{number}" for number, name in enumerate(hostile_archives.REFUSED)}
    for name, path in paths.items():
        path.write_bytes(hostile_archives.REFUSED[name][1]())
    return dict(zip(paths, measure(paths.values(), "archive")))


@pytest.mark.parametrize("name", hostile_archives.REFUSED)
def test_archives_refused_soon_and_in_one_line(archive_refusals, name):
    found = archive_refusals[name]
    assert hostile_archives.REFUSED[name][0] in found["message"] and found["message"].isprintable()
    assert found["MiB"] < ARCHIVE_MIB and found["seconds"] < SLOWER * ARCHIVE_SECONDS


def test_the_list_of_arrays_in_a_checkpoint_is_limited(tmp_path):
    (tmp_path / "model.npz").write_bytes(hostile_archives.an_npz_of_a_million_arrays())
    (found,) = measure([tmp_path / "model.npz"], "arrays")
    assert "not a readable checkpoint (the list of what it contains has over 4,194,304 bytes)" in found["message"]
    assert found["MiB"] < ARCHIVE_MIB
