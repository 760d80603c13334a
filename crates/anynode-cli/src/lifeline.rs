//! The end of a process whose parent died: its stdin is a pipe that only the parent holds open.
//!
//! The kernel closes the pipe when the parent dies, by `kill -9` too, so nothing outlives a fleet.
//! What comes through it are lines from the parent, to which most processes do not listen.

use std::io::{self, BufRead, Read};
use std::process;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The longest line that is heard as one: more than any parent says.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Reports the end of stdin, and ends the process `outlive_max` later if it has not ended by itself.
/// Lines before that are heard.
///
/// It is a thread of its own, because a read of stdin cannot be cancelled and would hold up the end of a runtime.
pub(crate) fn hold(
    outlive_max: Duration,
    hear: impl FnMut(&[u8]) + Send + 'static,
) -> io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let watching = move || {
        // An unreadable stdin is as good as one that ended: nobody holds it.
        let _ = listen(io::stdin().lock(), hear);
        let _ = ended.send(());
        thread::sleep(outlive_max);
        process::exit(1);
    };
    thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(watching)?;
    Ok(end)
}

fn listen(mut parent: impl BufRead, mut hear: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    while (&mut parent)
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)?
        > 0
    {
        hear(&line);
        line.clear();
    }
    Ok(())
}
