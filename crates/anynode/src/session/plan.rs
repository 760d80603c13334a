//! From what a request recorded to the draft that a store is asked to keep.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Admission, Data, Device, Draft, Due, Kind, Lifetime, Live, Moment, Payload, Presented, Room,
    SessionId, UserId, Version,
};

use super::{
    Arrival,
    state::{Access, Decoded, Loaded, Phase, Wish, Work},
};
use crate::{codec::Place, config::Config, error::SessionError, random};

/// One write: the draft, and what the request's state becomes when it is acknowledged.
pub(super) struct Plan {
    pub(super) draft: Draft,
    pub(super) id: SessionId,
    data: Arc<Data>,
    presented: Presented,
    pub(super) identity: Identity,
}

/// Whether the write gives the client another id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Kept,
    Replaced,
}

/// The first write of a session that does not exist yet; `None` when there is nothing to keep.
pub(super) fn creation(
    config: &Config,
    arrival: &Arrival,
    work: &Work,
) -> Result<Option<Plan>, SessionError> {
    let data = work.delta.apply(&Data::default())?;
    let (user, lifetime) = match &work.wish {
        Wish::Bind { user, lifetime } => (Some(user), *lifetime),
        Wish::Keep | Wish::Rotate if data.is_empty() => return Ok(None),
        Wish::Keep | Wish::Rotate => (None, config.anonymous),
    };
    let id = match arrival.id() {
        Some(chosen) if anynode_core::planted("unknown_id_adopted") => chosen,
        _ => random::session_id(),
    };
    let mut draft = new_draft(&id, arrival.device(), lifetime);
    if let Some(user) = user {
        draft.bind(user.clone(), lifetime, id.secret_hash());
    }
    draft.idle_timeout = work.idle_timeout.unwrap_or(draft.idle_timeout);
    fill(config, &mut draft, &data)?;
    Ok(Some(Plan {
        draft,
        id,
        data: data.into(),
        presented: Presented::Current,
        identity: Identity::Replaced,
    }))
}

/// The write that carries `work` over to the record as it was last seen; `None` when it would
/// change nothing.
pub(super) fn change(
    config: &Config,
    loaded: &mut Loaded,
    arrival: &Arrival,
    work: &Work,
    phase: Phase,
) -> Result<Option<Plan>, SessionError> {
    let due = due(config, loaded, phase);
    if work.is_empty() && due == Due::Nothing {
        return Ok(None);
    }
    let base = carried_over(config, loaded, &work.wish)?;
    let data = work.delta.apply(&base)?;
    let unchanged = data == *base && Arc::ptr_eq(&base, &loaded.whole(&config.sealer)?);
    if unchanged && work.wish == Wish::Keep && work.idle_timeout.is_none() && due == Due::Nothing {
        return Ok(None);
    }
    let record = &loaded.live.record;
    let mut draft = record.draft(record.version.next(random::write_id()));
    let (id, identity) = identify(config, &mut draft, loaded.id, &work.wish, due);
    if matches!(work.wish, Wish::Bind { .. }) {
        draft.device = arrival.device();
    }
    draft.idle_timeout = work.idle_timeout.unwrap_or(draft.idle_timeout);
    fill(config, &mut draft, &data)?;
    Ok(Some(Plan {
        draft,
        id,
        data: data.into(),
        presented: match identity {
            Identity::Kept => loaded.presented,
            Identity::Replaced => Presented::Current,
        },
        identity,
    }))
}

// === impl Plan ===

impl Plan {
    /// What the request knows once the store has kept the draft like this.
    pub(super) fn kept(&self, live: Live) -> Loaded {
        Loaded {
            admission: Admission::new(&live.record, self.id.secret_hash()),
            presented: self.presented,
            id: self.id,
            data: Decoded::Whole(self.data.clone()),
            access: Access::ReadWrite,
            live,
        }
    }
}

/// What rotation asks for. A new secret only while its cookie can still be set.
fn due(config: &Config, loaded: &Loaded, phase: Phase) -> Due {
    let Some(rotation) = config.rotation else {
        return Due::Nothing;
    };
    match rotation.due(&loaded.live.record, loaded.presented, loaded.live.now) {
        Due::Rotate | Due::RotateAgain if phase != Phase::Handler => Due::Nothing,
        due => due,
    }
}

/// The data that the changes are applied to: nothing of another user's.
fn carried_over(
    config: &Config,
    loaded: &mut Loaded,
    wish: &Wish,
) -> Result<Arc<Data>, SessionError> {
    if let (Wish::Bind { user, .. }, Some(before)) = (wish, loaded.live.record.user())
        && user != before
    {
        return Ok(Arc::default());
    }
    loaded.whole(&config.sealer)
}

fn identify(
    config: &Config,
    draft: &mut Draft,
    id: SessionId,
    wish: &Wish,
    due: Due,
) -> (SessionId, Identity) {
    let fresh = || {
        if anynode_core::planted("rotation_without_secret_change") {
            return id;
        }
        SessionId::new(id.handle(), random::secret())
    };
    match (wish, due, config.rotation) {
        (Wish::Bind { user, lifetime }, _, _) => {
            let id = fresh();
            draft.bind(user.clone(), *lifetime, id.secret_hash());
            (id, Identity::Replaced)
        }
        (Wish::Rotate, _, _) => {
            let id = fresh();
            draft.replace_secret(id.secret_hash());
            (id, Identity::Replaced)
        }
        (Wish::Keep, Due::Rotate, Some(rotation)) => {
            let id = fresh();
            rotation.rotate(draft, id.secret_hash());
            (id, Identity::Replaced)
        }
        (Wish::Keep, Due::RotateAgain, Some(rotation)) => {
            let id = fresh();
            rotation.rotate_again(draft, id.secret_hash());
            (id, Identity::Replaced)
        }
        (Wish::Keep, Due::StartGrace, Some(rotation)) => {
            rotation.start_grace(draft);
            (id, Identity::Kept)
        }
        _ => (id, Identity::Kept),
    }
}

/// Encodes the data for exactly this draft, within the budget.
pub(crate) fn fill(config: &Config, draft: &mut Draft, data: &Data) -> Result<(), SessionError> {
    let place = Place {
        handle: draft.handle,
        user: draft.user.as_ref().map(UserId::as_str),
        version: draft.version,
    };
    let payload = config.sealer.encode(&place, data)?;
    if config.budget.check(payload.len(), data)? == Room::Scarce {
        tracing::warn!(
            handle = %draft.handle,
            bytes = payload.len(),
            "a session has used half of its budget"
        );
    }
    draft.payload = Payload::new(payload);
    Ok(())
}

fn new_draft(id: &SessionId, device: Device, lifetime: Lifetime) -> Draft {
    Draft {
        handle: id.handle(),
        kind: Kind::Session,
        secret: id.secret_hash(),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(random::write_id()),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: lifetime.idle.max(Duration::from_millis(1)),
        deadline: Moment::After(lifetime.absolute),
        payload: Payload::new(Vec::new()),
        device,
    }
}
