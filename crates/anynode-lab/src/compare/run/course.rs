//! Takes one strategy through every step.

use std::time::Duration;

use anyhow::{Context, Error, ensure};

use super::cookies::cookies_of;
use super::progress::Progress;
use super::size::{NODES, NODES_GROWN, SETTLING, Size};
use super::window::Window;
use crate::clock::boot_time;
use crate::compare::report::{Cookies, Step};
use crate::fleet::Plan;
use crate::stage::{self, Outcome, Sample, Stage};
use crate::user::{Load, Mix};

/// How often it is looked whether all users have been answered.
const LOOK: Duration = Duration::from_millis(100);

/// A user who is not answered for so long makes the step one that could not be measured.
const ANSWERED_TIMEOUT: Duration = Duration::from_secs(60);

/// The lowest share of the due requests that have to be answered in steady load, in percent.
const ANSWERED_PERCENT_MIN: u64 = 80;

/// What one strategy did, before it is counted.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) windows: Vec<Window>,
    /// What the fleet had used before steady load and after it.
    pub(super) steady: [Sample; 2],
    pub(super) cookies: Cookies,
    pub(super) outcome: Outcome,
}

/// What users do here: nobody logs out but who is revoked, so that every end of a session that
/// is seen is one that was done to its user. Nine of ten writes are counted.
pub(super) fn mix(writes_percent: u8) -> Mix {
    let writes = u16::from(writes_percent);
    Mix {
        visits: writes * 9,
        carts: writes,
        logouts: 0,
        late: 0,
        tabs: 1,
    }
}

/// Takes one strategy through every step.
///
/// # Errors
/// When a process does not start, stop or answer, or the machine does not hold the load.
pub(super) async fn take(
    plan: &Plan,
    load: Load,
    size: &Size,
    progress: Progress,
) -> Result<Course, Error> {
    let name = plan.strategy.name();
    progress.say(name, "three nodes and their users start");
    let mut stage = Stage::start(plan, load, None).await?;
    let cookies = cookies_of(stage.fleet().address()).await?;
    let begun = boot_time();
    stage.perform(stage::Step::Steady(SETTLING)).await?;
    wait_for_answers(&stage, size, begun).await?;
    // Once more, for what was used until then to be known.
    stage.perform(stage::Step::Steady(LOOK)).await?;
    let mut steady = [*stage.latest(); 2];
    let mut windows = Vec::new();
    for step in Step::ALL {
        progress.say(name, step.title());
        windows.push(
            take_step(&mut stage, step, size)
                .await
                .with_context(|| format!("{name}: {}", step.title()))?,
        );
        if step == Step::Steady {
            steady[1] = *stage.latest();
            ensure_held(&steady, load.rate)?;
        }
    }
    let outcome = stage.finish().await?;
    Ok(Course {
        windows,
        steady,
        cookies,
        outcome,
    })
}

async fn take_step(stage: &mut Stage, step: Step, size: &Size) -> Result<Window, Error> {
    let begin = boot_time();
    let (deed, watched) = match step {
        Step::Steady => (None, size.steady),
        Step::Crash => (Some(stage::Step::Crash), size.watched),
        Step::RollingDeploy => (Some(stage::Step::Deploy), size.watched),
        // What the load of each node is counted in as well.
        Step::ScaleUp => (Some(stage::Step::Scale(NODES_GROWN)), 2 * size.watched),
        Step::ScaleDown => (Some(stage::Step::Scale(NODES)), 2 * size.watched),
        Step::AddressChange => (Some(stage::Step::ChangeAddresses), size.watched),
        Step::Revocation => (
            Some(stage::Step::Revoke(size.users_revoked())),
            2 * size.watched,
        ),
    };
    if let Some(deed) = deed {
        stage.perform(deed).await?;
    }
    let done = boot_time();
    stage.perform(stage::Step::Steady(watched)).await?;
    wait_for_answers(stage, size, done).await?;
    Ok(Window {
        step,
        begin,
        done,
        end: boot_time(),
    })
}

/// Waits until every user has been answered what it asked after `since`: until then, one may be
/// logged out and not know it, and it would be counted with the next step.
async fn wait_for_answers(stage: &Stage, size: &Size, since: Duration) -> Result<(), Error> {
    let until = boot_time() + ANSWERED_TIMEOUT;
    loop {
        let answered = stage.users_answered_since(since);
        if answered >= usize::try_from(size.users)? {
            return Ok(());
        }
        ensure!(
            boot_time() < until,
            "after {ANSWERED_TIMEOUT:?} only {answered} of {} users were answered",
            size.users
        );
        tokio::time::sleep(LOOK).await;
    }
}

fn ensure_held([before, after]: &[Sample; 2], rate: u32) -> Result<(), Error> {
    let answered = u64::try_from(after.calls.saturating_sub(before.calls))?;
    let lasted = after.at.saturating_sub(before.at);
    let due = u64::from(rate) * u64::try_from(lasted.as_millis())? / 1_000;
    ensure!(
        answered * 100 >= due * ANSWERED_PERCENT_MIN,
        "of {due} requests that were due in steady load only {answered} were answered: this \
         machine does not hold {rate} requests/s now; let other work end, or name a lower --rate"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Kind;

    #[test]
    fn as_many_write_as_is_said_and_the_others_read() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (percent, least, most) in [(0, 0, 0), (10, 80, 120), (50, 450, 550), (100, 1000, 1000)]
        {
            let mix = mix(percent);
            let kinds: Vec<_> = (0..1000).map(|_| mix.choose(&mut rng)).collect();
            let writes = kinds.iter().filter(|kind| **kind != Kind::WhoAmI).count();
            assert!((least..=most).contains(&writes), "{percent} %: {writes}");
            assert!(!kinds.contains(&Kind::Logout));
        }
    }
}
