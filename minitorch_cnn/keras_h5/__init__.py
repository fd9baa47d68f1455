"""Keras weight files without Keras: reads, explains and writes every format (dialect) since 2015.

`load` checks a file against a model and returns its arrays, `inspect` reports what a file contains and how much of it
fits, `save` writes files that Keras can read, and `fingerprint` shows whether a layer's weights have changed. `Target`
and `TargetLayer` describe the model: this package knows names, shapes and arrays, but not how a layer computes.

The modules, in the order in which a file passes through them:

=====================================  ================================================================================
`container`, `zip_member`, `hdf5`      from a path to HDF5 groups and arrays, safe against malicious files
`dialects`, `dialect_*`                the ways in which Keras has arranged groups and names over the years
`windows_names`                        files written on Windows, whose names hold backslashes
`model_config`, `architecture`         the description of the network in a whole-model file, as data
`calls`, `call_numbers`                which values each of its layers reads
`differences`                          where the model computes something else than the one described
`stored`, `weight_names`               the common form of all dialects: layers, weights, shapes
`given_numbers`                        weights that stand among the settings of the description
`pairing`, `conventions`, `mapping`    which weight goes where in the model, and whether it fits
`layouts`, `reading`                   the arrays themselves, converted to our layout
`loading`, `inspection`, `saving`      the functions that users call; the first two return a `report`
=====================================  ================================================================================
"""

from minitorch_cnn.keras_h5.fingerprints import fingerprint
from minitorch_cnn.keras_h5.inspection import inspect
from minitorch_cnn.keras_h5.loading import Loaded, load, read
from minitorch_cnn.keras_h5.report import Report
from minitorch_cnn.keras_h5.saving import save, save_model
from minitorch_cnn.keras_h5.target import Target, TargetLayer

__all__ = ["Loaded", "Report", "Target", "TargetLayer", "fingerprint", "inspect", "load", "read", "save", "save_model"]
