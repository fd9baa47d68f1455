"""Training a model: start reading at `loop.py`; what happens to one batch is in `step.py`.

loop            epochs, batches, validation, callbacks
step            one training step; captured_step: as one CUDA graph; shared_step: on several processes;
                accumulated_step: in pieces
callbacks       early stopping, learning rates, logs and checkpoints; callback: their base class; monitor: what is best;
                plateau, model_checkpoint, tensorboard: one callback each
weights         class weights and sample weights; validation: which images are held out
checkpoint      the file; state: what is in it; facts: how it is checked when it is read
settings_record what a resumed training must have in common with the saved one; data_record: its data
learning_rates  the learning-rate finder
features        the output of a frozen base, computed once; learner: the part of the model above it
progress        the progress bar
interrupts      Ctrl-C and other signals that end a training
counting        how right answers are counted
by_name         optimizers and losses by Keras's names
label_check     checks all labels before training begins
diagnosis       finds the layer where NaN or infinity began
gpu_memory      the message when a GPU runs out of memory
"""

from minitorch_cnn.errors import TrainingError
from minitorch_cnn.training.learning_rates import LearningRates, find_learning_rate
from minitorch_cnn.training.loop import Trainer, fit

__all__ = ["LearningRates", "Trainer", "TrainingError", "find_learning_rate", "fit"]
