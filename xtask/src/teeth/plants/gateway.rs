//! The planted bugs of the gateway.

use super::{Hang, Plant};

pub(super) const GATEWAY: &[Plant] = &[
    Plant {
        name: "length_beside_chunked",
        bug: "a request with both a length and chunked is passed on",
        package: "anynode-gateway",
        target: &["--test", "desync"],
        checks: &["nothing_is_smuggled_to_hyper"],
        hang: Hang::Survives,
    },
    Plant {
        name: "nominated_passed",
        bug: "a field that Connection names reaches the backend",
        package: "anynode-gateway",
        target: &["--test", "desync"],
        checks: &["nothing_is_smuggled_to_hyper"],
        hang: Hang::Survives,
    },
    Plant {
        name: "claims_believed",
        bug: "anybody's X-Forwarded-For is believed",
        package: "anynode-gateway",
        target: &["--lib"],
        checks: &["what_a_client_claims_is_replaced_by_what_the_socket_says"],
        hang: Hang::Survives,
    },
    Plant {
        name: "forged_trailers",
        bug: "what a head must not say passes in trailers",
        package: "anynode-gateway",
        target: &["--lib"],
        checks: &["no_spelling_of_a_field_of_the_gateway_passes_and_none_in_trailers"],
        hang: Hang::Survives,
    },
    Plant {
        name: "reused_after_doubt",
        bug: "a connection to a backend is used again after an answer whose end is in doubt",
        package: "anynode-gateway",
        target: &["--test", "desync"],
        checks: &["an_answer_whose_end_is_unclear_is_502_and_its_connection_is_closed"],
        hang: Hang::Survives,
    },
];
