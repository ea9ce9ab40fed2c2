//! The wasm32 instance that runs one address space.
