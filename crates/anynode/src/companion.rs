//! The companion of the session cookie: which version of its session a client has seen last.
//!
//! It goes out with a response that wrote the session and lives for two seconds, longer than a
//! lease of the default. A node whose copy is of another version reads through, so that a client
//! sees its own writes on whichever node its next request arrives. Nothing else is believed of
//! it: whoever makes one up has the store asked for their own session.

use std::time::Duration;

use anynode_core::{Version, WriteId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// How long a client tells of a write: by then every node knows of it, or asks.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(2);

/// What stands between the name of the session cookie and the value of its companion.
const SUFFIX: &[u8] = b"-seen=";

/// The value that tells of a version.
pub(crate) fn value(version: &Version) -> String {
    let mut bytes = [0; 16];
    let (counter, write) = bytes.split_at_mut(8);
    counter.copy_from_slice(&version.counter.to_be_bytes());
    write.copy_from_slice(version.write.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The version that a pair of a `Cookie` header tells of, if it is a companion of the cookie `name`.
pub(crate) fn seen(pair: &[u8], name: &str) -> Option<Version> {
    let pair = pair.trim_ascii().strip_prefix(name.as_bytes())?;
    version(pair.strip_prefix(SUFFIX)?)
}

fn version(value: &[u8]) -> Option<Version> {
    let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()?;
    let (mut counter, mut write) = ([0; 8], [0; 8]);
    counter.copy_from_slice(&bytes[..8]);
    write.copy_from_slice(&bytes[8..]);
    Some(Version {
        counter: u64::from_be_bytes(counter),
        write: WriteId::from_bytes(write),
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::*;
    use crate::cookie::CookieConfig;

    fn written(counter: u64) -> Version {
        Version {
            counter,
            write: WriteId::from_bytes([7; 8]),
        }
    }

    fn read(cookies: &[String]) -> Option<Version> {
        let mut headers = HeaderMap::new();
        for line in cookies {
            let line = HeaderValue::try_from(line).expect("a header");
            headers.append(header::COOKIE, line);
        }
        CookieConfig::default().glance(&mut headers).seen
    }

    #[test]
    fn what_is_told_reads_back_and_the_latest_counts() {
        let line = |counter| format!("a=b; __Host-id-seen={}; c=d", value(&written(counter)));
        assert_eq!(read(&[line(5)]), Some(written(5)));
        assert_eq!(read(&[line(5), line(9), line(7)]), Some(written(9)));
    }

    #[test]
    fn what_is_none_of_ours_is_ignored() {
        let text = value(&written(5));
        for cookie in [
            format!("id-seen={text}"),
            format!("x__Host-id-seen={text}"),
            format!("__Host-id={text}"),
            "__Host-id-seen=".to_owned(),
            format!("__Host-id-seen={text}A"),
            "__Host-id-seen=AAAA".to_owned(),
            "__Host-id-seen=*".to_owned(),
        ] {
            assert_eq!(read(&[cookie]), None);
        }
        assert_eq!(read(&[]), None);
    }
}
