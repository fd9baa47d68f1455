"""Edits by meaning of what lies beside a model in a run folder: the facts and arrays of a checkpoint, and settings."""

import json

import semantic
from model_mutations import ARRAY_EDITS, opened, packed
from mutations import LONGEST

FACTS = (
    "epoch", "batch", "totals", "rate", "history", "steps", "draws", "seed", "images", "batch_size", "callbacks",
    "stopped", "optimizer", "loss", "correct", "seconds", "settings", "data", "kind", "SGD", "Adam", "EarlyStopping",
    "val_loss", "model", "velocity", "best", "wait", "0", "1", "kernel",
)  # fmt: skip
SETTINGS = (
    "digits", "cifar10", "cats-vs-dogs", "numpy", "cupy", "photos", "weights.h5", "dataset", "data", "epochs",
    "batch_size", "learning_rate", "seed", "backend", "weights", "size", "top_epochs", "all_epochs", "top_rate",
    "all_rate", "beside", ".", "/", "/dev/zero", "settings", "model", "augment", "workers",
    "base", "preprocessing", "resnet50", "net.keras", "unit",
    "unfreeze", "all", "copies", "mirrored",
)  # fmt: skip


def mutated_checkpoint(data, others, words, rng):
    """A checkpoint after up to three edits of its facts or its arrays."""
    arrays, facts = opened(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.8 and isinstance(facts, dict):
            facts = semantic.edited(facts, FACTS, rng)
        else:
            _, arrays = rng.choice(ARRAY_EDITS)(None, arrays, rng)
    found = packed(arrays, facts)
    return found if len(found) <= LONGEST else data


def mutated_json(data, others, words, rng):
    """A JSON text after up to three edits."""
    tree = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        tree = semantic.edited(tree, SETTINGS, rng)
    found = json.dumps(tree).encode()
    return found if len(found) <= LONGEST else data
