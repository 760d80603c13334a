//! Parameters that show nothing of themselves: the driver logs those of each statement, and they
//! are secrets, names and what visitors keep.

use std::{error, fmt};

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use super::link::Value;

/// A value that is sent as it is and printed as none.
pub(super) struct Hidden<'call>(pub(super) Value<'call>);

type Encoded = Result<IsNull, Box<dyn error::Error + Sync + Send>>;

// === impl Hidden ===

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Hidden<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.0.to_sql_checked(kind, out)
    }

    /// What is hidden judges that itself.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.0.to_sql_checked(kind, out)
    }

    fn encode_format(&self, kind: &Type) -> Format {
        self.0.encode_format(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_sent_and_not_shown() {
        let name: &[u8] = b"ada";
        let hidden = Hidden(&name);
        let mut sent = BytesMut::new();
        hidden.to_sql_checked(&Type::BYTEA, &mut sent).unwrap();
        assert_eq!(&sent[..], name);
        assert_eq!(format!("{hidden:?}"), "_");
        let wrong = hidden.to_sql_checked(&Type::INT8, &mut BytesMut::new());
        assert!(wrong.is_err(), "a type that is not its own");
    }
}
