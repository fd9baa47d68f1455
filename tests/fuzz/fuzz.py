"""A coverage-guided fuzzer, small enough to read: edit an input, use it, keep it if it reached lines that none had.

Most targets edit bytes. Those "by meaning" edit what a file says, or write it field by field, and keep it consistent.

    python tests/fuzz/fuzz.py                      all targets, 20 seconds each
    python tests/fuzz/fuzz.py --seconds 600 "weights .h5"
    python tests/fuzz/fuzz.py --inputs 300         the same inputs every time, however long they take

An input has to be read, or refused by a `UserError` of one printable line. Anything else is found: another exception, a
dead process, more than 10 seconds, more memory than its target may take, a file read or changed outside its folder, a
process, a connection, a text that is run as a program. What is found is kept in `tests/fuzz/found/TARGET/`, where a
test tries it for ever.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from targets import TARGETS
from watching import Guard, Hang, Lines, Memory, time_limit

from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.errors import UserError

FOUND = Path(__file__).parent / "found"
MEMORY = 2 << 30  # bytes beyond what the imports take
LONGEST_MESSAGE = 7000
FIRST, SOME = 50, 5  # tracing takes most of the time: of later inputs only every so-manieth is traced
LARGE = 60_000  # bytes; larger inputs, which take longer, are not edited again
SLOW, ENDLESS = "it takes too long", "it never ends"
GRACE = 90  # seconds without news after which a process is taken to hang
MOST_PROCESSES = 20  # for one target; each but the last one has died


def trouble(target, data, folder, guard, lines, memory):
    """What is wrong with the way `data` is used, in a line; None where nothing is.

    `guard` and `lines` None: what it does is not looked at, nor how long it takes. So is a good input used once before
    anything else, for the sake of what is imported and compiled late.
    """
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    target, problem = TARGETS[target], None
    traced = lines.traced() if lines else contextlib.nullcontext()
    guarded = guard.watching(folder, target.named) if guard else contextlib.nullcontext()
    limited = time_limit() if guard else contextlib.nullcontext()
    try:
        with memory.measured(), definitions_everywhere(), guarded, limited, traced:
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
    """Try inputs until the time or the number is reached; prints counts and what is found as it goes, a line each."""
    rng, lines, guard, memory = random.Random(f"{target} {seed}"), Lines(), Guard(), Memory()
    use, corpus = TARGETS[target], list(TARGETS[target].seeds())
    tried, kept, most = 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder, current = Path(place) / "work", Path(place) / "current"
        folder.mkdir()
        tempfile.tempdir = str(folder)  # what is unpacked for a moment counts as inside
        for watch in ((None, None), (guard, lines)):
            for data in corpus:
                _tell(current=str(current))
                current.write_bytes(data)
                problem = trouble(target, data, folder, *watch, memory)
                assert problem is None or watch[0] is None, f"{target}: a good input: {problem}"
        _limit_memory()
        end = time.monotonic() + seconds
        while tried < inputs and time.monotonic() < end:
            data = rng.choice(corpus[-50:] if rng.random() < 0.5 else corpus)
            data = use.mutated(data, corpus, use.words, rng)
            current.write_bytes(data)
            traced = tried < FIRST or tried % SOME == 0
            problem = trouble(target, data, folder, guard, lines if traced else None, memory)
            if traced and problem == SLOW:  # perhaps because it was traced
                problem = trouble(target, data, folder, guard, None, memory)
            tried, most = tried + 1, max(most, memory.mib)
            if problem:
                _tell(found=[problem, data.hex()])
            elif traced and lines.new:
                kept += 1
                if len(data) <= LARGE:
                    corpus.append(data)
            _tell(tried=tried, kept=kept, lines=len(lines.seen), most=most)


def _tell(**news):
    print(json.dumps(news), flush=True)


def _limit_memory():
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def in_a_process(target, seconds, inputs, seed, program=__file__):
    """`search` in a process of its own, which may die: then its last input counts as found, and a new one goes on.

    Returns a dictionary of counts and of what was found, (what is wrong, the input in hexadecimal digits) of each kind.
    """
    total, found, end = {"tried": 0, "kept": 0, "lines": 0, "most": 0}, {}, time.monotonic() + seconds
    for process in range(MOST_PROCESSES):
        left = inputs - total["tried"], max(end - time.monotonic(), 0)
        if process and not all(left):
            break
        counts, problems, dead = _search_in_a_process(target, left[1], left[0], f"{seed}{'+' * process}", program)
        total = {name: total[name] + counts.get(name, 0) for name in ("tried", "kept")} | {
            name: max(total[name], counts.get(name, 0)) for name in ("lines", "most")
        }
        for why, data in problems:
            found.setdefault(re.sub("[0-9]+", "#", why)[:60], (why, data))
        if not dead:
            break
    return {**total, "found": list(found.values())}


def _search_in_a_process(target, seconds, inputs, seed, program):
    """(counts, [(what is wrong, input)], whether the process died) of one `search`."""
    command = [sys.executable, program, "--child", target, "--seconds", seconds, "--inputs", inputs, "--seed", seed]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=errors)
        code = _ended(process, output)
        output.seek(0)
        news, counts, problems = [json.loads(line) for line in output], {}, []
        for new in news:
            problems += [new["found"]] if "found" in new else []
            counts = new if "tried" in new else counts
        if code == 0:
            return counts, problems, False
        current = Path(news[0]["current"]) if news else None
        last = current.read_bytes().hex() if current and current.exists() else ""
        if current:
            shutil.rmtree(current.parent, ignore_errors=True)
        errors.seek(0)
        why = ENDLESS if code is None else f"the process ended with {code}: {errors.read()[-300:]}"
        return {**counts, "tried": counts.get("tried", 0) + 1}, [*problems, (why, last)], True


def _ended(process, output):
    """The exit code of a process; None, after ending it, when it has written nothing for GRACE seconds."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        if (now := os.fstat(output.fileno()).st_size) > size:
            size, since = now, time.monotonic()
        elif size and time.monotonic() - since > GRACE:
            process.kill()
            process.wait()
            return None
    return process.returncode


def folder_of(target):
    """Where the cases of a target are kept."""
    return FOUND / "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in target)


def keep(target, data, where=FOUND):
    """Put what was found among the cases that the tests try, or into another folder."""
    folder = where / folder_of(target).name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:12]
    path.write_bytes(data)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, help="for each target (20, or as long as --inputs takes)")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many for each target")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--keep", type=Path, default=FOUND, metavar="FOLDER", help="for what is found")
    parser.add_argument("--child", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.seconds is None:
        options.seconds = 20 if options.inputs == 10**9 else 10**6
    if options.child:
        search(options.child, options.seconds, options.inputs, options.seed)
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
            path = keep(target, bytes.fromhex(data), options.keep)
            print(f"  {target}: {why!r}, kept as {path}", file=sys.stderr, flush=True)
    print(f"\ninputs tried {totals[0]:,}, crashes {totals[1]}, hangs {totals[2]}")
    return 1 if totals[1] + totals[2] else 0


if __name__ == "__main__":
    sys.exit(main())
