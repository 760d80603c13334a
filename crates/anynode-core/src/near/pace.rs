//! How often a node proves that it hears everything, and how soon it tries again when it does not.

use std::time::Duration;

use crate::store::ChannelKind;

/// How often a barrier is begun. Under a lease three fit into its term, so that one that is late
/// costs nothing. Where copies are validated at every read, barriers only tell that the node
/// lives: a node is forgotten after three seconds of silence.
pub fn beat_every(kind: ChannelKind, term: Duration) -> Duration {
    match kind {
        ChannelKind::Leased => term / 3,
        ChannelKind::ValidatedPerRead => HEARTBEAT,
    }
}

/// How long a barrier may take before its channel counts as lost although it does not say so. The
/// lease has ended by then, so this costs nothing but the time until another channel is opened.
pub fn overdue_after(term: Duration) -> Duration {
    term.max(HEARTBEAT) * 2
}

/// How long to wait before the try after the `failures`-th failure in a row, counted from 0: a
/// random part of 20 ms, doubled with each up to about a second, so that a fleet does not come
/// back in step. At least a quarter of it, so that nobody tries without a pause.
///
/// `random` is any number from the operating system's random source.
pub fn reconnect_pause(failures: u32, random: u64) -> Duration {
    let most_micros = 20_000_u64 << failures.min(6);
    Duration::from_micros(most_micros / 4 + random % (most_micros / 4 * 3))
}

const HEARTBEAT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_barriers_fit_into_a_lease() {
        let term = Duration::from_millis(900);
        assert_eq!(beat_every(ChannelKind::Leased, term), term / 3);
        let validated = beat_every(ChannelKind::ValidatedPerRead, Duration::ZERO);
        assert_eq!(validated, HEARTBEAT);
    }

    #[test]
    fn a_pause_grows_to_about_a_second_and_is_never_nothing() {
        for failures in [0, 1, 6, 7, 1_000] {
            let most = Duration::from_micros(20_000 << failures.min(6));
            for random in [0, 1, u64::MAX] {
                let pause = reconnect_pause(failures, random);
                assert!(most / 4 <= pause && pause < most, "{pause:?} of {most:?}");
            }
        }
    }
}
