//! The laws behind boxes, so that they are compiled here, once: the body of an `async fn` is
//! compiled by each crate that awaits it.
#![allow(missing_docs, reason = "each law is documented where it is")]

use std::pin::Pin;

/// Ends when the law held, and panics when it did not.
pub type Verdict<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

crate::laws_of_a_store! { contract_boxed_emit {} any }
crate::laws_of_a_store! { contract_boxed_emit {} moved }
