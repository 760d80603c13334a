//! What standbys make of a promise: how safe an acknowledged write is, and who has it.

use std::time::Duration;

use super::{
    facts::{Deposed, Durability},
    fence::Disk,
};

/// What a server that copies its log says of its copies.
///
/// ```
/// # use anynode_core::store::{Disk, Durability, Standbys};
/// let standbys = Standbys { awaited: 0, known: 1 };
/// assert_eq!(standbys.durability(Disk::First), Durability::Asynchronous);
/// assert!(!standbys.all_have_all());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standbys {
    /// How many of them a commit waits for.
    pub awaited: u32,
    /// The most there were at any time that is remembered: one that is away may be promoted
    /// all the same.
    pub known: u32,
}

// === impl Standbys ===

impl Standbys {
    /// How safe a write is that such a server acknowledged, when it had it on `disk`.
    pub fn durability(self, disk: Disk) -> Durability {
        match (disk, self.awaited, self.known) {
            (Disk::Later, _, _) | (Disk::First, 0, 1..) => Durability::Asynchronous,
            (Disk::First, 1.., _) => Durability::Quorum,
            (Disk::First, 0, 0) => Durability::Majority,
        }
    }

    /// Whether whichever is promoted has every write that was acknowledged.
    pub fn all_have_all(self) -> bool {
        self.awaited > 0 && self.awaited >= self.known
    }

    /// How long a server that was deposed is believed by who asks it for a proof that its
    /// commits are acknowledged, and believes that for so long.
    ///
    /// Where commits wait for some standbys of several, those that were not promoted may go on
    /// to acknowledge them.
    pub fn deposed(self, proof_lasts: Duration) -> Deposed {
        match (self.awaited, self.known) {
            (0, 0) => Deposed::Never,
            _ if self.all_have_all() => Deposed::Within(proof_lasts),
            _ => Deposed::Unbounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standbys(awaited: u32, known: u32) -> Standbys {
        Standbys { awaited, known }
    }

    #[test]
    fn a_write_is_worth_what_its_server_waited_for() {
        let check = |awaited, known, disk, expected| {
            let judged = standbys(awaited, known).durability(disk);
            assert_eq!(judged, expected, "{awaited} {known} {disk:?}");
        };
        check(0, 0, Disk::First, Durability::Majority);
        check(1, 1, Disk::First, Durability::Quorum);
        check(1, 0, Disk::First, Durability::Quorum);
        check(0, 1, Disk::First, Durability::Asynchronous);
        check(1, 1, Disk::Later, Durability::Asynchronous);
        check(0, 0, Disk::Later, Durability::Asynchronous);
    }

    #[test]
    fn one_of_several_standbys_may_lack_what_another_acknowledged() {
        assert!(standbys(1, 1).all_have_all());
        assert!(standbys(2, 2).all_have_all());
        assert!(standbys(1, 0).all_have_all());
        assert!(!standbys(1, 2).all_have_all());
        assert!(!standbys(0, 1).all_have_all());
    }

    #[test]
    fn a_deposed_server_is_believed_for_the_life_of_a_proof_if_nobody_else_acknowledges() {
        let second = Duration::from_secs(1);
        let check = |awaited, known, expected| {
            assert_eq!(standbys(awaited, known).deposed(second), expected);
        };
        check(0, 0, Deposed::Never);
        check(1, 1, Deposed::Within(second));
        check(1, 2, Deposed::Unbounded);
        check(0, 1, Deposed::Unbounded);
    }
}
