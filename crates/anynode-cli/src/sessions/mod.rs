//! `anynode sessions` and `anynode users`: what an operator sees of sessions, and how they end them.

mod shape;
mod text;

use anyhow::Error;
use anynode::core::store::Effect;
use anynode::core::{Handle, UserId};
use anynode::{AdminSessions, SessionError, SessionInfo};

pub(crate) use self::shape::durability_word;
use self::shape::{Ended, Known, Outcome, Session, UserEnded};
use crate::args::{ID_CHARS, List, Place, Revoke, RevokeUser, Sessions, Show, Users, Waiting};
use crate::misuse::Misuse;
use crate::print::{Form, Line, say, say_json};
use crate::store;

/// The most pages that are read of one user: 100,000 sessions, far above what a person has.
const PAGES_MAX: usize = 1_000;

/// Performs a command on sessions.
///
/// # Errors
/// [`Misuse`] when the handle or the store cannot be used as typed; else when the store fails or
/// a session is not there.
pub(crate) async fn run(command: Sessions) -> Result<(), Error> {
    match command {
        Sessions::List(list) => self::list(list).await,
        Sessions::Show(show) => self::show(show).await,
        Sessions::Revoke(revoke) => self::revoke(revoke).await,
    }
}

/// Performs a command on users.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_users(command: Users) -> Result<(), Error> {
    match command {
        Users::Revoke(revoke) => revoke_user(revoke).await,
    }
}

async fn list(list: List) -> Result<(), Error> {
    let user = user(&list.user, "--user")?;
    let sessions = all(&open(&list.place).await?, &user).await?;
    match list.place.form() {
        Form::Json => sessions
            .iter()
            .try_for_each(|session| say_json(&Session::of(session))),
        Form::Text if sessions.is_empty() => {
            say(&format!("{} has no live session", Line(user.as_str())))
        }
        Form::Text => say(&text::table(&sessions)),
    }
}

async fn show(show: Show) -> Result<(), Error> {
    let handle = handle(&show.handle)?;
    let sessions = open(&show.place).await?;
    let Some(session) = sessions.find(handle).await.map_err(failed)? else {
        anyhow::bail!("no live session has the handle {handle}: it has ended, or never was");
    };
    match show.place.form() {
        Form::Json => say_json(&Session::of(&session)),
        Form::Text => say(&text::card(&session)),
    }
}

async fn revoke(revoke: Revoke) -> Result<(), Error> {
    let handles: Vec<Handle> = revoke
        .handles
        .iter()
        .map(|text| handle(text))
        .collect::<Result<_, _>>()?;
    let sessions = open(&revoke.place).await?;
    // A reader that has gone and a store that failed once keep no other session alive.
    let mut heard = Ok(());
    let (mut not_ended, mut unknown) = (0, 0);
    for &handle in &handles {
        let ended = end(&sessions, handle).await;
        not_ended += usize::from(ended.outcome != Outcome::Ended);
        unknown += usize::from(ended.outcome == Outcome::Failed);
        let told = match revoke.place.form() {
            Form::Json => say_json(&ended),
            Form::Text => say(&ended.to_string()),
        };
        heard = heard.and(told);
    }
    // After all of them, so that a node that hangs keeps no other session alive either.
    if unknown < handles.len() {
        let told = confirm(&sessions, revoke.waiting, &revoke.place).await;
        heard = heard.and(told);
    }
    if not_ended > 0 {
        anyhow::bail!("{not_ended} of {} sessions not ended", handles.len());
    }
    heard
}

async fn end(sessions: &AdminSessions, handle: Handle) -> Ended {
    match sessions.revoke(handle).await {
        Ok(revoked) => Ended::revoked(handle, &revoked),
        Err(error) => Ended::failed(handle, &format!("{:#}", failed(error))),
    }
}

/// Says which nodes have confirmed what was ended, if that is wanted.
async fn confirm(sessions: &AdminSessions, waiting: Waiting, place: &Place) -> Result<(), Error> {
    if !waiting.is_wanted() {
        return Ok(());
    }
    let receipt = sessions.confirm().await;
    match place.form() {
        Form::Json => say_json(&Known::of(&receipt)),
        Form::Text => say(&receipt.to_string()),
    }
}

async fn revoke_user(revoke: RevokeUser) -> Result<(), Error> {
    let user = user(&revoke.user, "NAME")?;
    let sessions = open(&revoke.place).await?;
    // Only to say how many there were. A store that cannot tell now may still end them.
    let listed = all(&sessions, &user).await.ok().map(|all| all.len());
    let revoked = sessions.revoke_user(&user).await.map_err(failed)?;
    debug_assert!(matches!(revoked.effect, Effect::User(_)));
    let ended = UserEnded::new(&user, listed, revoked.durability);
    match revoke.place.form() {
        Form::Json => say_json(&ended),
        Form::Text => say(&ended.to_string()),
    }?;
    confirm(&sessions, revoke.waiting, &revoke.place).await
}

// === parts ===

async fn open(place: &Place) -> Result<AdminSessions, Error> {
    let store = store::open_existing(&place.store).await?;
    Ok(AdminSessions::new(store))
}

/// All live sessions of a user, page after page.
async fn all(sessions: &AdminSessions, user: &UserId) -> Result<Vec<SessionInfo>, Error> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let (page, next) = sessions.list(user, after).await.map_err(failed)?;
        found.extend(page);
        if next.is_none() {
            return Ok(found);
        }
        after = next;
    }
    anyhow::bail!("this user has more than {} sessions", found.len())
}

/// Reads a handle without repeating what was typed: it may be a session id, which is a secret.
fn handle(text: &str) -> Result<Handle, Misuse> {
    text.parse().map_err(|_| {
        let what = match text.chars().count() {
            ID_CHARS => {
                "this is as long as a session id, which is a secret and belongs on no \
                         command line"
            }
            _ => "`anynode sessions list` prints them",
        };
        Misuse(format!(
            "HANDLE: a handle is 22 characters of base64url (A-Z, a-z, 0-9, - and _), such as \
             aW8Qb0fCTq2kYx3Jv5n1Rg; {what}"
        ))
    })
}

fn user(text: &str, place: &str) -> Result<UserId, Misuse> {
    UserId::new(text).map_err(|error| Misuse(format!("{place}: {error}")))
}

fn failed(error: SessionError) -> Error {
    let error = match error {
        // Its own sentence repeats that of the store.
        SessionError::Store(error) => Error::new(error),
        other => Error::new(other),
    };
    error.context("the session store does not do it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_refused_and_not_repeated() {
        let id = "aW8Qb0fCTq2kYx3Jv5n1RgaW8Qb0fCTq2kYx3Jv5n1R";
        let message = handle(id).unwrap_err().to_string();
        assert!(message.contains("a secret"), "{message}");
        assert!(!message.contains(id), "{message}");
        let message = handle("short").unwrap_err().to_string();
        assert!(message.contains("22 characters"), "{message}");
    }
}
