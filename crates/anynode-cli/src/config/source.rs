//! The text of a configuration file, and what is wrong with it: where, under which key, and what to do.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

/// A configuration is written by people; what is longer is another file.
pub(crate) const BYTES_MAX: u64 = 1024 * 1024;

/// A file as it was read, under the name that the operator gave it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) file: String,
    /// Lines and columns count from 1, columns in characters.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Such as `health.period`; empty where there is no key, as in a text that is no TOML.
    pub(crate) key: String,
    pub(crate) message: String,
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

/// Reads a file of at most [`BYTES_MAX`].
///
/// # Errors
/// What the system says, and when it is longer.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file is longer than {BYTES_MAX} bytes"),
        ));
    }
    Ok(bytes)
}

// === impl Source ===

impl Source {
    /// The text of the file, if it is UTF-8 as TOML has to be.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) fn new(path: &Path, bytes: Vec<u8>) -> Result<Self, Findings> {
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                let message = "from here on the file is not UTF-8, as TOML has to be";
                let source = Self { name, text };
                Err(Findings(vec![source.finding(valid, "", message)]))
            }
        }
    }

    pub(super) fn finding(&self, offset: usize, key: &str, message: &str) -> Finding {
        let (line, column) = self.position(offset);
        Finding {
            file: self.name.clone(),
            line,
            column,
            key: key.to_owned(),
            message: message.to_owned(),
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

// === impl Finding ===

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, key, .. } = self;
        write!(formatter, "{file}:{}:{}: ", self.line, self.column)?;
        if !key.is_empty() {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, finding) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            finding.fmt(formatter)?;
        }
        Ok(())
    }
}
