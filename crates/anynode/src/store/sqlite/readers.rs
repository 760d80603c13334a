//! Read connections: a read runs where it is called, without a hop to another thread.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anynode_core::store::Result;
use rusqlite::Connection;

use super::{
    fault::Fault,
    file::{File, Role},
    pause::Pause,
};
use crate::clock::boot_time;

/// The idle read connections, as many as threads have read at once.
#[derive(Debug)]
pub(super) struct Readers {
    file: File,
    idle: Mutex<Vec<Connection>>,
    deadline: Duration,
}

/// More connections than this are closed when they come back.
const IDLE_MAX: usize = 32;

// === impl Readers ===

impl Readers {
    pub(super) fn new(file: File, deadline: Duration) -> Self {
        Self {
            file,
            idle: Mutex::default(),
            deadline,
        }
    }

    /// Performs a read. A reader waits for nobody but the process that recovers the file after
    /// a crash, for a moment.
    pub(super) async fn read<T>(
        &self,
        verb: &'static str,
        act: impl Fn(&Connection) -> Result<T, Fault>,
    ) -> Result<T> {
        let fault = match self.attempt(&act) {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        if !fault.is_busy() {
            return Err(told(&fault, verb));
        }
        let until = boot_time() + self.deadline;
        let mut pause = Pause::default();
        loop {
            tokio::time::sleep(pause.next()).await;
            match self.attempt(&act) {
                Err(fault) if fault.is_busy() && boot_time() < until => {}
                answer => return answer.map_err(|fault| told(&fault, verb)),
            }
        }
    }

    fn attempt<T>(&self, act: impl Fn(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let db = match self.idle().pop() {
            Some(db) => db,
            None => self.file.connect(Role::Read)?,
        };
        let answer = act(&db);
        // After an error of the file a new connection looks at it afresh.
        if matches!(answer, Ok(_) | Err(Fault::Corrupt(_))) {
            let mut idle = self.idle();
            if idle.len() < IDLE_MAX {
                idle.push(db);
            }
        }
        answer
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(fault: &Fault, verb: &'static str) -> anynode_core::Error {
    if let Fault::Corrupt(column) = fault {
        tracing::error!(
            verb,
            column,
            "sqlite: a row cannot be read and was left as it is"
        );
    }
    fault.error(verb)
}
