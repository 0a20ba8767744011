//! The `underpass` command.
use std::process::ExitCode;

fn main() -> ExitCode {
    underpass_linux::cli::run(std::env::args_os())
}
