//! Processes of the benchmark: started on the core they belong to, and ended with it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_setaffinity};

/// A running process, or none where the load goes to the backends themselves.
pub(crate) struct Process {
    child: Option<Child>,
    addresses: Vec<SocketAddr>,
    /// Holds the configuration while the process runs.
    _directory: Option<tempfile::TempDir>,
}

/// Which process runs on which core.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cores {
    /// The proxy has one, all the rest another.
    Bound,
    /// The system decides.
    Free,
}

const PROXY_CORE: usize = 0;
const LOAD_CORE: usize = 1;

/// This program, to be started again in another role.
pub(crate) fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// Starts a role of this program; it ends when its standard input does.
pub(crate) fn role<T: AsRef<OsStr>>(mut program: Command, arguments: &[T]) -> Process {
    let mut child = program
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap().parse().unwrap();
    Process {
        child: Some(child),
        addresses: vec![address],
        _directory: None,
    }
}

/// Says where this role serves, and waits for the end of standard input.
pub(crate) fn announce(address: SocketAddr) {
    println!("{address}");
    let _ = std::io::stdin().lock().read_until(0, &mut Vec::new());
    std::process::exit(0);
}

// === impl Process ===

impl Process {
    /// No process: the load is spread over the backends themselves.
    pub(crate) fn none(addresses: &[SocketAddr]) -> Self {
        Self {
            child: None,
            addresses: addresses.to_vec(),
            _directory: None,
        }
    }

    pub(crate) fn peer(child: Child, address: SocketAddr, directory: tempfile::TempDir) -> Self {
        Self {
            child: Some(child),
            addresses: vec![address],
            _directory: Some(directory),
        }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Ends a role and returns what it wrote to standard error, which has to be piped.
    pub(crate) fn end(mut self) -> String {
        let mut child = self.child.take().unwrap();
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Time that the process and its children have spent on a core, in nanoseconds.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        self.child.as_ref().map_or(0, |child| cpu_nanos(child.id()))
    }
}

/// The sum over all threads. What `utime` and `stime` give in hundredths of a second, `schedstat`
/// gives in nanoseconds.
fn cpu_nanos(process: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks
        .map(|task| {
            let task = task.unwrap().path();
            let schedule = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let nanos = schedule
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok());
            let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
            let children = children.split_whitespace().map(|id| id.parse().unwrap());
            nanos.unwrap_or(0_u64) + children.map(cpu_nanos).sum::<u64>()
        })
        .sum()
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        if child.stdin.take().is_none() {
            // A peer, which does not watch its standard input. TERM lets nginx end its workers.
            let id = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = child.wait();
    }
}

// === impl Cores ===

impl Cores {
    /// With one worker the proxy has a core for itself.
    pub(crate) fn of(workers: usize) -> Self {
        if workers == 1 {
            Self::Bound
        } else {
            Self::Free
        }
    }

    /// Starts a proxy on the proxy's core.
    pub(crate) fn for_proxy<T>(self, start: impl FnOnce() -> T) -> T {
        self.enter(PROXY_CORE);
        start()
    }

    /// Starts a backend on the core of the load.
    pub(crate) fn beside_load<T>(self, start: impl FnOnce() -> T) -> T {
        self.enter(LOAD_CORE);
        start()
    }

    /// Binds the calling thread, and every one it starts, to the core of the load.
    pub(crate) fn enter_load(self) {
        self.enter(LOAD_CORE);
    }

    /// A child inherits the cores of the thread that starts it.
    fn enter(self, core: usize) {
        if let Self::Bound = self {
            let mut cores = CpuSet::new();
            cores.set(core);
            sched_setaffinity(None, &cores).expect("the benchmark needs two cores");
        }
    }
}
