//! Tells the linker how the instance's memory is laid out. A build script is the only place that can do so for one
//! crate.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        for argument in [
            // The glue makes the memory: 256 MiB for the instance's own data, at most 4 GiB with the guest's window.
            "--import-memory",
            "--initial-memory=268435456",
            "--max-memory=4294967296",
            // Compiled code puts itself into the table.
            "--export-table",
            "--growable-table",
            // The glue asserts that no frame is live when it copies the memory.
            "--export=__stack_pointer",
            // Names stay, line tables go.
            "--strip-debug",
        ] {
            println!("cargo::rustc-cdylib-link-arg={argument}");
        }
    }
}
