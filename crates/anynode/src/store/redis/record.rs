//! Records as bytes: a head that the functions of the server judge by, and a body that only
//! nodes read.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    Binding, Cause, Device, Draft, Epoch, Handle, Kind, Moment, Payload, Previous, Record,
    SecretHash, Spared, Timestamp, Tombstone, UserEntry, UserId, Version, WriteId,
};

use super::fault::Fault;

/// The first byte of a record in the only format there is.
const FORMAT: u8 = 1;

const PREVIOUS: u8 = 1;
const AUTHENTICATED: u8 = 2;
const LABEL: u8 = 4;
const ADDRESS: u8 = 8;

/// What a write sends of a draft. Moments counted from the write stay relative: the server adds
/// the time to the head alone, and [`decode`] settles the body by it.
pub(super) struct Encoded {
    pub(super) version: [u8; 16],
    pub(super) idle_timeout: [u8; 8],
    pub(super) deadline: String,
    pub(super) body: Vec<u8>,
}

// === impl Encoded ===

impl Encoded {
    pub(super) fn of(draft: &Draft) -> Self {
        let deadline = match draft.deadline {
            Moment::At(at) => format!("a{}", at.as_millis()),
            Moment::After(by) => format!("r{}", (Timestamp::default() + by).as_millis()),
        };
        Self {
            version: version(&draft.version),
            idle_timeout: whole_millis(draft.idle_timeout).to_be_bytes(),
            deadline,
            body: body(draft),
        }
    }
}

/// The version as a record holds it.
pub(super) fn version(version: &Version) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&version.counter.to_be_bytes());
    bytes[8..].copy_from_slice(version.write.as_bytes());
    bytes
}

/// The draft with its idle timeout in the milliseconds that are kept: rounded up, so that the
/// shortest is not none at all.
pub(super) fn rounded(draft: &Draft) -> Draft {
    Draft {
        idle_timeout: Duration::from_millis(whole_millis(draft.idle_timeout)),
        ..draft.clone()
    }
}

/// The record in these bytes.
pub(super) fn decode(handle: &Handle, bytes: &[u8]) -> Result<Record, Fault> {
    let mut bytes = Bytes(bytes);
    if bytes.byte("format")? != FORMAT {
        return Err(Fault::Corrupt("a record has an unknown format"));
    }
    let version = Version {
        counter: bytes.number("counter")?,
        write: WriteId::from_bytes(bytes.take("write")?),
    };
    let idle_timeout = Duration::from_millis(bytes.number("idle timeout")?);
    let deadline = bytes.time("deadline")?;
    let written_at = bytes.time("time of the write")?;
    let stamp = Epoch::from_micros(bytes.number("stamp")?);
    bytes.take::<3>("tag")?;
    let user = user(bytes.text("user")?)?;
    let binding = user.map(|user| Binding { user, stamp });
    let kind = Kind::from_code(bytes.byte("kind")?).ok_or(corrupt("kind"))?;
    let secret = SecretHash::from_bytes(bytes.take("secret")?);
    let parts = bytes.byte("parts")?;
    let has = |part: u8| parts & part != 0;
    Ok(Record {
        handle: *handle,
        kind,
        secret,
        secret_since: bytes.moment(written_at)?,
        created_at: bytes.moment(written_at)?,
        previous: match has(PREVIOUS) {
            false => None,
            true => Some(Previous {
                secret: SecretHash::from_bytes(bytes.take("previous secret")?),
                until: bytes.moment(written_at)?,
            }),
        },
        authenticated_at: match has(AUTHENTICATED) {
            false => None,
            true => Some(bytes.moment(written_at)?),
        },
        device: Device {
            label: bytes.text_if(has(LABEL), "label")?,
            address: bytes.text_if(has(ADDRESS), "address")?,
        },
        version,
        binding,
        idle_timeout,
        deadline,
        payload: Payload::new(bytes.0),
    })
}

/// What is needed to judge a session of a user without its data.
pub(super) struct Judged {
    pub(super) handle: Handle,
    pub(super) version: [u8; 16],
    pub(super) user: UserId,
    pub(super) stamp: Epoch,
}

