"""Every known fault of a training run, injected into one: what was kept, and which message the user sees.

    python tests/faults/faults.py                     the table, about a minute
    python tests/faults/faults.py --write docs/faults.md

Each fault is a function that injects it in a new folder and returns what was kept. Training runs for three epochs of
four batches and saves after every batch; most faults occur after batch 2 of epoch 2. Then the training is resumed and
must end with the same bits as an undisturbed training.
"""

import argparse
import contextlib
import functools
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from small_tuning import write_inputs

from minitorch_cnn import checkpoint
from minitorch_cnn.runs import continuing

HERE = Path(__file__).parent
FAULTS = []  # (name, how it is injected, function)
PLACE, LAST = (1, 2), (2, 4)  # epoch (from 0) and batch (from 1): "epoch 2 after batch 2", and the very last batch
HEAD = "| fault | injected how | what was kept | message |"
SECONDS = 240  # after which a process counts as hanging; long, because the machine may be busy


@dataclass
class Outcome:
    """What was kept after a fault, and the last line that the user saw."""

    kept: str
    message: str


def fault(name, injected):
    def register(function):
        FAULTS.append((name, injected, function))
        return function

    return register


class Work:
    """A folder for one fault, and the small training in it."""

    command, settings = "train", ()
    checkpoints = ("checkpoint.npz",)  # the newest first

    def __init__(self, folder, expected):
        self.folder, self.run, self.expected = Path(folder), Path(folder) / "run", expected

    def start(self, *arguments, act="none", place=PLACE, launcher=(), **options):
        command = [*launcher, sys.executable, HERE / "small_training.py", act, *place, self.command, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([str(part) for part in command], **pipes | options)

    def train(self, act, **options):
        """Run a training in which `act` happens; return (exit code, last line on the error output)."""
        return self.finish(self.start("--out", self.run, "--quiet", *self.settings, act=act, **options))

    def finish(self, process):
        _, errors = process.communicate(timeout=SECONDS)
        assert "Traceback" not in errors or process.returncode in (0, -signal.SIGINT), errors
        lines = [line for line in errors.splitlines() if line.startswith(("minitorch-cnn:", str(self.run)))]
        return process.returncode, (lines or [""])[-1]

    def resume(self):
        """Resume; the result must be that of the undisturbed training. Return the first line on the error output."""
        process = self.start("--resume", self.run, "--quiet")
        output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, errors
        self.same()
        return (errors.splitlines() or [""])[0]

    def same(self):
        if self.expected is not None:
            weights = checkpoint.load(self.run / "model.npz")[0]
            assert all(np.array_equal(weights[key], array) for key, array in self.expected.items())
            assert len(weights) == len(self.expected)

    def kept(self):
        """Return a description of the newest good checkpoint."""
        path = next(self.run / name for name in self.checkpoints if (self.run / name).exists())
        _, facts, damage = checkpoint.load_last(path)
        which = "the previous checkpoint" if damage else "the checkpoint"
        return f"{which} ({continuing.place(facts)}); resumed to the same bits"

    def shown(self, message):
        """Return a message without the paths of this machine."""
        return message.replace(str(self.run), "RUN").replace(str(self.folder), "DIR")


class Tuning(Work):
    """The same for a small fine-tuning, which has two phases and one checkpoint for each."""

    command, checkpoints = "fine-tune", ("checkpoint-all.npz", "checkpoint-top.npz")

    def __init__(self, folder, expected=None):
        super().__init__(folder, expected or uninterrupted_tuning())
        self.settings = write_inputs(folder)


def stopped(work, code, act, **options):
    """Inject a fault that ends the training with `code`, then resume."""
    got, message = work.train(act, **options)
    assert got == code, (got, message)
    kept = work.kept()
    assert code != 2 or "kept: " in message, message
    nothing_left_behind(work)
    work.resume()
    return Outcome(kept, message)


def nothing_left_behind(work):
    assert not list(work.run.rglob(".*"))


class NotHere(Exception):
    """This system does not allow a fault to be injected."""


@contextlib.contextmanager
def small_disk(folder, size):
    """A folder on a disk of `size`: a file system in memory in a separate namespace, which does not need root."""
    script = 'mount -t tmpfs -o size="$0" none "$1" && echo mounted && exec cat'
    command = ["unshare", "-Urm", "sh", "-c", script, size, str(folder)]
    try:
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise NotHere(f"unshare: {error}") from None
    try:
        if holder.stdout.readline() != b"mounted\n":
            raise NotHere(f"no small disk: {holder.stderr.read().decode().strip()}")
        yield Path(f"/proc/{holder.pid}/root{folder}")
    finally:
        holder.communicate()


@fault("full disk", "a file fills up a separate disk of 400 kB (a tmpfs)")
def full_disk(work):
    with small_disk(work.folder, "400k") as disk:
        full = Work(disk, work.expected)
        code, message = full.train("fill_disk")
        assert code == 2 and "kept: " in message, message
        message = full.shown(message)
        again, said = full.finish(full.start("--resume", full.run, "--quiet"))  # the disk is still full
        assert again == 2 and "No space left on device" in said, said
        kept = full.kept()
        nothing_left_behind(full)
        (disk / "filler").unlink()
        full.resume()
        return Outcome(kept, message)


@fault("full disk, file by file", "every file that is written is `/dev/full`, which never has space")
def full_files(work):
    return stopped(work, 2, "full_disk")


@fault("full disk at the end", "the same while the last row of the history, the trained model or the report is written")
def full_at_the_end(work):
    outcome, files = None, []
    for act in ("full_disk", "full_before_model", "full_before_report"):
        outcome = stopped(work, 2, act, place=LAST)
        files.append(re.search(r"run/([\w.]+): cannot be written", outcome.message)[1])
        shutil.rmtree(work.run)
    assert files == ["history.csv", "model.npz", "report.html"]
    return outcome


@fault("disk full in the middle of a file", "the system limits files to half the size of a checkpoint (RLIMIT_FSIZE)")
def quota(work):
    return stopped(work, 2, "quota")


@fault("read-only folder", "`chmod 555`, and root loses the right to write anyway")
def read_only(work):
    code, message = work.train("read_only", preexec_fn=_without_roots_rights)
    work.run.chmod(0o755)
    assert code == 2, message
    kept = work.kept()
    work.resume()
    return Outcome(kept, message)


def _without_roots_rights():
    """Take root's right to write everywhere from the new process (capabilities DAC_OVERRIDE, DAC_READ_SEARCH)."""
    import ctypes

    libc = ctypes.CDLL(None)
    for capability in (1, 2):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@fault("killed process", "`kill -9` after a batch, and three times at a random moment")
def killed(work):
    assert work.train("kill")[0] == -signal.SIGKILL
    kept, rng = work.kept(), random.Random(3)
    for _ in range(3):
        process = work.start("--resume", work.run, "--quiet", act="slow")
        time.sleep(rng.uniform(0.3, 0.9))
        process.kill()
        process.communicate()
    work.resume()
    return Outcome(kept, "none: no process is left to print one")


@fault("killed while writing", "`kill -9` when a checkpoint is half written")
def killed_while_writing(work):
    assert work.train("kill_while_writing")[0] == -signal.SIGKILL
    kept = work.kept()
    assert [path.suffix for path in work.run.glob(".checkpoint.npz.*")] == [".tmp"]
    work.resume()
    nothing_left_behind(work)
    return Outcome(f"{kept}, and the half file is deleted", "none: no process is left to print one")


@fault("killed by a job queue", "SIGTERM, sent twice, as `timeout` does")
def terminated(work):
    return stopped(work, 143, "terminate")


@fault("terminal closed", "SIGHUP, sent twice, while the error output is a terminal that is gone")
def hung_up(work):
    import pty

    controller, terminal = pty.openpty()
    process = work.start("--out", work.run, act="hang_up", stderr=terminal)
    os.close(terminal)
    os.close(controller)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 129
    kept = work.kept()
    nothing_left_behind(work)
    work.resume()
    return Outcome(kept, "none: there is no terminal to print one on")


@fault("output closed", "`>&- 2>&-`, and pipes whose reader ends at once or never reads")
def output_closed(work):
    for redirection in (">&- 2>&-", "2> >(true)", "2> >(sleep 30)", "> >(true)", "2> /dev/full"):
        command = [sys.executable, HERE / "small_training.py", "none", *PLACE, "train", "--out", work.run]
        line = f"exec {shlex.join(map(str, command))} {redirection}"
        assert subprocess.run(["bash", "-c", line], stdout=subprocess.DEVNULL, timeout=SECONDS).returncode == 0, line
        work.same()
        shutil.rmtree(work.run)
    return Outcome("everything", "none: nothing is lost")


@fault("run folder moved away", "`mv RUN moved` after a batch, also with Ctrl-C or a new folder in its place")
def moved(work):
    elsewhere, outcome = work.folder / "moved", None
    for act in ("move_away_and_ctrl_c", "move_away_and_begin_another", "move_away"):
        code, message = work.train(act)
        assert code == 2, message
        assert not work.run.exists() or not list(work.run.iterdir())
        shutil.rmtree(work.run, ignore_errors=True)
        elsewhere.rename(work.run)
        kept = work.kept()
        nothing_left_behind(work)
        work.run.rename(elsewhere)
        work.run, before = elsewhere, work.run
        work.resume()
        work.run = before
        shutil.rmtree(elsewhere)
        outcome = Outcome(f"{kept.partition(';')[0]}, where it is now; resumed there to the same bits", message)
    return outcome


@fault("run folder deleted", "`rm -r RUN` after a batch")
def deleted(work):
    code, message = work.train("delete_folder")
    assert code == 2 and not work.run.exists()
    return Outcome("nothing, and no other folder is begun", message)


@fault("killed data worker", "an exception ends the threads that prepare batches")
def workers(work):
    code, message = work.train("kill_workers")
    assert (code, message) == (0, "")
    work.same()
    return Outcome("everything: the batches are prepared again, with the same bits", "none: nothing is lost")


@fault("one of two processes killed", "`kill -9` of the second process under `mpiexec -n 2`; one process resumes")
def rank(work):
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    code, message = work.train("kill_last_rank", launcher=(launcher, "-n", "2"))
    assert code != 0 and message
    _, facts, _ = checkpoint.load_last(work.run / "checkpoint.npz")
    assert facts["epoch"] == PLACE[0]
    expected, work.expected = work.expected, None
    work.resume()
    weights = checkpoint.load(work.run / "model.npz")[0]
    assert all(np.allclose(weights[key], array, rtol=1e-4, atol=1e-5) for key, array in expected.items())
    return Outcome("the checkpoint of epoch 2; resumed to the same weights, up to the rounding of sums", message)


@fault("truncated checkpoint", "the file is cut in half between two runs")
def truncated(work):
    return _damaged(work, lambda data: data[: len(data) // 2])


@fault("flipped bit in the checkpoint", "one bit in the middle of the file, between two runs")
def flipped(work):
    middle = 2000
    return _damaged(work, lambda data: data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :])


def _damaged(work, damage):
    assert work.train("ctrl_c")[0] == 130
    path = work.run / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    kept = work.kept()
    assert "previous checkpoint" in kept
    return Outcome(kept, work.resume())


@fault("clock jumps", "the wall clock jumps by days at every reading, the monotonic clock once by an hour")
def clock(work):
    code, message = work.train("clock_jumps")
    assert (code, message) == (0, "")
    work.same()
    return Outcome("everything: only the displayed durations are wrong", "none: nothing is lost")


@fault("two runs in one folder", "`--resume`, then `--out`, in the folder of a run in progress")
def two_runs(work):
    first = work.start("--out", work.run, "--quiet", act="wait")
    deadline = time.monotonic() + SECONDS
    while not (work.folder / "waiting").exists():
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    code, message = work.finish(work.start("--resume", work.run, "--quiet"))
    assert code == 2 and "another process is training in this folder" in message, message
    assert work.finish(work.start("--out", work.run, "--quiet"))[0] == 2
    (work.folder / "go").touch()
    assert work.finish(first)[0] == 0
    work.same()
    return Outcome("everything: the first run ends with the same bits, the second never starts", message)


@fault("Ctrl-C", "SIGINT during a batch")
def ctrl_c(work):
    return stopped(work, 130, "ctrl_c")


@fault("Ctrl-C twice", "the second while the checkpoint of the first is half written")
def ctrl_c_twice(work):
    return stopped(work, 130, "ctrl_c_twice")


@fault("Ctrl-C at any point", "SIGINT at eight random moments, from the start of Python to the report")
def ctrl_c_anywhere(work):
    rng, message = random.Random(5), ""
    arguments = ("--out", work.run)
    for number in range(8):
        process = work.start(*arguments, "--quiet", act="slow")
        if number % 4 == 0:  # in the training itself, however long Python takes to start
            while not (work.run / "checkpoint.npz").exists() and process.poll() is None:
                time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.05) if number == 0 else rng.uniform(0.2, 1.2))
        process.send_signal(signal.SIGINT)
        code, line = work.finish(process)
        assert code in (130, 0, -signal.SIGINT), (code, line)  # the last: Python itself was still starting
        message = line or message
        if (work.run / "config.json").exists():
            arguments = ("--resume", work.run)
    if arguments[0] == "--out":
        assert work.train("none")[0] == 0
        work.same()
    else:
        work.resume()
    return Outcome("the last checkpoint each time; resumed to the same bits", message)


