//! What virtual users do, and how often.

use crate::history::Kind;

/// What a user who is logged in does next: shares of 1000, the rest being [`Kind::WhoAmI`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Updates that are counted.
    pub visits: u16,
    /// Updates that are not.
    pub carts: u16,
    /// Logouts. The user logs in again.
    pub logouts: u16,
    /// How many requests are made under the cookies of a session after its logout: somebody has
    /// a copy of them.
    pub late: u8,
    /// How many connections a user has. Visits are made on all of them at once, and a logout on
    /// one while visits are made on the others; everything else is made on one.
    pub tabs: u8,
}

// === impl Mix ===

impl Mix {
    pub(crate) fn choose(&self, rng: &mut fastrand::Rng) -> Kind {
        let mut left = rng.u16(..1000);
        for (share, kind) in [
            (self.visits, Kind::Visit),
            (self.carts, Kind::Cart),
            (self.logouts, Kind::Logout),
        ] {
            if left < share {
                return kind;
            }
            left -= share;
        }
        Kind::WhoAmI
    }

    /// How many requests a user makes on average each time that it does something, in
    /// thousandths.
    pub(super) fn requests_permille(&self) -> u32 {
        let beside = u32::from(self.tabs.saturating_sub(1));
        1000 + beside * u32::from(self.visits + self.logouts)
    }
}

impl Default for Mix {
    /// Somebody who shops: half of what it does changes its session.
    fn default() -> Self {
        Self {
            visits: 450,
            carts: 40,
            logouts: 10,
            late: 2,
            tabs: 1,
        }
    }
}
