//! One direction of a connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::orders::{Ending, Orders};
use super::piece::{Fate, Piece};
use super::proxy::Counts;
use super::{Act, Fault, Way, Which};
use crate::clock::boot_time;

/// The longest piece.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// How many pieces may be under way; then the sender has to wait, as with a full window.
const PIECES_MAX: usize = 64;

/// One direction of a connection.
pub(super) struct Flow<'a> {
    direction: Way,
    rng: fastrand::Rng,
    ordered: watch::Receiver<Orders>,
    counts: &'a Counts,
    /// When the last piece arrives: none that follows arrives before it.
    latest: Duration,
}

/// How single bytes follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    AtOnce,
    Bytewise(Duration),
}

// === impl Flow ===

impl<'a> Flow<'a> {
    pub(super) fn new(
        direction: Way,
        seed: u64,
        ordered: watch::Receiver<Orders>,
        counts: &'a Counts,
    ) -> Self {
        Self {
            direction,
            rng: fastrand::Rng::with_seed(seed),
            ordered,
            counts,
            latest: Duration::ZERO,
        }
    }

    /// Forwards until the stream ends, or the connection is to be ended.
    pub(super) async fn run(
        mut self,
        mut from: impl AsyncReadExt + Unpin,
        to: impl AsyncWriteExt + Unpin,
    ) -> Result<(), Ending> {
        let (send, pieces) = mpsc::channel(PIECES_MAX);
        let writer = Writer {
            direction: self.direction,
            ordered: self.ordered.clone(),
            counts: self.counts,
        };
        let read = async move {
            let mut buffer = vec![0; PIECE_BYTES_MAX];
            loop {
                let piece = match from.read(&mut buffer).await {
                    Ok(count) => self.judge(buffer[..count].to_vec()),
                    Err(_) => Piece::reset(),
                };
                let is_last = piece.bytes.is_empty();
                if send.send(piece).await.is_err() || is_last {
                    return Ok(());
                }
            }
        };
        let ((), ()) = tokio::try_join!(read, writer.write(pieces, to))?;
        Ok(())
    }

    fn judge(&mut self, mut bytes: Vec<u8>) -> Piece {
        let orders = self.ordered.borrow().clone();
        let fate = match orders.fault {
            Fault::Delay { way, by, jitter } if way.covers(self.direction) => {
                let more = jitter.mul_f64(self.rng.f64());
                self.late(by + more)
            }
            Fault::Reply { which, act }
                if self.direction == Way::ToClient
                    && !bytes.is_empty()
                    && which.means(&bytes, self.counts) =>
            {
                self.counts.hit();
                match act {
                    Act::Garble => {
                        bytes.fill_with(|| self.rng.u8(..));
                        Fate::Arrives
                    }
                    Act::Hold => Fate::Held(orders.number),
                    Act::Delay(by) => self.late(by),
                    Act::Reset => Fate::Resets,
                    Act::Cut => Fate::Cuts,
                }
            }
            _ => Fate::Arrives,
        };
        Piece { bytes, fate }
    }

    fn late(&mut self, by: Duration) -> Fate {
        self.latest = self.latest.max(boot_time() + by);
        Fate::ArrivesAt(self.latest)
    }
}

/// Who lets pieces arrive.
struct Writer<'a> {
    direction: Way,
    ordered: watch::Receiver<Orders>,
    counts: &'a Counts,
}

// === impl Writer ===

impl Writer<'_> {
    async fn write(
        mut self,
        mut pieces: mpsc::Receiver<Piece>,
        mut to: impl AsyncWriteExt + Unpin,
    ) -> Result<(), Ending> {
        while let Some(piece) = pieces.recv().await {
            self.await_time_of(piece.fate).await;
            let fault = self.past_stall().await;
            let pace = match fault {
                Fault::BlackHole(way) if way.covers(self.direction) => {
                    return self.swallow(pieces).await;
                }
                Fault::Drip { way, every } if way.covers(self.direction) => Pace::Bytewise(every),
                Fault::SingleBytes(way) if way.covers(self.direction) => {
                    Pace::Bytewise(Duration::ZERO)
                }
                _ => Pace::AtOnce,
            };
            match piece.fate {
                Fate::Resets => return Err(Ending::Reset),
                Fate::Cuts => return Err(Ending::Cut),
                Fate::Arrives | Fate::ArrivesAt(_) | Fate::Held(_) => {}
            }
            if piece.bytes.is_empty() {
                to.shutdown().await.map_err(|_| Ending::Reset)?;
                return Ok(());
            }
            if piece.fate != Fate::Arrives || pace != Pace::AtOnce {
                self.counts.hit();
            }
            let written = self.put(&piece.bytes, pace, &mut to).await;
            written.map_err(|_| Ending::Reset)?;
        }
        Ok(())
    }

    async fn await_time_of(&mut self, fate: Fate) {
        match fate {
            Fate::Arrives | Fate::Resets | Fate::Cuts => {}
            Fate::ArrivesAt(time) => sleep(time.saturating_sub(boot_time())).await,
            Fate::Held(number) => {
                let _ = self
                    .ordered
                    .wait_for(|orders| orders.number != number)
                    .await;
            }
        }
    }

    /// What is done to this direction, once it is something else than to let it wait.
    async fn past_stall(&mut self) -> Fault {
        let direction = self.direction;
        let goes_on = |orders: &Orders| match orders.fault {
            Fault::Stall(way) => !way.covers(direction),
            _ => true,
        };
        match self.ordered.wait_for(goes_on).await {
            Ok(orders) => orders.fault.clone(),
            Err(_) => Fault::None,
        }
    }

    /// Takes everything and lets nothing arrive: after a hole, nothing of a stream does.
    async fn swallow(self, mut pieces: mpsc::Receiver<Piece>) -> Result<(), Ending> {
        self.counts.hit();
        while pieces.recv().await.is_some() {}
        // The other side is not told of the end, so it is for it to end the connection.
        std::future::pending().await
    }

    async fn put(
        &self,
        bytes: &[u8],
        pace: Pace,
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> std::io::Result<()> {
        let Pace::Bytewise(every) = pace else {
            return to.write_all(bytes).await;
        };
        let number = self.ordered.borrow().number;
        for byte in bytes {
            // What is left when the order changes arrives at once.
            if self.ordered.borrow().number == number {
                sleep(every).await;
                // It has to be sent before the next one comes, or both are sent as one.
                yield_now().await;
            }
            to.write_all(&[*byte]).await?;
        }
        Ok(())
    }
}

// === impl Which ===

impl Which {
    fn means(&self, bytes: &[u8], counts: &Counts) -> bool {
        let number = counts.next_reply();
        match self {
            Self::Nth(meant) => number == *meant,
            Self::Every(count) => number.is_multiple_of((*count).max(1)),
            Self::Matching(meant) => bytes.windows(meant.len().max(1)).any(|part| part == meant),
        }
    }
}
