"""Fetching published weights from a server on this machine, and ImageNet's class names."""

import dataclasses
import hashlib
import http.server
import json
import re
import threading

import numpy as np
import pytest

from minitorch_cnn import weight_files
from minitorch_cnn.cli import main
from minitorch_cnn.errors import ArgumentError, DataError, ShapeError
from minitorch_cnn.files import download

BODY = bytes(range(256)) * 40
CLASSES = [(f"n{number:08d}", f"name_{number}") for number in range(1000)]
INDEX = {str(number): list(pair) for number, pair in enumerate(CLASSES)}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    """A web server; `files` maps paths to bytes, `asked` lists the requests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http_server.files, http_server.asked = {}, []
    http_server.url = f"http://127.0.0.1:{http_server.server_port}"
    threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield http_server
    http_server.shutdown()
    http_server.server_close()


@pytest.fixture
def published(server, monkeypatch, tmp_path):
    """The tables, with the same names but with small files on the server; nothing is asked anywhere else."""
    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.setenv("MINITORCH_CNN_CACHE", str(tmp_path / "cache"))

    def here(file, body):
        server.files[f"/mirror/{file.name}"] = body
        urls = (f"{server.url}/first/{file.name}", f"{server.url}/mirror/{file.name}")
        md5 = file.md5 and hashlib.md5(body).hexdigest()
        return dataclasses.replace(file, urls=urls, md5=md5, size=len(body))

    weights = {key: here(file, BODY if key[1] else BODY[::-1]) for key, file in weight_files.WEIGHTS.items()}
    monkeypatch.setattr(weight_files, "WEIGHTS", weights)
    monkeypatch.setattr(weight_files, "CLASS_INDEX", here(weight_files.CLASS_INDEX, json.dumps(INDEX).encode()))
    return server


KERAS = {  # Keras 3.15: the name of the file, its MD5, and the address before its name
    ("vgg16", True): ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b", "vgg16"),
    ("vgg16", False): (
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", "vgg16",
    ),
    ("resnet50", True): (
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5", "2cb95161c43110f7111970584f804107", "resnet",
    ),
    ("resnet50", False): (
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626", "resnet",
    ),
    ("mobilenet_v2", True): ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", None, "mobilenet_v2"),
    ("mobilenet_v2", False): (
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None, "mobilenet_v2",
    ),
    ("efficientnet_b0", True): ("efficientnetb0.h5", "902e53a9f72be733fc0bcb005b3ebbac", None),
    ("efficientnet_b0", False): ("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d", None),
}  # fmt: skip
PLACE = "https://storage.googleapis.com/"


def test_the_table_is_kerass():
    assert weight_files.WEIGHTS.keys() == KERAS.keys()
    for key, (name, md5, folder) in KERAS.items():
        file = weight_files.WEIGHTS[key]
        first = f"{PLACE}tensorflow/keras-applications/{folder}/" if folder else f"{PLACE}keras-applications/"
        assert (file.name, file.md5, file.urls[0]) == (name, md5, first + name)
        assert all(url.startswith("https://") and url.endswith("/" + name) for url in file.urls)
        assert len(file.urls) == 1 or md5  # whoever mirrors a file must have the same bytes
    assert [file.size for file in weight_files.WEIGHTS.values()][:2] == [553_467_096, 58_889_256]
    assert re.fullmatch("[0-9a-f]{32}", weight_files.CLASS_INDEX.md5) and len(weight_files.CLASS_INDEX.urls) == 2


@pytest.mark.parametrize("model", ["resnet50", "mobilenet_v2", "efficientnet_b0", "mobilenet-v2"])
def test_every_network_is_fetched(published, tmp_path, model):
    for top, body in ((True, BODY), (False, BODY[::-1])):
        path = weight_files.fetch(model, top, tmp_path, progress=False)
        assert path.name == KERAS[model.replace("-", "_"), top][0] and path.read_bytes() == body


def test_without_a_published_checksum_the_first_download_counts(published, tmp_path, capsys):
    name, md5 = KERAS["mobilenet_v2", True][0], hashlib.md5(BODY).hexdigest()
    path = weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False)
    said = capsys.readouterr().err
    assert md5 in said and "10,240 bytes" in said and said.count("\n") == 1
    assert (tmp_path / f"{name}.md5").read_text() == md5 + "\n"
    assert weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False) == path
    assert capsys.readouterr().err == ""
    path.write_bytes(BODY[:-1] + b"x")  # damaged later: fetched again
    assert weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False).read_bytes() == BODY
    path.unlink()
    published.files[f"/mirror/{name}"] = BODY + b"x"  # another file at the same address
    with pytest.raises(DataError, match=f"expected a file with checksum md5:{md5}"):
        weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False)
    (tmp_path / f"{name}.md5").write_text("\x1b[2J")
    with pytest.raises(DataError, match="expected an MD5 checksum"):
        weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False)


def test_without_a_checksum_remains_of_another_download_are_not_continued(published, tmp_path):
    name = KERAS["mobilenet_v2", True][0]
    (tmp_path / f"{name}.part").write_bytes(b"something else")
    assert weight_files.fetch("mobilenet_v2", folder=tmp_path, progress=False).read_bytes() == BODY


@pytest.mark.parametrize("top, body", [(True, BODY), (False, BODY[::-1])])
def test_fetched_once_from_the_mirror_and_checked(published, tmp_path, top, body):
    path = weight_files.fetch("vgg16", top, progress=False)
    assert path.parent == tmp_path / "cache" / "weights" and path.read_bytes() == body
    assert ("notop" in path.name) == (not top)
    asked = list(published.asked)
    assert [place.split("/")[1] for place in asked] == ["first", "mirror"]  # the first place does not have it
    assert weight_files.fetch("vgg16", top, progress=False) == path and published.asked == asked


def test_into_a_folder_of_ones_own(published, tmp_path):
    folder = tmp_path / "new" / "weights"
    path = weight_files.fetch("vgg16", top=False, folder=folder, progress=False)
    assert path.parent == folder and [file.name for file in folder.iterdir()] == [path.name]
    assert not (tmp_path / "cache").exists()


def test_a_damaged_file_is_fetched_again(published, tmp_path):
    path = weight_files.fetch("vgg16", folder=tmp_path, progress=False)
    path.write_bytes(BODY[:-1] + b"x")
    assert weight_files.fetch("vgg16", folder=tmp_path, progress=False).read_bytes() == BODY


def test_other_bytes_are_refused(published, tmp_path):
    name = weight_files.WEIGHTS["vgg16", True].name
    published.files[f"/mirror/{name}"] = BODY[:-1] + b"x"
    with pytest.raises(DataError) as raised:
        weight_files.fetch("vgg16", folder=tmp_path, progress=False)
    message = str(raised.value)
    assert "expected a file with checksum md5:" in message and "\n" not in message
    assert f"put the file (10,240 bytes) into {tmp_path} yourself" in message
    assert not (tmp_path / name).exists()


def test_another_model():
    with pytest.raises(ArgumentError, match=r"weights: expected one of vgg16, resnet50, .*, got 'vgg19'"):
        weight_files.fetch("vgg19")


def test_class_names_and_the_five_likeliest(published):
    assert weight_files.imagenet_classes(progress=False) == CLASSES
    probabilities = np.zeros(1000, "float32")
    probabilities[[281, 3, 999, 0, 500, 7]] = [0.5, 0.2, 0.1, 0.08, 0.07, 0.05]
    assert weight_files.top5(probabilities) == [
        (*CLASSES[number], float(np.float32(p)))
        for number, p in ((281, 0.5), (3, 0.2), (999, 0.1), (0, 0.08), (500, 0.07))
    ]
    equal = weight_files.top5(np.full(1000, 1e-3), CLASSES)
    assert [wordnet_id for wordnet_id, _, _ in equal] == [CLASSES[number][0] for number in range(5)]
    assert type(equal[0][2]) is float


@pytest.mark.parametrize(
    "probabilities, error, message",
    [
        (np.zeros((1, 1000)), ShapeError, "of one image; got (1, 1000)"),
        (np.zeros(10), ShapeError, "expected probabilities of shape (1000,)"),
        (np.full(1000, np.nan), ArgumentError, "expected finite probabilities, got NaN or infinity"),
    ],
    ids=["batch", "ten", "nan"],
)
def test_what_is_no_prediction(probabilities, error, message):
    with pytest.raises(error) as raised:
        weight_files.top5(probabilities, CLASSES)
    assert message in str(raised.value)


LARGE = " " * (weight_files.LARGEST_CLASS_INDEX + 1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected JSON"),
        ("<html>", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        (LARGE, "expected at most 1,048,576 bytes, got 1,048,577"),
        ("[]", 'expected the classes "0" to "999"'),
        ('{"0": ["n01440764", "tench"]}', 'expected the classes "0" to "999"'),
        (json.dumps(INDEX | {"1000": ["n1", "one too many"]}), 'expected the classes "0" to "999"'),
        (json.dumps(INDEX | {"7": ["n1"]}), "class 7: expected a WordNet id and a name, got \"['n1']\""),
        (json.dumps(INDEX | {"7": ["n1", 3]}), "class 7: expected a WordNet id and a name"),
        (json.dumps(INDEX | {"7": "n1"}), "class 7: expected a WordNet id and a name"),
        (json.dumps(INDEX | {"7": ["n1", ""]}), "class 7: expected a WordNet id and a name"),
        (json.dumps(INDEX | {"7": ["n1", "red\u001b[31m"]}), "class 7: expected a WordNet id and a name"),
    ],
    ids=range(12),
)
def test_a_class_index_that_is_none(tmp_path, text, message):
    path = tmp_path / "index.json"
    path.write_text(text)
    with pytest.raises(DataError) as raised:
        weight_files.read_class_index(path)
    assert message in str(raised.value) and "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_a_class_index_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        weight_files.read_class_index(tmp_path / "nowhere.json")


def test_the_command_fetches(published, tmp_path, capsys):
    assert main(["weights", "fetch", "vgg16", "--no-top", "--quiet"]) == 0
    cached = tmp_path / "cache" / "weights" / weight_files.WEIGHTS["vgg16", False].name
    assert capsys.readouterr().out == f"{cached}\n" and cached.read_bytes() == BODY[::-1]
    assert main(["weights", "fetch", "vgg16", "--out", str(tmp_path / "here")]) == 0
    here = tmp_path / "here" / weight_files.WEIGHTS["vgg16", True].name
    assert capsys.readouterr().out == f"{here}\n" and here.read_bytes() == BODY


def test_the_command_says_what_went_wrong(published, tmp_path, capsys):
    published.files.clear()
    for arguments, message in (
        (["fetch", "vgg16", "--out", str(tmp_path)], "HTTP status 404"),
        (["fetch", "vgg19"], "efficientnet_b0, got 'vgg19'"),
    ):
        assert main(["weights", *arguments]) == 2
        said = capsys.readouterr().err
        assert message in said and len(said.strip().splitlines()) == 1
