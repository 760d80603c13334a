//! A key file: 32 random bytes in hexadecimal or base64, that nobody but its owner may read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Longer than any way to write 32 bytes.
const BYTES_MAX: u64 = 256;

const HOW: &str = "make one with: (umask 077; head -c 32 /dev/urandom | base64 >FILE)";

/// Reads the key; the message names the file and never what is in it.
pub(super) fn read(path: &Path) -> Result<[u8; 32], String> {
    let name = path.display();
    let cannot = |error| format!("{name} cannot be read: {error}; {HOW}");
    let file = File::open(path).map_err(cannot)?;
    let found = file.metadata().map_err(cannot)?;
    if !found.is_file() {
        return Err(format!("{name} is not a file"));
    }
    // Asked of what was opened, so that nobody can put another file in its place meanwhile.
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{name} may be read or written by others (mode {mode:03o}); \
             run: chmod 600 {name}; and make a new key if somebody may have seen it"
        ));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    decode(bytes.trim_ascii()).ok_or_else(|| {
        format!("{name} does not hold 32 bytes in hexadecimal or base64 and nothing else; {HOW}")
    })
}

fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() == 64 {
        return hexadecimal(text);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok()?.try_into().ok())
}

fn hexadecimal(text: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let value = digit(digits[0])? * 16 + digit(digits[1])?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_either_way_to_write_it() {
        let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            digits.clone(),
            digits.to_uppercase(),
            STANDARD.encode(key),
            URL_SAFE_NO_PAD.encode(key),
        ] {
            assert_eq!(decode(text.as_bytes()), Some(key), "{text}");
        }
        for text in [&digits[1..], &digits.replace('0', "+"), "", "c2hvcnQ="] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
