//! Waiting until every node has confirmed what was acknowledged before.

use std::{future::Future, time::Duration};

use anynode_core::{
    Receipt,
    near::{Confirmation, Proof, Step},
    store::Result,
};
use metrics::{counter, histogram};

use crate::{
    clock::{boot_time, within},
    timely::Timely,
};

/// Has every registered node pass a barrier that begins after this call, and tells who did. Core
/// decides what is asked and when that is enough ([`Confirmation`]).
///
/// It ends by the bound, or some seconds later where the store is silent: what fails is part of
/// the receipt, because what was acknowledged before stands all the same.
pub(crate) async fn confirm(store: &Timely, term: Duration) -> Receipt {
    let mut confirmation = Confirmation::new(term, boot_time());
    loop {
        let now = boot_time();
        let limit = confirmation.patience(now);
        match confirmation.next(now) {
            Step::Call => {
                let roll = answer(limit, store.call_roll()).await;
                confirmation.called(roll, boot_time());
            }
            Step::Look => {
                let nodes = answer(limit, store.nodes()).await;
                confirmation.looked(nodes.as_deref(), boot_time());
            }
            Step::Inspect => {
                let facts = answer(limit, store.inspect()).await;
                let deposed = facts.map(|facts| facts.deposed);
                confirmation.inspected(deposed, boot_time());
            }
            Step::Rest(rest) => tokio::time::sleep(rest).await,
            Step::Done(receipt) => {
                count(&receipt);
                return receipt;
            }
        }
    }
}

/// What the store answers in time.
async fn answer<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Option<T> {
    within(limit, call).await?.ok()
}

fn count(receipt: &Receipt) {
    let proof = match receipt.proof {
        Proof::Confirmed => "confirmed",
        Proof::Validated => "validated",
        Proof::Bound(_) => "bound",
        Proof::Unbounded | Proof::Unknown => "none",
    };
    counter!("anynode_receipts_total", "proof" => proof).increment(1);
    histogram!("anynode_receipt_seconds").record(receipt.took.as_secs_f64());
    if !receipt.is_proven() {
        tracing::warn!(%receipt, "a revocation was acknowledged and is not confirmed");
    }
}
