"""A coverage-guided fuzzer, small enough to read: edit an input, use it, keep it if it reached lines that none had.

    python tests/fuzz/fuzz.py                      all targets, 20 seconds each
    python tests/fuzz/fuzz.py --seconds 600 "weights .h5"
    python tests/fuzz/fuzz.py --inputs 300         the same inputs every time

An input has to be read, or refused by a `UserError` of one printable line. Anything else is found: another exception, a
dead process, more than 10 seconds, more memory than its target may take, a file read or changed outside its folder, a
process, a connection, a text that is run as a program. What is found is kept in `tests/fuzz/found/TARGET/`, where a
test tries it for ever.
"""

import argparse
import contextlib
import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from mutations import mutated
from targets import TARGETS
from watching import Guard, Hang, Lines, Memory, time_limit

from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.errors import UserError

FOUND = Path(__file__).parent / "found"
MEMORY = 2 << 30  # bytes beyond what the imports take
LONGEST_MESSAGE = 7000
SLOW, ENDLESS = "it takes too long", "it never ends"
GRACE = 90  # seconds beyond its time after which a process is taken to hang


def trouble(target, data, folder, guard, lines, memory):
    """What is wrong with the way `data` is used, in a line; None where nothing is.

    `guard` and `lines` None: what it does is not looked at. So is a good input used once before anything else, for the
    sake of what is imported late.
    """
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    target, problem = TARGETS[target], None
    traced = lines.traced() if lines else contextlib.nullcontext()
    guarded = guard.watching(folder, target.named) if guard else contextlib.nullcontext()
    try:
        with memory.measured(), definitions_everywhere(), guarded, time_limit(), traced:
            target.use(data, folder)
    except UserError as error:
        if not str(error).isprintable() or len(str(error)) > LONGEST_MESSAGE:
            problem = f"a message that is no line: {str(error)[:100]!r}"
    except Hang:
        problem = SLOW
    except BaseException as error:
        problem = f"{type(error).__name__}: {str(error)[:200]}"
    if memory.mib > target.mib:
        problem = f"it took {memory.mib} MiB of memory"
    return guard.acts[0] if guard and guard.acts else problem


def search(target, seconds, inputs, seed):
    """Try inputs until the time or the number is reached; a dictionary of counts and of what was found."""
    rng, lines, guard, memory = random.Random(f"{target} {seed}"), Lines(), Guard(), Memory()
    corpus, words = list(TARGETS[target].seeds()), TARGETS[target].words
    found, tried, kept, most = {}, 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder, current = Path(place) / "work", Path(place) / "current"
        folder.mkdir()
        print(json.dumps({"current": str(current)}), flush=True)
        tempfile.tempdir = str(folder)  # what is unpacked for a moment counts as inside
        for watch in ((None, None), (guard, lines)):
            for data in corpus:
                current.write_bytes(data)
                problem = trouble(target, data, folder, *watch, memory)
                assert problem is None or watch[0] is None, f"{target}: a good input: {problem}"
        _limit_memory()
        end = time.monotonic() + seconds
        while tried < inputs and time.monotonic() < end:
            data = mutated(rng.choice(corpus[-50:] if rng.random() < 0.5 else corpus), corpus, words, rng)
            current.write_bytes(data)
            problem = trouble(target, data, folder, guard, lines, memory)
            tried, most = tried + 1, max(most, memory.mib)
            if problem:
                found.setdefault(problem[:60], (problem, data.hex()))
            elif lines.new:
                kept += 1
                corpus.append(data)
    return {"tried": tried, "kept": kept, "lines": len(lines.seen), "most": most, "found": list(found.values())}


def _limit_memory():
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def in_a_process(target, seconds, inputs, seed, program=__file__):
    """`search` in a process of its own, which may die: that counts as found, and its last input is kept."""
    command = [sys.executable, program, "--child", target, "--seconds", seconds, "--inputs", inputs, "--seed", seed]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=errors)
        try:
            code = process.wait(seconds + GRACE)
        except subprocess.TimeoutExpired:
            code = "hang"
        answer = _lines(output)
        current = Path(answer[0]["current"]) if answer else None
        last = current.read_bytes().hex() if current and current.exists() else ""
        if code == "hang":
            process.kill()
            process.wait()
        if code == 0:
            return answer[-1]
        errors.seek(0)
        why = ENDLESS if code == "hang" else f"the process ended with {code}: {errors.read()[-300:]}"
    return {"tried": 0, "kept": 0, "lines": 0, "most": 0, "found": [(why, last)]}


def _lines(file):
    file.seek(0)
    return [json.loads(line) for line in file]


def folder_of(target):
    """Where the cases of a target are kept."""
    return FOUND / "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in target)


def keep(target, data):
    """Put what was found among the cases that the tests try."""
    folder = folder_of(target)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:12]
    path.write_bytes(data)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=20, help="for each target (20)")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.child:
        print(json.dumps(search(options.child, options.seconds, options.inputs, options.seed)))
        return 0
    print("| what is read | inputs tried | kept for new lines | lines reached | crashes | hangs | most MiB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    totals = [0, 0, 0]
    for target in options.targets or TARGETS:
        result = in_a_process(target, options.seconds, options.inputs, options.seed)
        hangs = sum(why in (SLOW, ENDLESS) for why, _ in result["found"])
        crashes = len(result["found"]) - hangs
        totals = [totals[0] + result["tried"], totals[1] + crashes, totals[2] + hangs]
        print(f"| {target} | {result['tried']:,} | {result['kept']} | {result['lines']:,} | {crashes} | {hangs} |"
              f" {result['most']} |", flush=True)  # fmt: skip
        for why, data in result["found"]:
            print(f"  {target}: {why!r}, kept as {keep(target, bytes.fromhex(data))}", file=sys.stderr, flush=True)
    print(f"\ninputs tried {totals[0]:,}, crashes {totals[1]}, hangs {totals[2]}")
    return 1 if totals[1] + totals[2] else 0


if __name__ == "__main__":
    sys.exit(main())
