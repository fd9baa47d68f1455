"""The command line as a target of the fuzzer: each byte stands for a word."""

import contextlib
import io

from file_targets import images, weight_files
from run_targets import configs, histories, inside, progress_files, run_models
from small_work import small_work, write_photos
from target import in_lines, small_model, written

from minitorch_cnn import cli
from minitorch_cnn.exercises.progress import Course

ELSEWHERE = "/nowhere/else"
# Kept cases count on the order: new words come last.
WORDS = (
    "train", "fine-tune", "predict", "summary", "weights", "fetch", "inspect", "check-gradients", "explain", "exercise",
    "start", "all", "dense", "--help", "--data", "--epochs", "--batch-size", "--learning-rate", "--seed", "--backend",
    "--out", "--resume", "--quiet", "--weights", "--model", "--size", "--top-epochs", "--all-epochs", "--top-rate",
    "--all-rate", "--beside", "--most", "--random", "--planted", "--brief", "--page", "--label", "--rate", "--seconds",
    "--solution", "--no-top", "--", "-", "", "0", "1", "9", "-1", "0.01", "1e400", "nan", "9" * 400, "cifar10",
    "digits", "cats-vs-dogs", "vgg16", "numpy", "cupy", "run", "half", "half-tuned", "mine", "photos", "image.png",
    "weights.h5", "config.json", "new", "page.html", "run/model.npz", "..", ELSEWHERE, "/dev/null", "a\x1b[2Jb",
    "é\u202e", "\udcff", "x" * 5000, "a\nb", "=", "--epochs=2", "--model=run", "%s{0}", "a", "2",
    "export", "--cnn-explainer", "tiny-vgg", "--base", "--preprocessing", "net.keras", "unit", "resnet50", "127/128",
    "--unfreeze", "--copies",
)  # fmt: skip
COMMANDS = (
    "predict run image.png image.png",
    "weights inspect weights.h5 --model run",
    "summary run --batch-size 1",
    "train digits --epochs 1 --out new --seed 9 --batch-size 2 --learning-rate 0.01 --backend numpy",
    "train --resume half",
    "train --resume half-tuned",
    "fine-tune --weights weights.h5 --data photos --size 9 --out new --beside half --top-epochs 1 --all-epochs 1"
    " --unfreeze all",
    "fine-tune --resume half-tuned",
    "weights fetch vgg16 --no-top --out new --quiet",
    "summary cifar10 --batch-size 1",
    "check-gradients run --most 9 --brief --page page.html",
    "check-gradients --random 9",
    "explain run image.png --label a --rate 0.01 --page page.html",
    "explain digits --weights weights.h5",
    "exercise mine",
    "exercise start new",
    "exercise dense mine --seconds 1",
    "exercise all mine",
    "exercise dense --solution",
    "export run --cnn-explainer new",
    "summary tiny-vgg",
    "fine-tune --base net.keras --preprocessing unit --data photos --out new --top-epochs 1 --all-epochs 1",
    "fine-tune --base net.keras --preprocessing 127/128 --data photos --out new --size 9 --top-epochs 1 --all-epochs 0",
    "fine-tune --base resnet50 --weights weights.h5 --data photos",
    "summary net.keras",
    "predict net.keras image.png --preprocessing unit",
    "explain net.keras image.png --page page.html",
    "predict run weights.h5",  # what is no image makes Pillow import its other formats
)


def command_lines():
    return [bytes(WORDS.index(word) for word in command.split()) for command in COMMANDS]


def run_command(data, folder):
    """Run a command in a folder in a folder: what it writes to `..` is still inside."""
    here = folder / "in" / "it"
    for name in ("run", "half", "half-tuned", "mine"):
        (here / name).mkdir(parents=True)
    written(here, "image.png", next(images()))
    small_model().save(here / "net.keras")
    written(here, "weights.h5", weight_files("seq/tfk_legacy_weights.h5")[0])
    written(here / "run", "model.npz", run_models()[0])
    train, _, tune = configs()
    written(here / "half", "config.json", train)
    written(here / "half", "history.csv", histories()[0])
    written(here / "half-tuned", "config.json", tune.replace(b'"."', b'"half"'))
    written(here / "mine", "progress.json", progress_files()[0])
    Course(here / "mine").start()
    write_photos(here / "photos")
    arguments = [WORDS[byte % len(WORDS)] for byte in data[:17]]
    said, answered = io.StringIO(), io.StringIO()
    with small_work(), inside(here), contextlib.redirect_stdout(answered), contextlib.redirect_stderr(said):
        try:
            code = cli.main(arguments)
        except SystemExit as ended:  # argparse
            code = ended.code
            assert "Traceback" not in said.getvalue()
        else:
            lines = [line for line in said.getvalue().splitlines() if "it/s" not in line and "images/s" not in line]
            wrong = [line for line in lines if line.startswith("minitorch-cnn:")]
            assert len(wrong) == (code == 2) and all(line.isprintable() for line in wrong), said.getvalue()[-300:]
            in_lines(answered.getvalue())
    assert code in (0, 1, 2), code
