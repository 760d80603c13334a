//! All virtual users at once, at a rate that does not fall when answers are slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::mix::Mix;
use super::person::Person;
use crate::clock::boot_time;
use crate::history::Recorder;

/// The sessions of a user's other devices are numbered from here, far from those of its first.
const OTHER_DEVICES: u32 = 1 << 31;

/// How many users log out everywhere at the same time.
const REVOKERS: usize = 8;

/// How many users look once more at their sessions at the same time: all of them at once would be
/// a load of its own, and one that a gateway may refuse.
const LAST_QUESTIONS: usize = 32;

/// What a crowd does.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many users there are.
    pub users: u32,
    /// Requests per second, of all users together.
    pub rate: u32,
    /// What they do.
    pub mix: Mix,
    /// What they do and when follows from it.
    pub seed: u64,
}

/// Virtual users under way. Dropping it ends them where they are.
#[derive(Debug)]
pub struct Crowd {
    load: Load,
    gateway: SocketAddr,
    recorder: Recorder,
    orders: watch::Sender<Orders>,
    lateness: Arc<AtomicU64>,
    devices: AtomicU32,
    people: JoinSet<()>,
}

/// What all users are told.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    /// How many times they have changed their address.
    address_changes: u32,
    course: Course,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Course {
    #[default]
    On,
    ToEnd,
}

// === impl Crowd ===

impl Crowd {
    /// Lets the users begin, each at a random time within its first pause.
    #[must_use]
    pub fn start(load: Load, gateway: SocketAddr, recorder: Recorder) -> Self {
        let (orders, ordered) = watch::channel(Orders::default());
        let lateness = Arc::new(AtomicU64::default());
        let mean = load.mean_pause();
        let turns = Arc::new(Semaphore::new(LAST_QUESTIONS));
        let mut people = JoinSet::new();
        for user in 0..load.users {
            // Any two users draw from generators that have nothing in common.
            let seed = load.seed ^ u64::from(user + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let person = Person::new(user, 0, load.mix, seed, gateway, recorder.clone());
            let (ordered, lateness, turns) = (ordered.clone(), lateness.clone(), turns.clone());
            people.spawn(async move {
                let mut person = live(person, mean, ordered, lateness).await;
                let _turn = turns.acquire().await;
                person.finish().await;
            });
        }
        Self {
            load,
            gateway,
            recorder,
            orders,
            lateness,
            devices: AtomicU32::new(OTHER_DEVICES),
            people,
        }
    }

    /// How many calls have ended so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.recorder.len()
    }

    /// How late the latest request was begun for want of time of this program itself.
    ///
    /// It is not in the latencies; where it is more than some milliseconds, the load was more
    /// than the machine holds.
    #[must_use]
    pub fn lateness(&self) -> Duration {
        Duration::from_nanos(self.lateness.load(Ordering::Relaxed))
    }

    /// Every user goes on from another address, on new connections.
    pub fn change_addresses(&self) {
        self.orders
            .send_modify(|orders| orders.address_changes += 1);
    }

    /// The first so many users, or those that follow on earlier ones, end all their sessions
    /// from another device.
    pub async fn revoke(&self, users: impl IntoIterator<Item = u32>) {
        let mut revoking = JoinSet::new();
        for user in users {
            if revoking.len() >= REVOKERS {
                revoking.join_next().await;
            }
            let session = self.devices.fetch_add(1, Ordering::Relaxed);
            let mut person = Person::new(
                user,
                session,
                Mix {
                    tabs: 1,
                    ..self.load.mix
                },
                self.load.seed,
                self.gateway,
                self.recorder.clone(),
            );
            // Another device is elsewhere, so it is not pinned to where the user is.
            person.move_to(u32::from(u8::MAX));
            revoking.spawn(async move { person.log_out_everywhere().await });
        }
        while revoking.join_next().await.is_some() {}
    }

    /// Lets every user end what it does and look once more at its session.
    pub async fn finish(mut self) {
        self.orders
            .send_modify(|orders| orders.course = Course::ToEnd);
        while self.people.join_next().await.is_some() {}
    }
}

/// Lives until it is told to come to its end.
async fn live(
    mut person: Person,
    mean: Duration,
    mut orders: watch::Receiver<Orders>,
    lateness: Arc<AtomicU64>,
) -> Person {
    let mut due = boot_time() + person.pause(mean);
    loop {
        let begun = boot_time();
        // Behind its own schedule it does not wait, and the time is counted as waited.
        let overdue = (due < begun).then_some(due);
        let is_told_to_end = tokio::select! {
            biased;
            _ = orders.wait_for(|orders| orders.course == Course::ToEnd) => true,
            () = sleep(due.saturating_sub(begun)) => false,
        };
        if is_told_to_end {
            return person;
        }
        if overdue.is_none() {
            let late = boot_time().saturating_sub(due).as_nanos();
            lateness.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        person.move_to(orders.borrow().address_changes);
        person.act(overdue).await;
        due += person.pause(mean);
    }
}

// === impl Load ===

impl Load {
    /// How long a user pauses on average for all of them to make the rate.
    fn mean_pause(&self) -> Duration {
        let permille = self.mix.requests_permille();
        Duration::from_millis(u64::from(permille)) * self.users.max(1) / self.rate.max(1)
    }
}
