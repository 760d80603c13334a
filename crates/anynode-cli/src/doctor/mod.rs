//! `anynode doctor`: what a session store can promise, and what about it is unsafe.

mod report;

use anyhow::Error;
use anynode::core::{Facts, Verdict};

use self::report::Report;
use crate::args::Doctor;
use crate::print::{Form, say, say_json};
use crate::store;

/// Examines the store and prints what was found.
///
/// # Errors
/// [`Misuse`](crate::misuse::Misuse) when the URL cannot be used; else when the store cannot be
/// reached, or something about it is unsafe.
pub(crate) async fn run(doctor: Doctor) -> Result<(), Error> {
    let mut facts = store::inspect(&doctor.store).await?;
    if !doctor.look_only {
        try_order(&doctor.store, &mut facts).await?;
    }
    let report = Report::of(&facts);
    match doctor.form() {
        Form::Json => say_json(&report)?,
        Form::Text => say(&report.to_string())?,
    }
    match report.unsafe_points {
        0 => Ok(()),
        1 => anyhow::bail!("1 point is unsafe"),
        points => anyhow::bail!("{points} points are unsafe"),
    }
}

/// Tries the channel of a store that can be used; of one that cannot, its facts say why.
async fn try_order(url: &str, facts: &mut Facts) -> Result<(), Error> {
    let is_refused = |verdict: &Verdict| matches!(verdict, Verdict::Unsafe { .. });
    match store::open_existing(url).await {
        Ok(store) => {
            let note = anynode::store::check_order(store.as_ref()).await;
            facts.notes.push(note);
            Ok(())
        }
        Err(_) if facts.notes.iter().any(|note| is_refused(&note.verdict)) => Ok(()),
        Err(error) => Err(error),
    }
}
