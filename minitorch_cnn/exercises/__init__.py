"""A course in ten exercises: write the heart of a layer, and be told what is wrong with it.

stubs/       what the learner gets: the formula, the shapes, and an empty function
solutions/   ours, to compare with afterwards
tasks/       what each function has to give, and the mistakes that people make in it
checking.py  one function against one task;  runner.py  a learner's file, in a process that may be stopped
timing.py    how long it takes beside ours;  in_the_package.py  the same work as the package does it
"""
