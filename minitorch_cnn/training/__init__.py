"""Training a model: begin with `loop.py`, what it does with a batch is in `step.py`.

loop            epochs, batches, validation, callbacks
step            one training step; captured_step: the same as one CUDA graph; parallel/step.py: on several processes
state, facts    what a checkpoint holds of a training, and how it is checked on the way back
progress        what is shown meanwhile
interrupts      Ctrl-C
label_check     labels are looked at before
diagnosis       where a number went wrong
"""

from minitorch_cnn.errors import TrainingError
from minitorch_cnn.training.loop import Trainer, fit

__all__ = ["Trainer", "TrainingError", "fit"]
