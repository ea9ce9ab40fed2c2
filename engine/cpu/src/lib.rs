//! One address space: memory, translation, code cache, run loop.