@fault("Ctrl-C twice at any point", "two SIGINTs, up to a tenth of a second apart, at eight random moments")
def ctrl_c_twice_anywhere(work):
    rng, message, begun = random.Random(8), "", work.folder / "begun"
    assert work.train("ctrl_c")[0] == 130
    shutil.copytree(work.run, begun)
    for number in range(8):
        shutil.rmtree(work.run)
        shutil.copytree(begun, work.run)
        before = (work.run / "checkpoint.npz").stat().st_ino
        process = work.start("--resume", work.run, "--quiet", act="slow")
        if number % 2 == 0:  # in the training itself, however long Python takes to start
            while (work.run / "checkpoint.npz").stat().st_ino == before and process.poll() is None:
                time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05) if number % 2 == 0 else rng.uniform(0.2, 1.2))
        for pause in (rng.choice((0, rng.uniform(0, 0.1))), 0):
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
        code, line = work.finish(process)
        assert code in (130, 0, -signal.SIGINT), (code, line)
        message = line or message
    work.resume()
    return Outcome("the last checkpoint each time; resumed to the same bits", message)


@fault("too little memory", "the system grants no more memory (RLIMIT_AS), and 1 GiB is requested")
def no_memory(work):
    return stopped(work, 2, "no_memory")


PHASES = (("top", 1, 2), ("all", 0, 3))


