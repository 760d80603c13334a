//! Child processes: this very program in another part, heard line by line.

use std::{
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread::{self, JoinHandle},
};

/// A running child. It ends when its input is closed, and so at the latest with its parent.
pub(super) struct Part {
    child: Child,
    input: Option<ChildStdin>,
    ear: Option<JoinHandle<()>>,
}

impl Part {
    /// Starts the program at `path`, or this one, and hands every line it says to `hear`, on a
    /// thread.
    pub(super) fn start(
        path: Option<&Path>,
        arguments: &[String],
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let program = match path {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()?,
        };
        let mut child = Command::new(program)
            .arg("child")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("is piped");
        let ear = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                hear(&line);
            }
        });
        Ok(Self {
            input: child.stdin.take(),
            child,
            ear: Some(ear),
        })
    }

    /// Says a line to the child.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().expect("is open until the end");
        writeln!(input, "{line}")
    }

    /// Ends it with SIGKILL, in the midst of whatever it does. All it said has been heard.
    pub(super) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.finish()
    }

    /// Tells it to come to its end.
    pub(super) fn stop(&mut self) {
        self.input = None;
    }

    /// Tells it to come to its end, and waits for that.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.stop();
        self.child.wait()?;
        if let Some(ear) = self.ear.take() {
            ear.join().expect("hearing does not fail");
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What has ended already cannot be killed, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says a line to the parent, in one piece: lines this short are never torn, not even by a
/// kill.
pub(super) fn tell(line: &str) {
    let mut output = io::stdout().lock();
    if output.write_all(format!("{line}\n").as_bytes()).is_err() || output.flush().is_err() {
        // Nobody listens any more.
        std::process::exit(0);
    }
}
