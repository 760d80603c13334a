//! The end of a process whose parent died: its stdin is a pipe that only the parent holds open.
//!
//! The kernel closes the pipe when the parent dies, by `kill -9` too, so nothing outlives a fleet.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// Reports the end of stdin, and ends the process `outlive_max` later if it has not ended by itself.
///
/// It is a thread of its own, because a read of stdin cannot be cancelled and would hold up the end of a runtime.
pub(crate) fn hold(outlive_max: Duration) -> io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let watching = move || {
        // An unreadable stdin is as good as one that ended: nobody holds it.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
        thread::sleep(outlive_max);
        process::exit(1);
    };
    thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(watching)?;
    Ok(end)
}
