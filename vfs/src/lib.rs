//! Paths, inodes, mounts and open files.
