"""The commands that teach: `check-gradients`, `exercise`, `explain`. `cli.py` puts them beside the others."""


def add_check_gradients(commands, positive_integer, named_model):
    """`minitorch-cnn check-gradients`."""
    check = commands.add_parser(
        "check-gradients",
        help="compare every backward pass with the definition of the derivative",
        description="Compare backward passes with central differences in float64; exit code 1 where one disagrees."
        " Of each array it prints the number that agrees least, and the error over the step h in float32 and float64.",
    )
    check.add_argument("model", nargs="?", metavar="MODEL", help="as for summary; left out: every kind of layer")
    check.add_argument("--most", type=positive_integer, default=20, metavar="N", help="numbers of each array (20)")
    check.add_argument("--brief", action="store_true", help="without the errors over the step")
    check.add_argument("--random", type=positive_integer, metavar="N", help="N layers on random shapes instead")
    check.add_argument("--planted", action="store_true", help="bugs put in on purpose: each has to be found")
    check.add_argument("--page", metavar="FILE", help="write the charts and the gallery of bugs as a page")
    check.set_defaults(run=lambda options: _check_gradients(options, named_model))


def _check_gradients(options, named_model):
    from minitorch_cnn.errors import ArgumentError

    if sum([options.model is not None, options.random is not None, options.planted]) > 1:
        raise ArgumentError("check-gradients: expected one of MODEL, --random and --planted, got more")
    reports = [] if options.planted else _reports(options, named_model)
    bugs = _planted(options) if options.planted or options.page else []
    wrong = [report.subject for report in reports if not report.passed]
    missed = [title for title, *_, report in bugs if report.passed]
    if reports:
        end = f"; wrong: {', '.join(wrong)}" if wrong else ""
        print(f"{len(reports) - len(wrong)} of {len(reports)} agree{end}")
    if bugs:
        end = f"; missed: {', '.join(missed)}" if missed else ""
        print(f"{len(bugs) - len(missed)} of {len(bugs)} planted bugs found{end}")
    if options.page:
        from minitorch_cnn.report import GradientChecks, write_gradients_page

        again = [("The same again", _again(options))]
        subtitle = "Backward passes beside the definition of the derivative"
        checks = GradientChecks("Are the gradients right?", subtitle, reports, bugs, again)
        print(f"page: {write_gradients_page(checks, options.page)}")
    return 1 if wrong or missed else 0


def _reports(options, named_model):
    from minitorch_cnn.gradient_check import gradient_check
    from minitorch_cnn.gradient_gallery import every_layer, random_layer

    settings = {"most": options.most, "curves": not options.brief}
    reports = []
    if options.model is not None:
        reports.append(gradient_check(named_model(options.model), **settings))
        print(reports[-1], flush=True)
        return reports
    cases = every_layer() if options.random is None else map(random_layer, range(options.random))
    for layer, x, training in cases:
        reports.append(gradient_check(layer, x, training=training, **settings))
        if options.random is None or not reports[-1].passed:
            print(reports[-1], flush=True)
    return reports


def _planted(options):
    """[(title, symptom, source, report)] of the gallery; each is printed unless a page is what was asked for."""
    import numpy as np

    from minitorch_cnn.backend import definitions_only
    from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS

    found = []
    with definitions_only():
        for bug in PLANTED_BUGS:
            report = bug.found(np.random.default_rng(0))
            found.append((bug.title, bug.symptom, bug.source, report))
            if options.planted:
                print("MISSED" if report.passed else "found", f"{bug.title}\n  {bug.symptom}\n{report}\n", flush=True)
    return found


def _again(options):
    parts = ["minitorch-cnn check-gradients", options.model, options.planted and "--planted"]
    parts += [f"--random {options.random}" if options.random else None, f"--most {options.most}"]
    return " ".join(part for part in [*parts, f"--page {options.page}"] if part)


def add_exercise(commands, positive):
    """`minitorch-cnn exercise`."""
    exercise = commands.add_parser(
        "exercise",
        help="write the heart of a layer and be told what is wrong with it",
        description="A course of ten exercises. Without a NAME it says how far you are; `start` copies the stubs; the"
        " name of an exercise checks your file, `all` checks every one. Exit code 1 where one is not right.",
    )
    exercise.add_argument(
        "name", nargs="?", metavar="NAME", help="start, all, or an exercise: dense, relu, ... or 1, 2"
    )
    exercise.add_argument("folder", nargs="?", metavar="DIR", help="where your files are (exercises)")
    exercise.add_argument("--seconds", type=positive, metavar="S", help="how long your code may run (20)")
    exercise.add_argument("--solution", action="store_true", help="print ours instead of checking yours")
    exercise.set_defaults(run=_exercise)


