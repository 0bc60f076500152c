//! The binary: hands the command line to the library.

/// Judging makes and drops trees of many small nodes: a third of its time is the allocator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rowgate::cli::main()
}