/// The head of a record of a bound session in the first bytes of it.
pub(super) fn judged(handle: Handle, bytes: &[u8]) -> Result<Judged, Fault> {
    let mut bytes = Bytes(bytes);
    bytes.byte("format")?;
    let version = bytes.take("version")?;
    bytes.slice(24, "times")?;
    let stamp = Epoch::from_micros(bytes.number("stamp")?);
    bytes.take::<3>("tag")?;
    let user = user(bytes.text("user")?)?.ok_or(corrupt("user"))?;
    Ok(Judged {
        handle,
        version,
        user,
        stamp,
    })
}

/// The user of this name; the empty one is none.
pub(super) fn user(name: &str) -> Result<Option<UserId>, Fault> {
    if name.is_empty() {
        return Ok(None);
    }
    UserId::new(name).map(Some).map_err(|_| corrupt("user"))
}

/// The tombstone that is kept as this number: when it ends, and why in the last four bits.
pub(super) fn tombstone(handle: Handle, number: u64) -> Result<Tombstone, Fault> {
    let code = u8::try_from(number % 16).expect("less than 16");
    Ok(Tombstone {
        handle,
        cause: Cause::from_code(code).ok_or(corrupt("cause"))?,
        until: Timestamp::from_millis(number / 16),
    })
}

/// The entry of a user in these bytes; none are none.
pub(super) fn entry(bytes: &[u8]) -> Result<Option<UserEntry>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut bytes = Bytes(bytes);
    let epoch = Epoch::from_micros(bytes.number("epoch")?);
    bytes.time("end of an entry")?;
    let spared = if bytes.0.is_empty() {
        None
    } else {
        Some(Spared {
            handle: Handle::from_bytes(bytes.take("spared")?),
            from: Epoch::from_micros(bytes.number("spared from")?),
        })
    };
    Ok(Some(UserEntry { epoch, spared }))
}

fn body(draft: &Draft) -> Vec<u8> {
    let flag = |present: bool, part: u8| if present { part } else { 0 };
    let (label, address) = (&draft.device.label, &draft.device.address);
    let parts = flag(draft.previous.is_some(), PREVIOUS)
        | flag(draft.authenticated_at.is_some(), AUTHENTICATED)
        | flag(label.is_some(), LABEL)
        | flag(address.is_some(), ADDRESS);
    let mut body = Vec::with_capacity(128 + draft.payload.len());
    body.push(draft.kind.code());
    body.extend(draft.secret.as_bytes());
    body.push(parts);
    push_moment(&mut body, draft.secret_since);
    push_moment(&mut body, draft.created_at);
    if let Some(previous) = &draft.previous {
        body.extend(previous.secret.as_bytes());
        push_moment(&mut body, previous.until);
    }
    if let Some(at) = draft.authenticated_at {
        push_moment(&mut body, at);
    }
    for text in [label, address].into_iter().flatten() {
        body.push(u8::try_from(text.len()).expect("a draft that was checked has short texts"));
        body.extend(text.as_bytes());
    }
    body.extend(draft.payload.as_bytes());
    body
}

