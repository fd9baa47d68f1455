"""A reader for untrusted HDF5 files in plain Python.

Weight files are downloaded and shared, so they cannot be trusted. The HDF5 library is written in C: changing nine bytes
of a file is enough to send it into endless recursion until the process dies, and no `except` can catch that. This
reader is small because weight files use little of the format, and it follows three rules:

* it never reads outside the file, and it limits how many bytes and reads the file's structure may cost (`window`);
* it walks trees only downwards and never visits a node twice (`btree_v1`, `dense_storage`);
* it never opens another file: external links, external storage and virtual datasets are rejected.

The parts of a file, from the outside in, each with the module that reads it:

=================  ====================================================================================================
superblock         the first bytes: signature, version, where the root group is, how long the file should be
object header      a list of messages that describe one object: its links, or its shape, number type and location
symbol table       the older way to store a group's links: a B-tree of nodes, with the names in a separate heap
dense storage      the newer way to store many links or attributes: a fractal heap, indexed by another kind of B-tree
attributes         small named values on an object; strings of variable length are stored in a global heap
datasets           the arrays: shape and number type; `storage` locates the bytes, `chunks` undoes compression
=================  ====================================================================================================

Supported: superblocks 0 to 3, both kinds of groups, IEEE floats of 2, 4 and 8 bytes in either byte order, bfloat16, and
chunks with gzip, shuffle and Fletcher checksums. Anything else is rejected with an error that names it. Source: "HDF5
File Format Specification" version 3.0, The HDF Group.
"""

from minitorch_cnn.keras_h5.hdf5.file import DatasetNode, File, Group, open_hdf5
from minitorch_cnn.keras_h5.hdf5.window import Window

__all__ = ["DatasetNode", "File", "Group", "Window", "open_hdf5"]
