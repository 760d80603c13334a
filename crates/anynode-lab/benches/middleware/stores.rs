//! The servers that keep the sessions of some variants.

use anynode_lab::server::{Kind, Server};

use crate::variant::{Program, Variant};

pub(crate) struct Stores {
    redis: Server,
    postgres: Server,
}

// === impl Stores ===

impl Stores {
    pub(crate) async fn start() -> Self {
        Self {
            redis: Server::start(Kind::Redis).await.unwrap(),
            postgres: Server::start(Kind::Postgres).await.unwrap(),
        }
    }

    /// A URL of a store of its own; empty where a variant needs none.
    pub(crate) fn fresh_url(&self, variant: Variant) -> String {
        let server = match variant.server() {
            None => return String::new(),
            Some(Kind::Postgres) => &self.postgres,
            Some(_) => &self.redis,
        };
        match variant.program() {
            Program::Ours => server.fresh_url(),
            // Its keys are its ids, and it knows no parameters of ours.
            Program::Peers => server
                .url()
                .split('?')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}
