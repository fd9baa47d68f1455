"""A course of twelve exercises: the learner writes the core of a layer, and the checker says what is wrong with it.

stubs/       what the learner starts from: the formula, the shapes, and an empty function
solutions/   the reference solutions, to compare with afterwards
tasks/       what each function must return, and the mistakes that people often make
checking.py  checks one function against one task;  runner.py  checks a whole file in a separate process
smallest.py  finds the smallest case in which a function is wrong, to be done by hand
training.py  trains a network of the learner's functions;  milestones.py  shows what each exercise has reached
export.py    writes a folder for a class;  grading.py  prints the points of a submission as JSON
timing.py    compares the learner's time with ours;  in_the_package.py  the same computation done by the package
"""
