"""The command line, `minitorch-cnn`: one command per file.

A mistake of the user ends with one line on standard error and exit code 2, a failed check with 1. Ctrl-C ends with 130,
SIGTERM with 143, and a closed terminal (SIGHUP) with 129.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from minitorch_cnn import parallel
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.cli.exercise import add_exercise
from minitorch_cnn.cli.explain import add_explain
from minitorch_cnn.cli.export import add_export
from minitorch_cnn.cli.find_rate import add_find_rate
from minitorch_cnn.cli.gradients import add_check_gradients
from minitorch_cnn.cli.predict import add_predict
from minitorch_cnn.cli.summary import add_summary
from minitorch_cnn.cli.train import add_fine_tune, add_train
from minitorch_cnn.cli.twins import add_twins
from minitorch_cnn.cli.weights import add_weights
from minitorch_cnn.errors import UserError
from minitorch_cnn.files.memory import is_lack_of_memory, reserve_for_products, scarce, too_little_memory
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training.interrupts import Interrupted, ignore_interrupts, ignore_interrupts_from_now_on

COMMANDS = (
    add_train, add_fine_tune, add_find_rate, add_predict, add_summary, add_weights, add_check_gradients, add_explain,
    add_exercise, add_export, add_twins,
)  # fmt: skip
EXAMPLES = """examples:
  minitorch-cnn train                                   the digits that come with the package; under a minute
  minitorch-cnn train cifar10 --data ~/cifar --epochs 20
  minitorch-cnn train photos                            your own classes: a folder of images for each
  minitorch-cnn train --resume runs/cifar10-20260101-120000
  minitorch-cnn lr-find photos --page rates.html
  minitorch-cnn predict runs/digits-20260101-120000 seven.png
  minitorch-cnn summary cifar10 --batch-size 128
  minitorch-cnn weights fetch vgg16 --no-top --out weights
  minitorch-cnn weights inspect weights/vgg16_weights.h5 --model vgg16-no-top
  minitorch-cnn check-gradients --page gradients.html
  minitorch-cnn explain vgg16 photo.jpg --weights weights/vgg16_weights.h5 --page step.html
  minitorch-cnn exercise start
  minitorch-cnn export tiny-vgg --weights tiny.weights.h5 --cnn-explainer data
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with `arguments` (left out: the program's own); returns the exit code."""
    _open_closed_streams()
    try:
        try:
            return _run(arguments)
        except KeyboardInterrupt as error:
            return _ended(error, arguments is None)
    except KeyboardInterrupt as error:  # another signal, just before they were ignored
        return _ended(error, arguments is None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            if not _flushed(stream):  # Python would try again at its end, complain, and end with another exit code
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _ended(error, for_good):
    """Say what ended the program, and return its exit code; the signals stay ignored if it ends `for_good`."""
    if for_good:
        ignore_interrupts_from_now_on()
    with ignore_interrupts():
        before = error.__context__
        while before is not None and not isinstance(before, Interrupted):
            before = before.__context__
        error = before or error  # the training had ended already when another signal came
        message = f"minitorch-cnn: {printable(error) or 'interrupted'}"
        return parallel.fail(message, 128 + getattr(error, "number", signal.SIGINT), getattr(error, "together", False))


def _run(arguments):
    options = parallel.parse_once(_parser(), arguments)
    if not getattr(options, "together", False):
        parallel.continue_alone()
    try:
        if little := scarce():
            reserve_for_products()
        with definitions_everywhere(getattr(options, "definitions", False) or little):
            code = options.run(options) or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        return parallel.fail(f"minitorch-cnn: {printable(error)}", 2, together=getattr(error, "together", False))
    except BrokenPipeError:  # `minitorch-cnn summary cifar10 | head`
        return parallel.fail("minitorch-cnn: the output was closed", 1) if parallel.launched() > 1 else 1
    except Exception as error:
        if is_lack_of_memory(error):
            return parallel.fail(f"minitorch-cnn: {printable(too_little_memory(error))}", 2)
        if isinstance(error, OSError):  # for example an invalid file name, or a disk error
            what = printable(error.filename or ("error" if _flushed(sys.stdout) else "output"))
            return parallel.fail(f"minitorch-cnn: {what}: {error.strerror or error}", 2)
        if parallel.launched() == 1:
            raise
        return parallel.fail(f"{traceback.format_exc()}{getattr(error, 'how_to_continue', '')}", 1)


def _open_closed_streams():
    """Open the standard streams that were closed (`2>&-`), or a checkpoint would be opened as the error output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            if handle == number:
                os.set_inheritable(handle, True)
            else:
                os.close(handle)
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115  (until the program ends)


def _flushed(stream):
    """Whether all that was printed to `stream` could be written."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


class Parser(argparse.ArgumentParser):
    """A parser whose errors never write an argument to the terminal as it was typed.

    It replaces a `~` at the beginning of any argument by the home folder, which a shell does not do in `--out=~/run`.
    """

    def parse_args(self, *arguments: Any, **settings: Any) -> Any:  # type: ignore[override]
        options = super().parse_args(*arguments, **settings)
        for name, value in vars(options).items():
            if value == "" or (isinstance(value, list) and "" in value):  # pathlib would read it as this folder
                self.error(f"argument {name.replace('_', '-')}: expected a name, got an empty one")
            setattr(options, name, _at_home(value))
        return options

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _at_home(value):
    if isinstance(value, list):
        return [_at_home(each) for each in value]
    return os.path.expanduser(value) if isinstance(value, str) else value


def _parser():
    parser = Parser(
        prog="minitorch-cnn",
        description="Convolutional networks written by hand on NumPy.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser
