"""What teaches: the words for a wrong gradient, bugs planted on purpose, exercises, and one training step watched.

Nothing in the engine needs this folder. A gradient check asks it what a wrong gradient looks like; the command line
runs the exercises and the trace of a step from here.
"""
