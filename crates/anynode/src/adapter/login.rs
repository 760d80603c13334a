//! Which user axum-login has logged in, read from the data it keeps.

use anynode_core::{Data, UserId, Value, session::value::to_value};
use serde::Serialize;

use crate::error::SessionError;

/// The key under which axum-login keeps its data, and the field that names the user.
#[derive(Clone, Debug)]
pub(super) struct LoginKey(String);

const FIELD: &str = "user_id";

/// The name under which the sessions of an axum-login user are listed and revoked.
///
/// A text is its own name, a number its decimal digits, and any other id its JSON.
///
/// # Errors
/// [`SessionError::Value`] when the id cannot be a value, [`SessionError::User`] when its name
/// is empty or longer than 255 bytes.
///
/// ```
/// assert_eq!(anynode::adapter::user_id("ada")?.as_str(), "ada");
/// assert_eq!(anynode::adapter::user_id(42_i64)?.as_str(), "42");
/// # Ok::<_, anynode::SessionError>(())
/// ```
pub fn user_id(id: impl Serialize) -> Result<UserId, SessionError> {
    named(&to_value(&id)?)
}

fn named(id: &Value) -> Result<UserId, SessionError> {
    let name = match id {
        Value::Text(text) => text.clone(),
        // A map of ours is in the order of its keys, so equal ids have equal names.
        other => serde_json::to_string(other).expect("a value within its depth is JSON"),
    };
    Ok(UserId::new(name)?)
}

// === impl LoginKey ===

impl Default for LoginKey {
    fn default() -> Self {
        Self::new("axum-login.data")
    }
}

impl LoginKey {
    pub(super) fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Who is logged in by this data; `None` when nobody is.
    pub(super) fn user(&self, data: &Data) -> Result<Option<UserId>, SessionError> {
        match data.get(&self.0) {
            Some(Value::Map(login)) => match login.get(FIELD) {
                None | Some(Value::Null) => Ok(None),
                Some(id) => Ok(Some(named(id)?)),
            },
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(login: serde_json::Value, expected: Option<&str>) {
        let login = to_value(&login).expect("a value");
        let data: Data = [("axum-login.data", login)].into_iter().collect();
        let user = LoginKey::default().user(&data).expect("a name");
        assert_eq!(user.as_ref().map(UserId::as_str), expected);
    }

    #[test]
    fn every_kind_of_user_id_has_its_name() {
        check(json!({"user_id": "ada", "auth_hash": [1]}), Some("ada"));
        check(json!({"user_id": 42}), Some("42"));
        check(json!({"user_id": -7}), Some("-7"));
        check(
            json!({"user_id": {"b": 1, "a": [2]}}),
            Some(r#"{"a":[2],"b":1}"#),
        );
        check(json!({"user_id": null, "auth_hash": null}), None);
        check(json!({}), None);
        check(json!("ada"), None);
    }

    #[test]
    fn an_id_that_cannot_name_a_user_is_an_error_and_not_an_unlisted_session() {
        assert!(user_id("").is_err());
        assert!(user_id("a".repeat(256)).is_err());
    }
}
