"""A reader of HDF5 files in plain Python, for files that a stranger made.

Weight files are downloaded and passed on, so they have to be read with suspicion. The HDF5 library is written in C:
nine edited bytes are enough to make it call itself until the process dies, and no `except` catches that. This reader is
small because weight files use little of the format, and it keeps three rules:

* no byte outside the file is asked for, and the bytes and reads that structure may cost are counted (`window`);
* trees are walked downwards only and never twice over the same node (`btree_v1`, `dense_storage`);
* nothing leads out of the file: external links, external storage and virtual datasets are refused, never followed.

What a file looks like, from the outside in, with the module that reads each part:

=================  ====================================================================================================
superblock         first bytes: signature, version, where the root group is, how long the file should be
object header      a list of messages that describe one object: its links, or its shape, number type and place
symbol table       the older way to store a group's links: a B-tree of nodes, names in a heap beside it
dense storage      the newer way for many links or attributes: a fractal heap, indexed by a second kind of B-tree
attributes         small named values on an object; their texts of variable length lie in a global heap
datasets           the numbers: their shape and type; `storage` knows where the bytes are, `chunks` undoes compression
=================  ====================================================================================================

Read: superblocks 0 to 3, both kinds of groups, IEEE floats of 2, 4 and 8 bytes in either byte order, bfloat16, chunks
with gzip, shuffle and Fletcher checksums. The rest of the format is refused by name. Source: "HDF5 File Format
Specification" version 3.0, The HDF Group.
"""

from minitorch_cnn.keras_h5.hdf5.file import DatasetNode, File, Group, open_hdf5
from minitorch_cnn.keras_h5.hdf5.window import Window

__all__ = ["DatasetNode", "File", "Group", "Window", "open_hdf5"]
