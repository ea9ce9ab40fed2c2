//! Tasks, memory maps, descriptors and signals as in Linux.
