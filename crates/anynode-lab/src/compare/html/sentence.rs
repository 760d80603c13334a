//! Sentences that say what a plot shows, from the numbers that it shows.

use crate::compare::report::{Load, Moment, Report, Row, Step, count, milliseconds, ratio};

/// What the whole comparison came to.
pub(super) fn lead(report: &Report) -> String {
    let users = count(report.run.users);
    let told = each(report, |row| {
        let steps = [Step::Crash, Step::RollingDeploy];
        let seen = steps.iter().filter_map(|step| row.seen_in(*step));
        let worst = seen.map(|seen| seen.users_logged_out).max()?;
        Some((row.strategy.clone(), count(worst)))
    });
    format!(
        "{users} users kept using a shop while its nodes crashed, were replaced, and went from \
         three to thirteen and back. Logged out by the worse of a crash and a deploy: {told}."
    )
}

/// What the plot of users logged out shows.
pub(super) fn logged_out(report: &Report) -> String {
    let told = each(report, |row| {
        let out = row.seen_in(Step::RollingDeploy)?.users_logged_out;
        Some((row.strategy.clone(), count(out)))
    });
    let users = count(report.run.users);
    format!("A rolling deploy logged out, of {users} users: {told}")
}

/// What the plot of latency over time shows.
pub(super) fn latency(report: &Report) -> String {
    let told = each(report, |row| {
        let slices = row.slices.iter();
        let changing = slices.filter(|slice| slice.step != Step::Steady);
        let slowest = changing.filter_map(|slice| slice.p99_us).max()?;
        Some((row.strategy.clone(), milliseconds(f64::from(slowest))))
    });
    format!("The worst p99 of any moment while the fleet changed: {told}")
}

/// What the plot of added latency shows.
pub(super) fn added(report: &Report) -> String {
    let base = f64::from(report.baseline.p50_us);
    let told = each(report, |row| {
        let added = f64::from(row.latency.p50_us) - base;
        Some((row.strategy.clone(), milliseconds(added)))
    });
    format!(
        "Added to the median of {} that one node takes alone: {told}",
        milliseconds(base)
    )
}

/// What the plot of load shows.
pub(super) fn load(report: &Report) -> String {
    let told = each(report, |row| {
        let imbalance = row.load_at(Moment::Grown).and_then(Load::imbalance)?;
        Some((row.strategy.clone(), format!("{}×", ratio(imbalance))))
    });
    format!("Once ten nodes had joined three, the busiest had, over the mean: {told}")
}

/// What there is to say of each row: `memory 12, central 0`. Neighbours of one value share it.
fn each(report: &Report, say: impl Fn(&Row) -> Option<(String, String)>) -> String {
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for (name, value) in report.rows.iter().filter_map(say) {
        match groups.last_mut() {
            Some((names, shared)) if *shared == value => names.push(name),
            _ => groups.push((vec![name], value)),
        }
    }
    let told = groups
        .iter()
        .map(|(names, value)| format!("{} {value}", names.join(" and ")));
    let told: Vec<String> = told.collect();
    told.join(", ")
}
