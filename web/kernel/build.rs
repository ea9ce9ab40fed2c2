//! Tells the linker to leave line tables out. A build script is the only place that can do so for one crate.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo::rustc-cdylib-link-arg=--strip-debug");
    }
}
