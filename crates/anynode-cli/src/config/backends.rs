//! Backends, in the configuration or in a file of their own.

use std::collections::HashMap;
use std::num::{NonZeroU16, NonZeroU32};

use anynode::core::balance::BACKENDS_MAX;
use anynode_gateway::{Backend, Duty, Incarnation};

use super::section::Section;
use super::value::{address, number, text, word};

/// Names stand in logs and metrics.
const NAME_BYTES_MAX: usize = 64;

/// More requests at once than a node serves; no bound is written by leaving it out.
const IN_FLIGHT_MOST: i64 = 1_000_000;

/// What tells one life of a node from the next, such as a time or a random number.
const INCARNATION_BYTES_MAX: usize = 128;

/// Reads the `[[backend]]` tables.
pub(super) fn read(root: &mut Section<'_>) -> Vec<Backend> {
    let mut backends: Vec<Backend> = Vec::new();
    let mut names = HashMap::new();
    let sections = root.tables("backend");
    if sections.len() > BACKENDS_MAX {
        let message = format!(
            "there are {} of them, and at most {BACKENDS_MAX}",
            sections.len()
        );
        root.refuse("backend", &message);
        return backends;
    }
    for (number, mut section) in sections.into_iter().enumerate() {
        let Some(backend) = backend(&mut section) else {
            section.finish();
            continue;
        };
        if let Some(other) = names.insert(backend.name.clone(), number) {
            section.refuse("name", &format!("backend[{other}] has this name already"));
        }
        if let Some(other) = backends.iter().find(|of| of.address == backend.address) {
            let message = format!("the backend {:?} has this address already", other.name);
            section.refuse("address", &message);
        }
        section.finish();
        backends.push(backend);
    }
    backends
}

fn backend(section: &mut Section<'_>) -> Option<Backend> {
    let name = section.required("name", "\"n1\"", text(1..=NAME_BYTES_MAX));
    let address = section.required("address", "\"10.0.0.7:8080\"", |value| {
        let address = address(value)?;
        if address.port() == 0 {
            return Err("port 0 is nobody's; write the port where the backend listens".to_owned());
        }
        Ok(address)
    });
    let most = i64::from(u16::MAX);
    let weight = section.optional("weight", number::<u16>(1..=most));
    let duty = [("up", Duty::Serving), ("drain", Duty::Draining)];
    let duty = section.optional("state", word(&duty));
    let in_flight_max = section.optional("in_flight_max", number::<u32>(1..=IN_FLIGHT_MOST));
    let life = section.optional("incarnation", text(1..=INCARNATION_BYTES_MAX));

    let mut backend = Backend::new(name?, address?);
    if let Some(weight) = weight.and_then(NonZeroU16::new) {
        backend.weight = weight;
    }
    if let Some(life) = life {
        backend.incarnation = Incarnation::named(&backend.name, &life);
    }
    backend.duty = duty.unwrap_or_default();
    backend.in_flight_max = in_flight_max.and_then(NonZeroU32::new);
    Some(backend)
}
