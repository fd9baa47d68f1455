"""`minitorch-cnn exercise`: a course of twelve exercises, checked one by one or all at once."""

from __future__ import annotations

import argparse

from minitorch_cnn.cli.arguments import positive
from minitorch_cnn.files.printable import printable


def add_exercise(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    exercise = commands.add_parser(
        "exercise",
        help="write the core of a layer yourself and see what is wrong with it",
        description="A course of twelve exercises. Without a NAME it shows your progress; `start` copies the files to"
        " fill in; the name of an exercise checks your file, and `all` checks every file. Exit code 1 if one is wrong.",
    )
    exercise.add_argument(
        "name", nargs="?", metavar="NAME", help="start, all, or an exercise: dense, relu, ... or 1, 2, or your file"
    )
    exercise.add_argument("folder", nargs="?", metavar="DIR", help="the folder of your files (exercises, or this one)")
    exercise.add_argument("--seconds", type=positive, metavar="S", help="seconds that your code may run (20)")
    exercise.add_argument(
        "--hint", action="store_true", help="a hint about what is wrong; again for more: the third is the answer"
    )
    exercise.add_argument("--solution", action="store_true", help="print the solution instead of checking your file")
    exercise.set_defaults(run=_exercise)


def _exercise(options):
    from pathlib import Path

    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.exercises import course
    from minitorch_cnn.exercises.progress import Course, default_folder

    _take_paths_apart(options)
    mine = Course(options.folder or default_folder())
    if options.name is None:
        mine.require()
        return _list_exercises(mine)
    if options.name == "start":
        copied = mine.start()
        kept = len(course.EXERCISES) - len(copied)
        stay = f", {kept} existed already and were kept" if kept else ""
        print(f"{len(copied)} exercises copied to {printable(mine.folder)}{stay}")
        first = printable(mine.file_of(course.EXERCISES[0]))
        print(f"open {first}, then run: minitorch-cnn exercise dense{_in_folder(mine)}")
        return 0
    if options.name == "all" and not options.solution:
        mine.require()
        return _check_all(mine, options.seconds)
    if options.name == "all":
        raise ArgumentError("exercise: --solution: expected the name of one exercise, got all")
    exercise = course.get(options.name)
    if options.solution:
        print(Path(exercise.solution).read_text(encoding="utf-8"), end="")
        return 0
    outcome = _check_one(mine, exercise, options.seconds)
    for words in _said(exercise, outcome, mine):
        print(words)
    if outcome.hints:
        _tell_hint(mine, exercise, outcome, options.hint)
    return 0 if outcome.done else 1


def _tell_hint(mine, exercise, outcome, asked):
    """The next hint if it was asked for, and how to get one."""
    command = f"minitorch-cnn exercise {exercise.name}{_in_folder(mine)}"
    if not asked:
        print(f"       for a hint: {command} --hint")
        return
    number, words = mine.next_hint(exercise, outcome)
    of = len(outcome.hints)
    print(f"       hint {number} of {of}: {words}")
    if number < of:
        print("       the same command again gives the next hint")
    elif outcome.state == "wrong":
        print(f"       that was the last one; the whole solution: {command} --solution")


def _take_paths_apart(options):
    """Accept `minitorch-cnn exercise DIR`, `minitorch-cnn exercise DIR/06_conv2d.py`, and names of two words."""
    from pathlib import Path

    from minitorch_cnn.exercises import course

    if options.name is None:
        return
    if options.folder is not None:
        if not Path(options.folder).is_dir() and course.is_name(f"{options.name} {options.folder}"):
            options.name, options.folder = f"{options.name} {options.folder}", None
        return
    names = [exercise.name for exercise in course.EXERCISES]
    if options.name not in names and Path(options.name).is_dir():
        options.name, options.folder = None, options.name
    elif (exercise := course.of_file(options.name)) is not None:
        options.name, options.folder = exercise.name, str(Path(options.name).parent)


def _check_one(mine, exercise, seconds):
    from minitorch_cnn.exercises import runner

    outcome = runner.run(exercise, mine.file_of(exercise), seconds or runner.SECONDS)
    mine.remember(exercise, outcome)
    return outcome


def _said(exercise, outcome, mine):
    """The lines that a check prints."""
    for function in outcome.right:
        yield f"right  {function}"
    for index, words in enumerate(outcome.lines):
        if outcome.state in ("not begun", "begun"):
            yield f"open   {words}"
        elif outcome.done:
            yield f"note   {words}"
        else:
            yield f"wrong  {words}" if index == 0 else f"       {words}"
    for words in outcome.case:
        yield f"       {words}"
    for time in outcome.times:
        yield f"time   {time}"
    if outcome.done:
        from minitorch_cnn.exercises.course import EXERCISES

        later = [other.name for other in EXERCISES if other.number == exercise.number + 1]
        following = f"; next: minitorch-cnn exercise {later[0]}{_in_folder(mine)}" if later else ""
        yield f"exercise {exercise.number} is done{following}"


def _list_exercises(mine):
    from minitorch_cnn.exercises.course import EXERCISES

    standings = [(exercise, *mine.standing(exercise)) for exercise in EXERCISES]
    for exercise, state, says in standings:
        effort = f"{exercise.minutes} min, {exercise.difficulty}"
        print(f"{exercise.number:2} {exercise.name:10} {state:10} {effort:15} {exercise.title}")
        if says and state != "done":
            print(f"{'':13}{says}")
    done = sum(state == "done" for _, state, _ in standings)
    print(f"{done} of {len(EXERCISES)} done in {printable(mine.folder)}")
    following = next((exercise.name for exercise, state, _ in standings if state != "done"), None)
    if following:
        print(f"next: minitorch-cnn exercise {following}{_in_folder(mine)}")
    return 0


def _check_all(mine, seconds):
    from minitorch_cnn.exercises.course import EXERCISES

    done = 0
    for exercise in EXERCISES:
        if not mine.file_of(exercise).is_file():
            print(f"{exercise.number:2} {exercise.name:9} not there")
            continue
        outcome = _check_one(mine, exercise, seconds)
        done += outcome.done
        print(f"{exercise.number:2} {exercise.name:9} {outcome.state}", flush=True)
        for words in outcome.lines:
            print(f"{'':13}{words}")
    print(f"{done} of {len(EXERCISES)} right")
    return 0 if done == len(EXERCISES) else 1


def _in_folder(mine):
    from minitorch_cnn.exercises.progress import default_folder

    return "" if str(mine.folder) == default_folder() else f" {printable(mine.folder)}"
