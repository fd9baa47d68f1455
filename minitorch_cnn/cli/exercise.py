"""`minitorch-cnn exercise`: a course of twelve exercises, checked one by one or all at once."""

from __future__ import annotations

import argparse
import difflib

from minitorch_cnn.cli.arguments import positive
from minitorch_cnn.files.printable import counted, printable, word

COMMANDS = ("start", "all", "train", "export")


def add_exercise(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    exercise = commands.add_parser(
        "exercise",
        help="write the core of a layer yourself and see what is wrong with it",
        description="A course of twelve exercises. Without a NAME it shows your progress; `start` copies the files to"
        " fill in; the name of an exercise checks your file, and `all` checks every file; `train` trains a network that"
        " consists of your functions; `export DIR` writes a folder for a class. Exit code 1 if one is wrong.",
    )
    exercise.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="start, all, train, export, or an exercise: dense, relu, ... or 1, 2, or your file",
    )
    exercise.add_argument("folder", nargs="?", metavar="DIR", help="the folder of your files (exercises, or this one)")
    exercise.add_argument("--seconds", type=positive, metavar="S", help="seconds that your code may run (20); in a"
                          " training, a call of one function")  # fmt: skip
    exercise.add_argument(
        "--hint", action="store_true", help="a hint about what is wrong; again for more: the third is the answer"
    )
    exercise.add_argument("--solution", action="store_true", help="print the solution instead of checking your file")
    exercise.set_defaults(run=_exercise)


def _exercise(options):
    from minitorch_cnn.exercises.progress import Course, default_folder

    _take_paths_apart(options)
    _refuse_what_does_not_apply(options)
    if options.name == "export":
        return _export(options)
    mine = Course(options.folder or default_folder())
    try:
        return _run(options, mine)
    finally:
        if mine.problem:
            print(f"note   your progress is not kept: {printable(mine.problem)}")


def _run(options, mine):
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.exercises import course

    if options.name is None:
        mine.require()
        return _list_exercises(mine)
    if options.name == "start":
        copied = mine.start()
        kept = len(course.EXERCISES) - len(copied)
        stay = f", {kept} existed already and {'was' if kept == 1 else 'were'} kept" if kept else ""
        print(f"{counted(len(copied), 'exercise')} copied to {printable(mine.folder)}{stay}")
        first = printable(mine.file_of(course.EXERCISES[0]))
        print(f"open {first}, then run: minitorch-cnn exercise dense{_in_folder(mine)}")
        return 0
    if options.name == "train":
        from minitorch_cnn.cli.exercise_train import train

        mine.require()
        return train(mine, options.seconds, _check_one, _tell)
    if options.name == "all":
        mine.require()
        return _check_all(mine, options.seconds)
    near = difflib.get_close_matches(options.name, COMMANDS, 1)
    if near and not course.is_name(options.name):
        raise ArgumentError(f"exercise: expected an exercise or one of {', '.join(COMMANDS)}; did you mean {near[0]}?")
    exercise = course.get(options.name)
    if options.solution:
        print(exercise.solution.read_text(encoding="utf-8"), end="")
        return 0
    outcome = _check_one(mine, exercise, options.seconds)
    _tell(mine, exercise, outcome, options.hint)
    if outcome.milestone:
        _write_milestone(mine, exercise, outcome.milestone)
    if outcome.done:
        print(f"exercise {exercise.number} is done{_what_next(mine, exercise)}")
    return 0 if outcome.done else 1


def _tell(mine, exercise, outcome, hint):
    """Print what a check has found, and the next hint if it was asked for."""
    for words in _said(outcome):
        print(words)
    if outcome.hints:
        _tell_hint(mine, exercise, outcome, hint)


def _write_milestone(mine, exercise, milestone):
    """Write the page about what the exercise has reached; if that fails, the check counts all the same."""
    from minitorch_cnn.errors import UserError
    from minitorch_cnn.report.course_page import CoursePage, write_course_page

    path = mine.folder / "milestones" / f"{exercise.number:02}_{exercise.name}.html"
    again = [("Check the exercise again", f"minitorch-cnn exercise {exercise.name}{_in_folder(mine)}")]
    page = CoursePage(**milestone, subtitle=f"Exercise {exercise.number}: {exercise.title}", commands=again)
    try:
        print(f"page   {printable(write_course_page(page, path))}: {page.title}")
    except UserError as error:
        print(f"note   no page: {printable(error)}")


def _what_next(mine, exercise):
    """The end of the line that an exercise is done: the next exercise, or the training."""
    from minitorch_cnn.exercises.course import EXERCISES
    from minitorch_cnn.exercises.training import NEEDED

    done = {other.name for other in EXERCISES if mine.standing(other)[0] == "done"}
    if set(NEEDED) <= done and mine.certified() is None:
        return f"; your functions can now train a network: minitorch-cnn exercise train{_in_folder(mine)}"
    later = [other.name for other in EXERCISES if other.number == exercise.number + 1]
    return f"; next: minitorch-cnn exercise {later[0]}{_in_folder(mine)}" if later else ""


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


def _export(options):
    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.exercises.export import export

    if options.folder is None:
        raise ArgumentError("exercise export: expected the folder to write, got none")
    print(f"{printable(options.folder)}: {', '.join(export(options.folder))}")
    print("students/ is for the class, answer_key/ is not; python grade.py SUBMISSION prints the points as JSON")
    return 0


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
    names = [*COMMANDS, *(exercise.name for exercise in course.EXERCISES)]
    if options.name not in names and Path(options.name).is_dir():
        options.name, options.folder = None, options.name
    elif (exercise := course.of_file(options.name)) is not None:
        options.name, options.folder = exercise.name, str(Path(options.name).parent)


def _refuse_what_does_not_apply(options):
    """ArgumentError for an option that would have no effect."""
    from minitorch_cnn.errors import ArgumentError

    name = options.name or "no name"
    for option in ("hint", "solution"):
        if getattr(options, option) and (options.name is None or options.name in COMMANDS):
            raise ArgumentError(f"exercise: --{option}: expected the name of one exercise, got {name}")
    if options.seconds is not None and options.name in (None, "start", "export"):
        raise ArgumentError(f"exercise: --seconds: expected an exercise, all or train, got {name}")
    for option in ("hint", "seconds"):
        if getattr(options, option) and options.solution:
            raise ArgumentError(f"exercise: --{option}: expected it without --solution, got both")


def _check_one(mine, exercise, seconds):
    from minitorch_cnn.exercises import runner

    outcome = runner.run(exercise, mine.file_of(exercise), seconds or runner.SECONDS)
    mine.remember(exercise, outcome)
    return outcome


def _said(outcome):
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
    if (accuracy := mine.certified()) is not None:
        print(
            f"your own network reads {accuracy:.1%} of the test digits: {printable(mine.folder / 'certificate.html')}"
        )
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

    return "" if str(mine.folder) == default_folder() else f" {word(printable(mine.folder))}"
