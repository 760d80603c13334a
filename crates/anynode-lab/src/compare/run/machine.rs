//! What the machine says of itself.

use std::fs;
use std::thread::available_parallelism;

use crate::compare::report::Machine;

/// The machine that this program runs on; what it does not tell is named `unknown`.
pub(super) fn machine() -> Machine {
    let cores = available_parallelism().map_or(1, usize::from);
    Machine {
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        processor: processor().unwrap_or_else(|| "unknown".to_owned()),
        kernel: kernel().unwrap_or_else(|| "unknown".to_owned()),
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/ostype").ok()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("{} {}", name.trim(), release.trim()))
}
