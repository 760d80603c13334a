//! One virtual user: what it does next, and what it makes of the answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use super::jar::Jar;
use super::mix::Mix;
use super::source::address_of;
use super::tab::{Ask, Heard, Tab};
use crate::history::{Call, Kind, Outcome, Recorder};

/// How many times a tab writes while another logs out, unless it is refused before.
const LATE_WRITES_MAX: u32 = 50;

/// How many times a user tries to end all its sessions.
const LOGOUTS_MAX: u32 = 30;

/// How many times the last question is asked if it is not answered.
const LAST_QUESTIONS_MAX: u32 = 5;

/// One virtual user.
#[derive(Debug)]
pub(super) struct Person {
    number: u32,
    mix: Mix,
    rng: fastrand::Rng,
    tabs: Vec<Tab>,
    jar: Jar,
    standing: Standing,
    /// The number of the session that the jar opens, or opened last.
    session: u32,
    /// Cookies of a session that was ended, and how many requests are still made with them.
    late: Option<(u32, Option<String>, u8)>,
    recorder: Recorder,
}

/// What a user believes of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    LoggedOut,
    LoggedIn,
    /// It logged out and does not know whether that was done.
    Leaving,
}

// === impl Person ===

impl Person {
    /// A user who is not logged in; the numbers of its sessions follow on `session`.
    pub(super) fn new(
        number: u32,
        session: u32,
        mix: Mix,
        seed: u64,
        gateway: SocketAddr,
        recorder: Recorder,
    ) -> Self {
        let tab = || Tab::new(gateway, address_of(number, 0));
        Self {
            number,
            mix,
            rng: fastrand::Rng::with_seed(seed),
            tabs: (0..mix.tabs.max(1)).map(|_| tab()).collect(),
            jar: Jar::default(),
            standing: Standing::LoggedOut,
            session,
            late: None,
            recorder,
        }
    }

