"""The command line, `minitorch-cnn`: one command per file.

A mistake of the user ends with one line on standard error and exit code 2, Ctrl-C with 130, a failed check with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from minitorch_cnn import parallel
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.cli.exercise import add_exercise
from minitorch_cnn.cli.explain import add_explain
from minitorch_cnn.cli.export import add_export
from minitorch_cnn.cli.gradients import add_check_gradients
from minitorch_cnn.cli.predict import add_predict
from minitorch_cnn.cli.summary import add_summary
from minitorch_cnn.cli.train import add_fine_tune, add_train
from minitorch_cnn.cli.twins import add_twins
from minitorch_cnn.cli.weights import add_weights
from minitorch_cnn.errors import TooLittleMemory, UserError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training.interrupts import ignore_interrupts

COMMANDS = (
    add_train, add_fine_tune, add_predict, add_summary, add_weights, add_check_gradients, add_explain, add_exercise,
    add_export, add_twins,
)  # fmt: skip
EXAMPLES = """examples:
  minitorch-cnn train                                   the digits that come with the package; under a minute
  minitorch-cnn train cifar10 --data ~/cifar --epochs 20
  minitorch-cnn train --resume runs/cifar10-20260101-120000
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
    options = parallel.parse_once(_parser(), arguments)
    if not getattr(options, "together", False):
        parallel.continue_alone()
    try:
        with definitions_everywhere(getattr(options, "definitions", False)):
            return options.run(options) or 0
    except UserError as error:
        return parallel.fail(f"minitorch-cnn: {printable(error)}", 2, together=getattr(error, "together", False))
    except KeyboardInterrupt as error:
        with ignore_interrupts():
            message = f"minitorch-cnn: {printable(error) or 'interrupted'}"
            return parallel.fail(message, 130, together=getattr(error, "together", False))
    except BrokenPipeError:  # `minitorch-cnn summary cifar10 | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return parallel.fail("minitorch-cnn: the output was closed", 1) if parallel.launched() > 1 else 1
    except OSError as error:  # for example an invalid file name, or a disk error
        return parallel.fail(f"minitorch-cnn: {printable(error.filename or 'error')}: {error.strerror or error}", 2)
    except MemoryError as error:
        return parallel.fail(f"minitorch-cnn: {printable(TooLittleMemory.describe(error))}", 2)
    except Exception as error:
        if parallel.launched() == 1:
            raise
        return parallel.fail(f"{traceback.format_exc()}{getattr(error, 'how_to_continue', '')}", 1)


def _parser():
    parser = argparse.ArgumentParser(
        prog="minitorch-cnn",
        description="Convolutional networks written by hand on NumPy.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser
