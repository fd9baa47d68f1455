"""Files: downloads, archives, atomic replacement, locks, and reading of untrusted files."""
