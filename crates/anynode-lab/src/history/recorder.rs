//! Collects calls from all users, and writes them to a file as they come.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Call, Kind, Outcome};

/// Collects calls; clones are handles to the same collection.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Vec<Call>,
    accepted: HashMap<Kind, usize>,
    file: Option<BufWriter<File>>,
    /// Why the file is not whole.
    broken: Option<io::Error>,
}

impl Recorder {
    /// A recorder that also writes each call to a new file, as one line of JSON.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn with_file(path: &Path) -> io::Result<Self> {
        let recorder = Self::default();
        recorder.lock().file = Some(BufWriter::new(File::create(path)?));
        Ok(recorder)
    }

    /// Adds a call.
    pub fn push(&self, call: Call) {
        let mut shared = self.lock();
        if let Some(file) = &mut shared.file
            && let Err(error) = write_line(file, &call)
        {
            shared.broken = Some(error);
            shared.file = None;
        }
        if call.is_accepted() {
            *shared.accepted.entry(call.kind).or_default() += 1;
        }
        shared.calls.push(call);
    }

    /// How many calls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// How many calls of this kind were done for sure.
    #[must_use]
    pub fn accepted(&self, kind: Kind) -> usize {
        self.lock().accepted.get(&kind).copied().unwrap_or(0)
    }

    /// How many users were answered what they asked after `since`. Boot clock.
    #[must_use]
    pub fn users_answered_since(&self, since: Duration) -> usize {
        let shared = self.lock();
        // In the order in which they ended, and none ends before it begins.
        let recent = shared.calls.iter().rev();
        let recent = recent.take_while(|call| call.ended >= since);
        let answered = recent.filter(|call| {
            let is_answered = matches!(call.outcome, Outcome::Ok | Outcome::Refused);
            is_answered && call.invoked >= since
        });
        answered.map(|call| call.user).collect::<HashSet<_>>().len()
    }

    /// Whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the calls out.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn take(&self) -> io::Result<Vec<Call>> {
        let mut shared = self.lock();
        if let Some(error) = shared.broken.take() {
            return Err(error);
        }
        if let Some(file) = &mut shared.file {
            file.flush()?;
        }
        Ok(std::mem::take(&mut shared.calls))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_line(file: &mut impl Write, call: &Call) -> io::Result<()> {
    serde_json::to_writer(&mut *file, call)?;
    file.write_all(b"\n")
}