@fault("fine-tuning: killed", "`kill -9` in the phase with the base frozen, then in the one that trains everything")
def tuning_killed(work):
    tuning, kept = Tuning(work.folder), []
    process = tuning.start("--out", tuning.run, "--quiet", *tuning.settings, act="kill", place=_in_phase(*PHASES[0]))
    assert tuning.finish(process)[0] == -signal.SIGKILL
    kept.append(tuning.kept())
    process = tuning.start("--resume", tuning.run, "--quiet", act="kill", place=_in_phase(*PHASES[1]))
    assert tuning.finish(process)[0] == -signal.SIGKILL
    kept.append(tuning.kept())
    assert kept[0] != kept[1]
    tuning.resume()
    both = f"{kept[0].partition(';')[0]}, {kept[1]}"
    return Outcome(f"one for each phase: {both}", "none: no process is left to print one")


def _in_phase(phase, epoch, batch):
    return f"{phase}.{epoch}", batch


def _tuning_stopped(work, code, act):
    """Stop in each phase; both messages must name the checkpoint of that phase."""
    tuning, outcome = Tuning(work.folder), None
    for phase in PHASES:
        outcome = stopped(tuning, code, act, place=_in_phase(*phase))
        assert f"checkpoint-{phase[0]}.npz" in outcome.message and "fine-tune --resume" in outcome.message
        shutil.rmtree(tuning.run)
    return outcome


