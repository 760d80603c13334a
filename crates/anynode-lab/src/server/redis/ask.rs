//! Commands to a Redis, outside of any store.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error};
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, RedisConnectionInfo, Value, cmd,
};

/// A server that does not answer for so long does not answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The password of the user `default`, where there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    pub(super) password: Option<String>,
}

// === impl Access ===

impl Access {
    /// Asks a server, by a connection of its own.
    ///
    /// # Errors
    /// When it does not answer in time, or with an error.
    pub(super) async fn ask(&self, server: SocketAddr, words: &[&str]) -> Result<Value, Error> {
        let mut info = RedisConnectionInfo::default();
        if let Some(password) = &self.password {
            info = info.set_password(password);
        }
        let place = (server.ip().to_string(), server.port()).into_connection_info()?;
        let client = Client::open(place.set_redis_settings(info))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE));
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await?;
        let answer = command(words)?.query_async(&mut connection).await;
        answer.with_context(|| format!("{server} refused {}", words[0]))
    }

    /// Asks a server and gives its answer as text, one line for each element.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) async fn text(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        Ok(text_of(&self.ask(server, words).await?))
    }
}

fn command(words: &[&str]) -> Result<Cmd, Error> {
    let (name, arguments) = words.split_first().context("no words are no command")?;
    let mut command = cmd(name);
    command.arg(arguments);
    Ok(command)
}

/// The value of a line `field:value`.
pub(super) fn field_of<'a>(info: &'a str, field: &str) -> &'a str {
    let mut values = info.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then_some(value.trim())
    });
    values.next().unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    let lines = |values: &[Value]| values.iter().map(text_of).collect::<Vec<_>>().join("\n");
    match value {
        Value::Nil => String::new(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Okay => "OK".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Array(values) | Value::Set(values) => lines(values),
        Value::Map(pairs) => {
            let pairs = pairs.iter().flat_map(|(key, value)| [key, value]);
            pairs.map(text_of).collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_among_the_lines() {
        let info = "# Server\r\nprocess_id:12\r\nloading:0\r\n";
        assert_eq!(field_of(info, "process_id"), "12");
        assert_eq!(field_of(info, "process"), "");
    }
}
