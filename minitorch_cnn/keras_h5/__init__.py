"""Keras weight files without Keras: read, explain and write every dialect since 2015.

`load` checks a file against a model and returns its arrays, `inspect` says in words what a file holds and what of it
fits, `save` writes files that Keras reads, `fingerprint` proves that weights arrived. The model is described by
`Target` and `TargetLayer`: this package knows names, shapes and arrays, and nothing of how a layer computes.

How it is built, in the order in which a file passes through:

=====================================  ================================================================================
`container`, `zip_member`, `hdf5`      from a path to HDF5 groups and arrays, safe against files made to do harm
`dialects`, `dialect_*`                the four ways in which Keras arranged groups and names over the years
`stored`, `weight_names`               what all of them come to: layers, weights, shapes
`pairing`, `conventions`, `mapping`    which of them goes where in the model, and whether it fits
`layouts`, `reading`                   the arrays themselves, brought into our layout
`loading`, `inspection`, `saving`      what a user calls; `report` is the page that the first two give
=====================================  ================================================================================
"""

from minitorch_cnn.keras_h5.fingerprints import fingerprint
from minitorch_cnn.keras_h5.inspection import inspect
from minitorch_cnn.keras_h5.loading import Loaded, load, read
from minitorch_cnn.keras_h5.report import Report
from minitorch_cnn.keras_h5.saving import save
from minitorch_cnn.keras_h5.target import Target, TargetLayer

__all__ = ["Loaded", "Report", "Target", "TargetLayer", "fingerprint", "inspect", "load", "read", "save"]