@fault("fine-tuning: Ctrl-C", "SIGINT in each of the two phases")
def tuning_ctrl_c(work):
    return _tuning_stopped(work, 130, "ctrl_c")


@fault("fine-tuning: Ctrl-C twice", "in each phase, the second while the checkpoint of the first is half written")
def tuning_ctrl_c_twice(work):
    return _tuning_stopped(work, 130, "ctrl_c_twice")


@fault("fine-tuning: full disk", "every file that is written is `/dev/full`, in each of the two phases")
def tuning_full_disk(work):
    return _tuning_stopped(work, 2, "full_disk")


@fault("diverging numbers", "a weight becomes infinite after a batch")
def diverged(work):
    code, message = work.train("diverge")
    assert code == 2 and "kept: " in message
    _, facts, _ = checkpoint.load_last(work.run / "checkpoint.npz")
    arrays = checkpoint.load(work.run / "checkpoint.npz")[0]
    assert all(np.isfinite(array).all() for array in arrays.values())
    work.resume()
    kept = f"the checkpoint ({continuing.place(facts)}), all of its weights finite; resumed to the same bits"
    return Outcome(kept, message)


def uninterrupted():
    """Return the weights of the undisturbed small training."""
    with tempfile.TemporaryDirectory() as folder:
        work = Work(folder, None)
        return _result(work)