    /// How long until it does something else, on average `mean`: users know nothing of each
    /// other, so their requests come at random.
    pub(super) fn pause(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.rng.f64()).ln())
    }

    /// Goes on from the address that it has after so many changes.
    pub(super) fn move_to(&mut self, changes: u32) {
        for tab in &mut self.tabs {
            tab.move_to(address_of(self.number, changes));
        }
    }

    /// Does the next thing, which should have begun at `due`, or now.
    pub(super) async fn act(&mut self, due: Option<Duration>) {
        if let Some((session, cookies, left)) = self.late.take() {
            return self.come_late(session, cookies, left, due).await;
        }
        let kinds = match self.standing {
            Standing::LoggedOut => vec![Kind::Login],
            Standing::Leaving => vec![Kind::Logout],
            Standing::LoggedIn => self.choose(),
        };
        self.ask(&kinds, due).await;
    }

    /// Logs in and ends all sessions of this user at once, and tries again until it is told
    /// that this was done: where nodes share nothing, it may be a stranger at the next request.
    pub(super) async fn log_out_everywhere(&mut self) {
        for _ in 0..LOGOUTS_MAX {
            self.ask(&[Kind::Login], None).await;
            if self.standing == Standing::LoggedIn
                && self.ask(&[Kind::LogoutEverywhere], None).await == Outcome::Ok
            {
                return;
            }
        }
    }

    /// Looks once more at what became of its session, and comes late where it meant to: a session
    /// that was ended at the last moment is asked for as well.
    pub(super) async fn finish(&mut self) {
        while let Some((session, cookies, left)) = self.late.take() {
            self.come_late(session, cookies, left, None).await;
        }
        for _ in 0..LAST_QUESTIONS_MAX {
            if self.standing != Standing::LoggedIn {
                return;
            }
            if self.ask(&[Kind::WhoAmI], None).await == Outcome::Ok {
                return;
            }
        }
    }

    fn choose(&mut self) -> Vec<Kind> {
        let kind = self.mix.choose(&mut self.rng);
        let mut kinds = vec![kind];
        if matches!(kind, Kind::Visit | Kind::Logout) {
            kinds.resize(self.tabs.len(), Kind::Visit);
            // Whoever is first to be sent is not first at the gateway each time.
            self.rng.shuffle(&mut kinds);
        }
        kinds
    }

    /// Asks all of it at once, each on a tab of its own, and returns the outcome of the last.
    async fn ask(&mut self, kinds: &[Kind], due: Option<Duration>) -> Outcome {
        if kinds == [Kind::Login] {
            self.session += 1;
            self.jar.drop_session();
        }
        let cookies = self.jar.header();
        let mut last = Outcome::Failed;
        for (kind, heard) in self.hear(kinds, cookies.as_ref()).await {
            self.jar.take_in(&heard.headers);
            self.learn(kind, heard.answer.outcome, cookies.as_ref());
            last = heard.answer.outcome;
            self.record(self.session, kind, due, cookies.as_ref(), heard);
        }
        last
    }

    /// In the order in which the answers came.
    async fn hear(&mut self, kinds: &[Kind], cookies: Option<&String>) -> Vec<(Kind, Heard)> {
        let ask = |kind| Ask {
            user: self.number,
            kind,
            cookies: cookies.cloned(),
        };
        if let [kind] = *kinds {
            return vec![(kind, self.tabs[0].ask(ask(kind)).await)];
        }
        // Who writes while the session ends does so until it is told.
        let times = if kinds.contains(&Kind::Logout) {
            LATE_WRITES_MAX
        } else {
            1
        };
        let mut asking = JoinSet::new();
        for (tab, &kind) in self.tabs.drain(..).zip(kinds) {
            asking.spawn(ask_until_refused(tab, ask(kind), times));
        }
        let mut all = Vec::new();
        while let Some(asked) = asking.join_next().await {
            let (tab, heard) = asked.expect("asking does not panic");
            self.tabs.push(tab);
            all.extend(heard);
        }
        all.sort_by_key(|(_, heard)| heard.ended);
        all
    }

    fn learn(&mut self, kind: Kind, outcome: Outcome, cookies: Option<&String>) {
        self.standing = match (kind, outcome) {
            (Kind::Login, Outcome::Ok) => Standing::LoggedIn,
            (Kind::Logout | Kind::LogoutEverywhere, Outcome::Ok) => {
                let late = self.mix.late;
                self.late = (late > 0).then(|| (self.session, cookies.cloned(), late));
                Standing::LoggedOut
            }
            (Kind::Logout, Outcome::Unknown) => Standing::Leaving,
            (_, Outcome::Refused) => Standing::LoggedOut,
            _ => self.standing,
        };
    }

    /// Asks with the cookies of a session that was ended; what is answered changes nothing.
    async fn come_late(
        &mut self,
        session: u32,
        cookies: Option<String>,
        left: u8,
        due: Option<Duration>,
    ) {
        let kind = match left % 2 {
            0 => Kind::Visit,
            _ => Kind::WhoAmI,
        };
        for (kind, heard) in self.hear(&[kind], cookies.as_ref()).await {
            self.record(session, kind, due, cookies.as_ref(), heard);
        }
        self.late = (left > 1).then(|| (session, cookies, left - 1));
    }

    fn record(
        &self,
        session: u32,
        kind: Kind,
        due: Option<Duration>,
        cookies: Option<&String>,
        heard: Heard,
    ) {
        let answer = heard.answer;
        self.recorder.push(Call {
            user: self.number,
            session,
            kind,
            due: due.unwrap_or(heard.invoked),
            invoked: heard.invoked,
            ended: heard.ended,
            outcome: answer.outcome,
            status: answer.status,
            says_when: answer.says_when,
            node: answer.node,
            owner: answer.owner,
            visits: answer.visits,
            from_copy: answer.from_copy,
            cookie_bytes: cookies.map_or(0, |text| u32::try_from(text.len()).unwrap_or(u32::MAX)),
        });
    }
}

/// Asks so many times, or until it is refused; only writing is repeated.
async fn ask_until_refused(mut tab: Tab, ask: Ask, times: u32) -> (Tab, Vec<(Kind, Heard)>) {
    let mut all = Vec::new();
    let times = if ask.kind == Kind::Visit { times } else { 1 };
    for _ in 0..times {
        let heard = tab.ask(ask.clone()).await;
        let outcome = heard.answer.outcome;
        all.push((ask.kind, heard));
        if outcome == Outcome::Refused {
            break;
        }
    }
    (tab, all)
}
