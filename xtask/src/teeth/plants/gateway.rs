//! The planted bugs of the gateway.

use super::{Hang, Plant};

pub(super) const GATEWAY: &[Plant] = &[
    Plant {
        name: "length_beside_chunked",
        bug: "a request with both a length and chunked is passed on",
        package: "anynode-gateway",
        target: &["--test", "wire"],
        checks: &["what_is_no_clear_request_is_refused_and_reaches_no_backend"],
        hang: Hang::Survives,
    },
    Plant {
        name: "nominated_passed",
        bug: "a field that Connection names reaches the backend",
        package: "anynode-gateway",
        target: &["--test", "wire"],
        checks: &["hop_by_hop_fields_of_a_request_do_not_reach_the_backend"],
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
        target: &["--test", "wire"],
        checks: &["a_connection_over_which_a_doubtful_answer_came_is_not_used_again"],
        hang: Hang::Survives,
    },
];
