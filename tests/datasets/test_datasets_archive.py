"""unpack: the wanted files, whole, inside the folder; nothing else."""

import gzip
import io
import tarfile
import zipfile

import pytest

from minitorch_cnn.errors import DataError
from minitorch_cnn.files.archive import unpack

FILES = {"top/a.bin": b"a" * 1000, "top/b.bin": b"b" * 2000, "top/readme.txt": b"not wanted"}


def make_tar(path, files=FILES, extra=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return path


def make_zip(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def wanted(name):
    base = name.rpartition("/")[2]
    return base if base.endswith(".bin") else None


def take(archive, folder, wanted=wanted, largest=10_000, total=1 << 20, most=100):
    return unpack(archive, wanted, folder, largest=largest, total=total, most=most)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=[make_tar, make_zip], ids=["tar.gz", "zip"])
def make(request):
    return request.param


def test_wanted_files_only(make, tmp_path):
    assert take(make(tmp_path / "archive"), tmp_path / "deep" / "out") == list(FILES)
    assert contents(tmp_path / "deep") == {"out/a.bin": b"a" * 1000, "out/b.bin": b"b" * 2000}


def test_folders_inside(make, tmp_path):
    take(make(tmp_path / "archive"), tmp_path / "out", wanted=lambda name: f"x/{name}")
    assert contents(tmp_path / "out") == {f"x/{name}": data for name, data in FILES.items()}


def test_into_a_folder_that_is_there(make, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.bin").write_bytes(b"cut off")
    (tmp_path / "out" / "mine.txt").write_bytes(b"stays")
    take(make(tmp_path / "archive"), tmp_path / "out")
    assert contents(tmp_path / "out") == {"a.bin": b"a" * 1000, "b.bin": b"b" * 2000, "mine.txt": b"stays"}


@pytest.mark.parametrize("name", ["../outside.bin", "/tmp/outside.bin", "a/../../outside.bin"])
def test_no_way_out_of_the_folder(make, tmp_path, name):
    archive = make(tmp_path / "archive", {name: b"data"})
    with pytest.raises(DataError, match="inside"):
        take(archive, tmp_path / "out", wanted=lambda name: name)
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}


def test_links_and_devices_are_passed_over(tmp_path):
    def member(kind, name):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        return info

    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
    archive = make_tar(tmp_path / "archive", FILES, [member(kind, f"{i}.bin") for i, kind in enumerate(kinds)])
    assert take(archive, tmp_path / "out") == list(FILES)
    assert set(contents(tmp_path / "out")) == {"a.bin", "b.bin"}


@pytest.mark.parametrize(
    "limits, message",
    [({"largest": 1500}, "b.bin: expected at most 1500 bytes, got 2000"), ({"total": 2500}, "when unpacked")],
    ids=str,
)
def test_limits(make, tmp_path, limits, message):
    with pytest.raises(DataError, match=message):
        take(make(tmp_path / "archive"), tmp_path / "out", **limits)
    assert not (tmp_path / "out").exists()


def test_the_number_of_files_is_limited(make, tmp_path):
    files = {f"{number}.bin": b"x" for number in range(30)}
    assert len(take(make(tmp_path / "archive", files), tmp_path / "out", most=30)) == 30
    with pytest.raises(DataError, match="expected at most 29 files, got more"):
        take(make(tmp_path / "archive", files), tmp_path / "out2", most=29)


def test_an_archive_larger_than_its_files_may_be(tmp_path):
    (tmp_path / "archive").write_bytes(bytes(3 << 20))
    with pytest.raises(DataError, match="expected at most 1 MiB, got 3"):
        take(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("header", ["unwanted file", "long name"])
def test_a_bomb_in_what_nobody_asked_for(tmp_path, header):
    """50 MB of zeros in 50 kB: a member that is not wanted, or the header that holds a member's name."""
    member = tarfile.TarInfo("x")
    member.size = 50 << 20
    member.type = tarfile.REGTYPE if header == "unwanted file" else tarfile.GNUTYPE_LONGNAME
    with gzip.open(tmp_path / "archive", "wb", 1) as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(50):
            file.write(bytes(1 << 20))
    expected = "at most 1 MiB when unpacked" if header == "unwanted file" else "one that is too long"
    with pytest.raises(DataError, match=expected):
        take(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99], ids=str)
def test_a_truncated_archive(make, tmp_path, share):
    data = make(tmp_path / "archive").read_bytes()
    (tmp_path / "archive").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match="archive") as caught:
        take(tmp_path / "archive", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_changed_bytes(make, tmp_path):
    """Every byte of the archive changed in turn: unpacked as it should be, or one line."""
    data = make(tmp_path / "archive").read_bytes()
    for i in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[i] ^= 0x55
        (tmp_path / "archive").write_bytes(damaged)
        try:
            take(tmp_path / "archive", tmp_path / f"out{i}")
        except DataError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("data", [b"", b"no archive", b"<html></html>", bytes(1000)], ids=repr)
def test_no_archive(tmp_path, data):
    (tmp_path / "archive").write_bytes(data)
    with pytest.raises(DataError, match=r"expected a complete \.tar\.gz or \.zip"):
        take(tmp_path / "archive", tmp_path / "out")
