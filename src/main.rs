//! The one binary: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    priorityd::cli::run(std::env::args_os())
}
