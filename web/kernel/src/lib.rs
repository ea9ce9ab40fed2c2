//! The wasm32 instance that holds the kernel.
