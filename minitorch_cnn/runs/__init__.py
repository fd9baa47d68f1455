"""Runs of the command line: each has a folder, in which one training at a time works.

folder          the files of a run, by name
train           `minitorch-cnn train`, from the data to the report
fine_tune       `minitorch-cnn fine-tune`, the lecture's recipe in two phases
find_rate       `minitorch-cnn lr-find`, the learning-rate finder on what the two would train
networks        the networks that have a name on the command line
explain         `minitorch-cnn explain`, one training step on images of the user's choice
own_folder      what a folder of your own images holds, and which settings suit it
keeping         which epoch is kept, the weights of classes, the table of predictions
predictions     `minitorch-cnn predict`, on many files of which some may be bad
continuing      what is said when a training ends early: what was kept, and how to continue
"""

from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.train import Settings, resume, settings_for, settings_for_folder, start

__all__ = ["RunFolder", "Settings", "resume", "settings_for", "settings_for_folder", "start"]
