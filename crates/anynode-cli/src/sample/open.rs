//! Connections of the sample application that stay open: they end with the session of their visitor, and say why.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use anynode::{OpenConnection, Session};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{sleep, timeout};

use super::{Answer, Place, Shop};

/// How often something is sent on an event stream, so that whoever has gone away is noticed.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// How long a client may take to receive why its WebSocket is closed.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// An event stream: `here` with the name of the node, and at the end `ended` with the cause.
pub(super) async fn events(State(shop): Place, session: Session) -> Answer {
    let connection = session.open_connection().await?;
    let here = Event::default().event("here").data(&shop.node);
    let beats = connection.clone().stream(beats());
    let last = stream::once(async move {
        let ending = connection.ended().await;
        Event::default().event("ended").data(ending.as_str())
    });
    let events = stream::once(ready(here)).chain(beats).chain(last);
    let events = events.take_until(shop.stopping.clone().begun());
    Ok(Sse::new(events.map(Ok::<_, Infallible>)).into_response())
}

fn beats() -> impl Stream<Item = Event> + Send {
    stream::unfold((), |()| async {
        sleep(BEAT_EVERY).await;
        Some((Event::default().comment("beat"), ()))
    })
}

/// A WebSocket that greets with the name of the node and then says what it is told.
pub(super) async fn socket(
    State(shop): Place,
    session: Session,
    upgrade: WebSocketUpgrade,
) -> Answer {
    let connection = session.open_connection().await?;
    Ok(upgrade.on_upgrade(move |socket| serve(socket, connection, shop)))
}

async fn serve(mut socket: WebSocket, connection: OpenConnection, shop: Arc<Shop>) {
    let echo = echo(&mut socket, &connection, &shop.node);
    let (code, reason) = tokio::select! {
        served = connection.run(echo) => match served {
            Ok(()) => return,
            Err(ending) => (ending.close_code(), ending.as_str()),
        },
        () = shop.stopping.clone().begun() => (close_code::AWAY, "stopping"),
    };
    let reason = reason.into();
    let goodbye = Message::Close(Some(CloseFrame { code, reason }));
    // Whoever does not read it is cut off all the same.
    let _ = timeout(GOODBYE_MAX, socket.send(goodbye)).await;
}

async fn echo(socket: &mut WebSocket, connection: &OpenConnection, node: &str) {
    let mut answer = Some(Message::text(node));
    loop {
        if let Some(answer) = answer.take()
            && socket.send(answer).await.is_err()
        {
            return;
        }
        let Some(Ok(message)) = socket.recv().await else {
            return;
        };
        connection.used();
        answer = match message {
            Message::Text(_) | Message::Binary(_) => Some(message),
            Message::Ping(_) | Message::Pong(_) => None,
            Message::Close(_) => return,
        };
    }
}
