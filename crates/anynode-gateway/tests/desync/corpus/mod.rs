//! The cases, by what is odd about them.

#![allow(clippy::too_many_lines, reason = "a family of cases is one table")]

mod chunks;
mod codings;
mod fields;
mod hops;
mod hosts;
mod lengths;
mod limits;
mod pipelines;
mod targets;
mod trailers;
mod upgrades;

use crate::case::Case;

/// The least number of cases, so that none gets lost unnoticed.
const CASES_LEAST: usize = 400;

pub(crate) fn all() -> Vec<Case> {
    let families = [
        lengths::cases(),
        codings::cases(),
        chunks::cases(),
        trailers::cases(),
        fields::cases(),
        targets::cases(),
        hosts::cases(),
        hops::cases(),
        upgrades::cases(),
        pipelines::cases(),
        limits::cases(),
    ];
    let cases: Vec<_> = families.into_iter().flatten().collect();
    assert!(cases.len() >= CASES_LEAST, "only {} cases", cases.len());
    cases
}
