//! The `anynode` program.
fn main() -> std::process::ExitCode {
    anynode_cli::run(std::env::args_os())
}
