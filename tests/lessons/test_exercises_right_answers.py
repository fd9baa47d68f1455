"""Right answers pass, however they are written."""

import pytest
from right_answers import RIGHT, function_in

from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import check


@pytest.mark.parametrize("name, source", RIGHT, ids=[f"{name}-{number}" for number, (name, _) in enumerate(RIGHT)])
def test_right_answers_written_differently_pass(name, source):
    task = next(task for task in course.get(name).tasks if f"def {task.function}(" in source)
    check(task, function_in(source, task.function))


def test_every_function_has_one():
    sources = "".join(source for _, source in RIGHT)
    assert all(f"def {task.function}(" in sources for each in course.EXERCISES for task in each.tasks)
