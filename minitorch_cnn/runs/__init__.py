"""Runs of the command line: a folder for each, one training at a time in it, and what is said when it ends too early.

folder          the files of a run, by name
train           `minitorch-cnn train`, from the data to the report
fine_tune       `minitorch-cnn fine-tune`, the lecture's recipe in two phases
lock            one training at a time
stored_model    a model out of a file that may come from anywhere
going_on        what was kept, and how to go on
"""

from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.train import Settings, resume, start

__all__ = ["RunFolder", "Settings", "resume", "start"]
