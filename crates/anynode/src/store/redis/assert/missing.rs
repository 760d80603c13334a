//! Which revocations a primary does not have: most often it has nearly all.

use std::time::Duration;

use anynode_core::{Tombstone, UserEntry, UserId, near::Assertion};
use redis::{Pipeline, Value, cmd};

use crate::store::redis::{
    connection::Connection,
    fault::Fault,
    keys::{Keys, Tag},
    record, reply,
};

/// How many are asked for together.
const TOGETHER_MAX: usize = 500;

/// Those of them that this server, which has all slots, does not have; each question is to be
/// answered before `until` says so.
///
/// # Errors
/// When it does not tell.
pub(in crate::store::redis) async fn missing(
    keys: &Keys,
    connection: &Connection,
    all: Vec<Assertion>,
    until: impl Fn() -> Duration,
) -> Result<Vec<Assertion>, Fault> {
    let mut missing = Vec::new();
    for some in all.chunks(TOGETHER_MAX) {
        let mut questions = Pipeline::new();
        for assertion in some {
            match assertion {
                Assertion::Session(stone) => ask_session(keys, stone, &mut questions),
                Assertion::User(user, _) => ask_user(keys, user, &mut questions),
            }
        }
        let replies = connection.send_all(&questions, until()).await?;
        let mut replies = replies.into_iter();
        let mut reply = || replies.next().unwrap_or(Err(Fault::Lost));
        for assertion in some {
            let is_there = match assertion {
                Assertion::Session(stone) => has_session(stone, reply()?, reply()?)?,
                Assertion::User(_, entry) => has_user(*entry, reply()?)?,
            };
            if !is_there {
                missing.push(assertion.clone());
            }
        }
    }
    Ok(missing)
}

/// Its tombstone, and whether its record came back.
fn ask_session(keys: &Keys, stone: &Tombstone, questions: &mut Pipeline) {
    let dead = keys.dead(Tag::of_handle(&stone.handle));
    let score = cmd("ZSCORE").arg(dead).arg(stone.handle.as_bytes()).take();
    questions.add_command(score);
    let record = keys.record(&stone.handle);
    questions.add_command(cmd("EXISTS").arg(record).take());
}

fn ask_user(keys: &Keys, user: &UserId, questions: &mut Pipeline) {
    let users = keys.users(Tag::of_user(user));
    questions.add_command(cmd("HGET").arg(users).arg(user.as_str()).take());
}

/// Whether the tombstone lies there, for as long, and no record beside it.
fn has_session(stone: &Tombstone, score: Value, records: Value) -> Result<bool, Fault> {
    let ends = match score {
        Value::Nil => return Ok(false),
        Value::Double(score) => ends(score),
        score => ends(reply::text(score)?.parse().map_err(|_| Fault::Malformed)?),
    };
    Ok(stone.until.as_millis() <= ends && reply::number(records)? == 0)
}

/// When the tombstone with this score ends, in milliseconds since the epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number that a script computed, below 2^53"
)]
fn ends(score: f64) -> u64 {
    (score / 16.0) as u64
}

/// Whether the entry there lets in no session that this one does not.
fn has_user(entry: UserEntry, reply: Value) -> Result<bool, Fault> {
    let kept = match reply {
        Value::Nil => return Ok(false),
        reply => record::entry(&reply::bytes(reply)?)?,
    };
    Ok(kept.is_some_and(|kept| kept.merged(entry) == kept))
}

#[cfg(test)]
mod tests {
    use anynode_core::{Cause, Epoch, Handle, Timestamp};

    use super::*;

    #[test]
    fn a_tombstone_that_ends_sooner_or_has_a_record_beside_it_is_missing() {
        let stone = Tombstone {
            handle: Handle::from_bytes([7; 16]),
            cause: Cause::User,
            until: Timestamp::from_millis(1_000),
        };
        let has = |score, records| has_session(&stone, score, Value::Int(records)).expect("told");
        let lies_until = |millis: f64| Value::Double(millis * 16.0 + 3.0);
        assert!(has(lies_until(1_000.0), 0) && has(lies_until(1_001.0), 0));
        assert!(!has(lies_until(999.0), 0) && !has(lies_until(1_000.0), 1));
        assert!(!has(Value::Nil, 0));
        has_session(&stone, Value::Okay, Value::Int(0)).expect_err("no number");
    }

    #[test]
    fn an_entry_that_is_older_is_missing() {
        let entry = |micros| UserEntry {
            epoch: Epoch::from_micros(micros),
            spared: None,
        };
        let has = |kept: u64, wanted| {
            let mut bytes = kept.to_be_bytes().to_vec();
            bytes.extend([0; 8]);
            has_user(entry(wanted), Value::BulkString(bytes)).expect("told")
        };
        assert!(has(7, 7) && has(8, 7) && !has(6, 7));
        assert!(!has_user(entry(7), Value::Nil).expect("told"));
    }
}