fn push_moment(body: &mut Vec<u8>, moment: Moment) {
    let (kind, millis) = match moment {
        Moment::At(at) => (0, at.as_millis()),
        Moment::After(by) => (1, (Timestamp::default() + by).as_millis()),
    };
    body.push(kind);
    body.extend(millis.to_be_bytes());
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn corrupt(part: &'static str) -> Fault {
    Fault::Corrupt(part)
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

// === impl Bytes ===

impl<'a> Bytes<'a> {
    fn slice(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(corrupt(part))?;
        self.0 = rest;
        Ok(head)
    }

    fn take<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Fault> {
        let (head, rest) = self.0.split_first_chunk().ok_or(corrupt(part))?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self, part: &'static str) -> Result<u8, Fault> {
        self.take(part).map(|[byte]| byte)
    }

    fn number(&mut self, part: &'static str) -> Result<u64, Fault> {
        self.take(part).map(u64::from_be_bytes)
    }

    fn time(&mut self, part: &'static str) -> Result<Timestamp, Fault> {
        self.number(part).map(Timestamp::from_millis)
    }

    fn moment(&mut self, written_at: Timestamp) -> Result<Timestamp, Fault> {
        let (kind, millis) = (self.byte("moment")?, self.number("moment")?);
        match kind {
            0 => Ok(Timestamp::from_millis(millis)),
            1 => Ok(written_at + Duration::from_millis(millis)),
            _ => Err(corrupt("moment")),
        }
    }

    fn text(&mut self, part: &'static str) -> Result<&'a str, Fault> {
        let length = usize::from(self.byte(part)?);
        std::str::from_utf8(self.slice(length, part)?).map_err(|_| corrupt(part))
    }

    fn text_if(&mut self, present: bool, part: &'static str) -> Result<Option<Arc<str>>, Fault> {
        match present {
            true => Ok(Some(self.text(part)?.into())),
            false => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn draft() -> Draft {
        Draft {
            handle: Handle::from_bytes([7; 16]),
            kind: Kind::RefreshFamily,
            secret: SecretHash::from_bytes([1; 32]),
            secret_since: Moment::NOW,
            previous: Some(Previous {
                secret: SecretHash::from_bytes([2; 32]),
                until: Moment::After(Duration::from_secs(9)),
            }),
            version: Version::first(WriteId::from_bytes([3; 8])),
            user: Some(UserId::new("ada\0\u{1f511}").expect("a name")),
            created_at: Moment::At(Timestamp::from_millis(5)),
            authenticated_at: Some(Moment::NOW),
            idle_timeout: Duration::from_secs(60),
            deadline: Moment::After(Duration::from_secs(600)),
            payload: Payload::new(*b"\0data\xff"),
            device: Device::new(Some(""), Some("::1")),
        }
    }

    /// As the function of the server puts a record together.
    fn kept(draft: &Draft) -> Vec<u8> {
        let encoded = Encoded::of(draft);
        let settled = draft.settle(NOW, Epoch::from_micros(77));
        let user = draft.user.as_ref().map_or("", UserId::as_str);
        let mut bytes = vec![FORMAT];
        bytes.extend(encoded.version);
        bytes.extend(encoded.idle_timeout);
        bytes.extend(settled.deadline.as_millis().to_be_bytes());
        bytes.extend(NOW.as_millis().to_be_bytes());
        bytes.extend(77_u64.to_be_bytes());
        bytes.extend(b"abc");
        bytes.push(u8::try_from(user.len()).expect("short"));
        bytes.extend(user.as_bytes());
        bytes.extend(encoded.body);
        bytes
    }

    #[test]
    fn a_record_reads_back_as_it_was_settled() {
        let full = draft();
        let mut bare = draft();
        (bare.previous, bare.authenticated_at, bare.user) = (None, None, None);
        (bare.device, bare.payload) = (Device::default(), Payload::new([]));
        for draft in [full, bare] {
            let record = decode(&draft.handle, &kept(&draft)).expect("reads back");
            assert_eq!(record, draft.settle(NOW, Epoch::from_micros(77)));
        }
    }

    #[test]
    fn a_record_that_is_cut_short_or_of_another_format_is_corrupt() {
        let whole = kept(&draft());
        let least = whole.len() - draft().payload.len();
        for length in 0..least {
            let fault = decode(&draft().handle, &whole[..length]).expect_err("is cut short");
            assert!(matches!(fault, Fault::Corrupt(_)), "{length}");
        }
        let mut other = whole;
        other[0] = 2;
        assert!(decode(&draft().handle, &other).is_err());
    }

    #[test]
    fn an_idle_timeout_is_kept_in_milliseconds_and_never_as_none() {
        let mut short = draft();
        short.idle_timeout = Duration::from_nanos(1);
        assert_eq!(rounded(&short).idle_timeout, Duration::from_millis(1));
    }

    #[test]
    fn an_entry_reads_back_with_and_without_a_spared_session() {
        let mut bytes = Vec::from(9_u64.to_be_bytes());
        bytes.extend(5_u64.to_be_bytes());
        let plain = entry(&bytes).expect("reads back").expect("is there");
        assert_eq!((plain.epoch.as_micros(), plain.spared), (9, None));
        bytes.extend([4; 16]);
        bytes.extend(8_u64.to_be_bytes());
        let spared = entry(&bytes).expect("reads back").expect("is there").spared;
        let spared = spared.expect("spares one");
        assert_eq!(spared.handle, Handle::from_bytes([4; 16]));
        assert_eq!(spared.from.as_micros(), 8);
        assert_eq!(entry(&[]).expect("none is none"), None);
        assert!(entry(&bytes[..30]).is_err());
    }
}
