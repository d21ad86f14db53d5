//! Links libtorch so that the binary runs without `LD_LIBRARY_PATH`.

/// Minor versions of Python 3 that the libtorch bound here is published for.
const PYTHONS: std::ops::RangeInclusive<u32> = 10..=14;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_ENGINE").is_none() {
        return;
    }
    // torch-sys publishes where it found libtorch's shared objects.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
    // Installed by pip, the binary stands in `bin` beside the `lib` that torch is in.
    for minor in PYTHONS {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/python3.{minor}/site-packages/torch/lib");
    }
    // Without this the linker drops libtorch.so, whose load registers the operators.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
    println!("cargo:rustc-link-arg=-ltorch");
}