def _exercise(options):
    from pathlib import Path

    from minitorch_cnn.errors import ArgumentError
    from minitorch_cnn.exercises import course
    from minitorch_cnn.exercises.progress import FOLDER, Course

    names = [exercise.name for exercise in course.EXERCISES]
    if (
        options.name is not None
        and options.folder is None
        and options.name not in names
        and Path(options.name).is_dir()
    ):
        options.name, options.folder = None, options.name  # `minitorch-cnn exercise DIR`
    mine = Course(options.folder or FOLDER)
    if options.name is None:
        mine.require()
        return _list_exercises(mine)
    if options.name == "start":
        copied = mine.start()
        kept = len(course.EXERCISES) - len(copied)
        print(f"{len(copied)} exercises put into {mine.folder}" + (f", {kept} were there and stay" if kept else ""))
        print(f"open {mine.file_of(course.EXERCISES[0])}, then: minitorch-cnn exercise dense{_in_folder(mine)}")
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
    for words in _said(exercise, outcome):
        print(words)
    return 0 if outcome.done else 1


def _check_one(mine, exercise, seconds):
    from minitorch_cnn.exercises import runner

    outcome = runner.run(exercise, mine.file_of(exercise), seconds or runner.SECONDS)
    mine.remember(exercise, outcome)
    return outcome


def _said(exercise, outcome):
    """What a check tells the learner, line by line."""
    for function in outcome.right:
        yield f"right  {function}"
    for index, words in enumerate(outcome.lines):
        if outcome.state in ("not begun", "begun"):
            yield f"open   {words}"
        elif outcome.done:
            yield f"note   {words}"
        else:
            yield f"wrong  {words}" if index == 0 else f"       {words}"
    for function, yours, ours in outcome.times:
        ratio = yours / max(ours, 1e-9)
        words = f"takes {ratio:.1f} times ours" if ratio > 1.15 else f"{1 / ratio:.1f} times as fast as ours"
        words = "as fast as ours" if 0.87 < ratio < 1.15 else words
        yield f"time   {function}: yours {1000 * yours:.3g} ms, ours {1000 * ours:.3g} ms: {words}"
    if outcome.done:
        from minitorch_cnn.exercises.course import EXERCISES

        later = [other.name for other in EXERCISES if other.number == exercise.number + 1]
        yield f"exercise {exercise.number} is done" + (f"; next: minitorch-cnn exercise {later[0]}" if later else "")


def _list_exercises(mine):
    from minitorch_cnn.exercises.course import EXERCISES

    standings = [(exercise, *mine.standing(exercise)) for exercise in EXERCISES]
    for exercise, state, says in standings:
        print(f"{exercise.number:2} {exercise.name:9} {state:10} {exercise.title}")
        if says and state != "done":
            print(f"{'':13}{says}")
    done = sum(state == "done" for _, state, _ in standings)
    print(f"{done} of {len(EXERCISES)} done in {mine.folder}")
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
    from minitorch_cnn.exercises.progress import FOLDER

    return "" if str(mine.folder) == FOLDER else f" {mine.folder}"


def add_explain(commands, positive):
    """`minitorch-cnn explain`."""
    explain = commands.add_parser(
        "explain",
        help="watch one training step, layer by layer",
        description="Trace one forward and backward pass and one update: shapes, multiplications, bytes, time, what the"
        " activations and gradients look like, which ReLUs are off, and how far each layer moves.",
    )
    explain.add_argument("model", nargs="?", default="digits", metavar="MODEL",
                         help="digits (left out), a network as for summary, or a run folder")  # fmt: skip
    explain.add_argument("images", nargs="*", metavar="IMAGE", help="image files; left out: digits of the package")
    explain.add_argument("--weights", metavar="FILE", help="a Keras weight file for the network")
    explain.add_argument("--label", metavar="CLASS", help="what the images show; left out: what the network answers")
    explain.add_argument("--rate", type=positive, metavar="RATE", help="the learning rate of the step")
    explain.add_argument("--page", metavar="FILE", help="write it as a page too, with feature maps")
    explain.set_defaults(run=_explain)


def _explain(options):
    from minitorch_cnn.lessons.explain import explain, label_words
    from minitorch_cnn.lessons.trace_text import trace_text

    subject, step = explain(options.model, options.images, options.weights, options.label, options.rate)
    print(trace_text(step))
    for words in subject.notes:
        print(f"* {words}")
    if options.page:
        from minitorch_cnn.report import StepPage, write_step_page

        page = StepPage(
            f"One step of {subject.title}", step, step.optimizer, subject.images, label_words(subject),
            subject.class_names, [("The same again", _explained_by(options))], subject.notes,
        )  # fmt: skip
        print(f"page: {write_step_page(page, options.page)}")
    return 0


def _explained_by(options):
    import shlex

    words = ["minitorch-cnn", "explain", options.model, *options.images]
    for name in ("weights", "label", "rate", "page"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    return shlex.join(words)
