//! When a file has changed: its content is another one, and was so twice in a row.
//!
//! A file that is written in place is seen half written; one that is deleted and made again is seen missing.
//! One that never rests is taken as it is all the same, or backends that are long gone would stay.

use std::io;

/// What was seen of a file: its content, or why there is none.
pub(super) type Sight = Result<Vec<u8>, io::ErrorKind>;

/// After how many looks in a row, each of which saw another content, the last one counts.
const RESTLESS_MAX: u32 = 10;

/// What is known of a file.
#[derive(Debug)]
pub(super) struct Watch {
    judged: Sight,
    /// Seen once, and another one than was judged.
    candidate: Option<Sight>,
    /// How many candidates there were since a content was judged or seen again.
    restless: u32,
}

// === impl Watch ===

impl Watch {
    /// A file of which this content is known already.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            judged: Ok(bytes),
            candidate: None,
            restless: 0,
        }
    }

    /// Takes what was seen, and returns it when it is to be judged: it is new, and was seen before.
    pub(super) fn look(&mut self, sight: Sight) -> Option<Sight> {
        if sight == self.judged {
            self.candidate = None;
            self.restless = 0;
            return None;
        }
        self.restless += 1;
        if self.candidate.as_ref() != Some(&sight) && self.restless < RESTLESS_MAX {
            self.candidate = Some(sight);
            return None;
        }
        Some(self.judge(sight))
    }

    /// Takes what was seen as it is.
    pub(super) fn judge(&mut self, sight: Sight) -> Sight {
        self.candidate = None;
        self.restless = 0;
        self.judged.clone_from(&sight);
        sight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Sight {
        Ok(text.as_bytes().to_vec())
    }

    #[test]
    fn a_change_is_judged_once_it_rests() {
        let mut watch = Watch::new(b"old".to_vec());
        assert_eq!(watch.look(content("old")), None);
        assert_eq!(watch.look(content("")), None);
        assert_eq!(watch.look(content("ne")), None);
        assert_eq!(watch.look(content("new")), None);
        assert_eq!(watch.look(content("new")), Some(content("new")));
        assert_eq!(watch.look(content("new")), None);
    }

    #[test]
    fn a_file_that_never_rests_is_judged_every_tenth_time() {
        let mut watch = Watch::new(b"old".to_vec());
        let judged: Vec<_> = (1..=35)
            .filter(|number| watch.look(content(&number.to_string())).is_some())
            .collect();
        assert_eq!(judged, [10, 20, 30]);
    }

    #[test]
    fn a_file_that_is_missing_for_a_moment_is_no_change() {
        let mut watch = Watch::new(b"old".to_vec());
        let missing = || Err(io::ErrorKind::NotFound);
        assert_eq!(watch.look(missing()), None);
        assert_eq!(watch.look(content("old")), None);
        assert_eq!(watch.look(missing()), None);
        assert_eq!(watch.look(missing()), Some(missing()));
        assert_eq!(watch.look(missing()), None);
    }
}
