"""No wrong answer passes: each of the table is refused, and not because of a slip in the table."""

import pytest
import right_answers
import wrong_answers

from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import NotBegun, Wrong, check

CHANGES = [
    (name, course.get(name).solution.read_text(encoding="utf-8"), old, new)
    for name, changes in wrong_answers.OF_THE_SOLUTIONS.items()
    for old, news in changes.items()
    for new in news
] + wrong_answers.OF_OTHERS
SLIPS = ("NameError", "SyntaxError", "ImportError")


def complaint(name, source):
    """What the check says about a file; None if all functions in it are right."""
    for task in course.get(name).tasks:
        if f"def {task.function}(" in source:
            try:
                check(task, right_answers.function_in(source, task.function))
            except (Wrong, NotBegun) as wrong:
                return str(wrong)
    return None


@pytest.mark.parametrize(
    "name, source, old, new", CHANGES, ids=[f"{name}: {new or old}" for name, _, old, new in CHANGES]
)
def test_a_wrong_answer_is_refused(name, source, old, new):
    said = complaint(name, right_answers.changed(source, old, new))
    assert said is not None, "passes"
    assert "\n" not in said and not any(slip in said for slip in SLIPS), said


def test_every_exercise_has_many():
    assert wrong_answers.OF_THE_SOLUTIONS.keys() == {each.name for each in course.EXERCISES}
    assert all(sum(name == each.name for name, *_ in CHANGES) >= 20 for each in course.EXERCISES)
