"""`minitorch-cnn exercise train`: a network that consists of the learner's own functions, and its certificate."""

from typing import Any

from minitorch_cnn.files.printable import printable, word

MAPS = ("the digit", "after the first convolution", "after the second")


def train(mine: Any, seconds: float | None, check: Any, tell: Any) -> int:
    """Check the functions that training needs, train with them and write the certificate; returns the exit code.

    `check` (course, exercise, seconds) and `tell` (course, exercise, outcome, hint) are those of the exercises. Nothing
    is trained while a function is wrong. `seconds` are those of a check, and of a call of a function in the training.
    """
    from minitorch_cnn.exercises import course, runner
    from minitorch_cnn.exercises.training import NEEDED, PASSED

    for exercise in map(course.get, NEEDED):
        if not mine.file_of(exercise).is_file() or mine.standing(exercise)[0] != "done":
            outcome = check(mine, exercise, seconds)
            if not outcome.done:
                tell(mine, exercise, outcome, True)
                print(f"refused: a network with this function would not learn; exercise {exercise.name} comes first")
                return 1
    print(f"your functions of {len(NEEDED)} exercises are right; now they train a network on handwritten digits")
    epochs: list[dict[str, Any]] = []
    end: dict[str, Any] = {}
    for fact in runner.train(mine.folder, seconds or runner.SECONDS):
        if "expected" in fact:
            print(f"this takes about {_in_words(fact['expected'])}", flush=True)
        elif "epoch" in fact:
            epochs.append(fact)
            print(f"epoch {fact['epoch']}: loss {fact['loss']:.4f}, {fact['accuracy']:.1%} of the test digits, "
                  f"{_in_words(fact['seconds'])}", flush=True)  # fmt: skip
        elif "done" in fact or "wrong" in fact:
            end = fact
    if "wrong" in end:
        print("wrong  " + "\n       ".join(end["wrong"]))
        return 1
    accuracy = end["right"] / end["images"]
    mine.certify(accuracy)
    print(f"your network reads {end['right']} of {end['images']} test digits: {accuracy:.1%}")
    if accuracy < PASSED:
        print(f"that is less than {PASSED:.0%}, so there is no certificate")
        return 1
    _certificate(mine, epochs, end)
    return 0


def _certificate(mine, epochs, end):
    from minitorch_cnn.errors import UserError
    from minitorch_cnn.exercises.training import NEEDED
    from minitorch_cnn.report.course_page import CoursePage, write_course_page

    page = CoursePage(
        "A network that you wrote yourself",
        f"It consists of your own {len(NEEDED)} exercises: two convolutions, each with a ReLU and a max pool, and a"
        " dense layer, trained with your backward passes, your loss and your update. Below is what it sees in a digit.",
        subtitle="The certificate of the exercises",
        facts=[
            ("of the test digits", f"{end['right'] / end['images']:.1%}"),
            ("right", f"{end['right']} of {end['images']}"),
            ("epochs", str(len(epochs))),
            ("time", _in_words(sum(epoch["seconds"] for epoch in epochs))),
        ],
        maps=dict(zip(MAPS, end["maps"].values())),
        curves={"loss": [epoch["loss"] for epoch in epochs], "accuracy": [epoch["accuracy"] for epoch in epochs]},
        axis="Loss and accuracy",
        commands=[("Train again", f"minitorch-cnn exercise train {word(printable(mine.folder))}")],
    )
    try:
        print(f"certificate: {printable(write_course_page(page, mine.folder / 'certificate.html'))}")
    except UserError as error:
        print(f"note   no page: {printable(error)}")


def _in_words(seconds):
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
