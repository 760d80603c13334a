//! The anynode-lab program.

fn main() -> std::process::ExitCode {
    anynode_lab::run()
}