@functools.cache
def uninterrupted_tuning():
    """Return the weights of the undisturbed small fine-tuning; its inputs are the same in every folder."""
    with tempfile.TemporaryDirectory() as folder:
        return _result(Tuning(folder, {"nothing": "yet"}))


def _result(work):
    code, message = work.train("none")
    assert code == 0, message
    return checkpoint.load(work.run / "model.npz")[0]


def happen(function, expected):
    """Inject one fault in a new folder; return an Outcome without paths of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        work = Work(folder, expected)
        outcome = function(work)
        return Outcome(outcome.kept, work.shown(outcome.message))


def table():
    """Yield the table, row by row, as Markdown."""
    import download_faults  # noqa: F401  registers its faults

    expected = uninterrupted()
    yield f"{HEAD}\n|---|---|---|---|"
    for name, injected, function in FAULTS:
        try:
            outcome = happen(function, expected)
        except NotHere as reason:
            outcome = Outcome(f"not injected: {reason}", "none")
        message = outcome.message.replace("|", "\\|")
        yield f"| {name} | {injected} | {outcome.kept} | {message if message.startswith('none') else f'`{message}`'} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE", help="replace the table in this page")
    options = parser.parse_args()
    rows = []
    for row in table():
        print(row, flush=True)
        rows.append(row)
    if options.write:
        page = Path(options.write)
        before, _, rest = page.read_text(encoding="utf-8").partition(HEAD)
        after = re.sub(r"\A(\|.*\n)*", "", rest.partition("\n")[2])
        page.write_text(before + "\n".join(rows) + "\n" + after, encoding="utf-8")


if __name__ == "__main__":
    sys.modules["faults"] = sys.modules["__main__"]  # for download_faults, which registers more
    with contextlib.suppress(KeyboardInterrupt):
        main()
