"""The teaching material: planted bugs, a check of freezing, a traced training step, an export to CNN Explainer.

The engine needs nothing from this folder. The command line uses it to show the planted bugs, to explain a training
step, and to export a network.
"""
