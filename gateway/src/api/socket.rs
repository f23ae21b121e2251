//! One socket: what it asks, what it is told, and when it is dropped.
//!
//! Nothing is kept for a socket that does not read: what is conflated is made when it is written, and of
//! what is complete a socket may be so many blocks behind, not more. A write that takes too long, a
//! silence that lasts too long, or a gap in what was complete ends it; its client comes back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value as Json, json};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use types::action::Value;

use super::channels::{Channel, message};
use super::counters::{Endpoint, Present, Refusal, SocketEnd};
use super::exchange::{self, NotTaken};
use super::info;
use super::model::Notes;
use super::server::{BUSY, UNKNOWN, info_words};
use super::{Shared, SocketPlace};

/// Why a socket ends.
struct Ended;

/// A socket's state.
struct Socket {
    socket: WebSocket,
    shared: Arc<Shared>,
    peer: IpAddr,
    subscriptions: Vec<Subscription>,
    subscribed: Present,
    posts: JoinSet<Json>,
}

struct Subscription {
    channel: Channel,
    /// Of what was told last.
    version: Option<u64>,
}

/// Serves a socket until it ends.
pub(super) async fn run(socket: WebSocket, shared: Arc<Shared>, peer: IpAddr, place: SocketPlace) {
    let notes = shared.notes.subscribe();
    let mut open = Present::new(&shared.counters, |it| &it.sockets);
    open.set(1);
    let mut socket = Socket {
        socket,
        subscribed: Present::new(&shared.counters, |it| &it.subscriptions),
        shared,
        peer,
        subscriptions: Vec::new(),
        posts: JoinSet::new(),
    };
    let Err(Ended) = socket.serve(notes).await;
    drop((place, open));
}

impl Socket {
    async fn serve(
        &mut self,
        mut notes: broadcast::Receiver<Arc<Notes>>,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut ticks = interval(self.shared.config.conflation);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = self.shared.config.silence_timeout;
        let mut heard_until = tokio::time::Instant::now() + silence;
        loop {
            tokio::select! {
                heard = self.socket.recv() => {
                    heard_until = tokio::time::Instant::now() + silence;
                    self.hear(heard).await?;
                }
                told = notes.recv() => self.tell_notes(told).await?,
                Some(answer) = self.posts.join_next() => {
                    let answer = answer.expect("a panic ends the process");
                    self.send(&answer).await?;
                }
                _ = ticks.tick() => self.tell_changes().await?,
                () = sleep_until(heard_until) => return self.close(SocketEnd::Silent).await,
            }
        }
    }

    async fn hear(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), Ended> {
        let text = match heard {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return Err(Ended),
        };
        if !self.shared.requests().take(self.peer, 1, Instant::now()) {
            self.shared.counters.refused(Refusal::RequestPace);
            return self.complain("Too many requests.").await;
        }
        let Ok(request) = Value::from_json(text.as_bytes()) else {
            return self
                .complain("Error parsing JSON into valid websocket request")
                .await;
        };
        match request.field("method").and_then(Value::as_text) {
            Some("ping") => self.send(&json!({ "channel": "pong" })).await,
            Some("subscribe") => self.subscribe(&request).await,
            Some("unsubscribe") => self.unsubscribe(&request).await,
            Some("post") => self.post(&request).await,
            _ => {
                self.complain("Error parsing JSON into valid websocket request")
                    .await
            }
        }
    }

    async fn subscribe(&mut self, request: &Value) -> Result<(), Ended> {
        let Some((wanted, channel)) = self.channel(request) else {
            return self
                .complain(&complaint("Invalid subscription", request))
                .await;
        };
        if self.subscriptions.iter().any(|it| it.channel == channel) {
            return self
                .complain(&complaint("Already subscribed", wanted))
                .await;
        }
        if self.subscriptions.len() >= self.shared.config.subscriptions_max {
            return self.complain("Too many subscriptions.").await;
        }
        self.confirm(request).await?;
        let first = {
            let model = self.shared.model();
            let version = channel.version(&model);
            self.subscriptions.push(Subscription { channel, version });
            self.subscribed.set(self.subscriptions.len());
            channel.now(&self.shared, &model)
        };
        match first {
            Some(first) => self.send(&first).await,
            None => Ok(()),
        }
    }

    async fn unsubscribe(&mut self, request: &Value) -> Result<(), Ended> {
        let Some((wanted, channel)) = self.channel(request) else {
            return self
                .complain(&complaint("Invalid subscription", request))
                .await;
        };
        let before = self.subscriptions.len();
        self.subscriptions.retain(|it| it.channel != channel);
        self.subscribed.set(self.subscriptions.len());
        if self.subscriptions.len() == before {
            return self
                .complain(&complaint("Already unsubscribed", wanted))
                .await;
        }
        self.confirm(request).await
    }

    fn channel<'v>(&self, request: &'v Value) -> Option<(&'v Value, Channel)> {
        let wanted = request.field("subscription")?;
        Some((wanted, Channel::read(&self.shared, wanted)?))
    }

    /// With the request as it came: clients look for it.
    async fn confirm(&mut self, request: &Value) -> Result<(), Ended> {
        let text = request.to_json();
        let text = format!(r#"{{"channel":"subscriptionResponse","data":{text}}}"#);
        self.send_text(text).await
    }

    /// Takes a request that is answered later, while others go on.
    async fn post(&mut self, request: &Value) -> Result<(), Ended> {
        let id = request.field("id").and_then(Value::as_unsigned);
        let inner = request.field("request");
        let kind = inner.and_then(|it| it.field("type")?.as_text());
        let payload = inner.and_then(|it| it.field("payload"));
        let (Some(id), Some(kind), Some(payload)) = (id, kind, payload) else {
            return self
                .complain(&complaint("Invalid post request", request))
                .await;
        };
        if self.posts.len() >= self.shared.config.posts_max {
            return self
                .send(&answer_to(
                    id,
                    "error",
                    &json!("Too many requests in flight."),
                ))
                .await;
        }
        let shared = Arc::clone(&self.shared);
        match kind {
            "info" => {
                let answered = info::answer(&shared, payload);
                let status = if answered.is_ok() { 200 } else { 422 };
                shared.counters.answered(Endpoint::SocketInfo, status);
                let answer = match answered {
                    Ok(answer) => {
                        let kind = payload.field("type").and_then(Value::as_text);
                        answer_to(id, "info", &json!({ "type": kind, "data": answer }))
                    }
                    Err(_) => answer_to(id, "error", &json!(info_words(payload))),
                };
                self.send(&answer).await
            }
            "action" => {
                let payload = payload.clone();
                self.posts
                    .spawn(async move { act(&shared, id, &payload).await });
                Ok(())
            }
            _ => {
                self.complain(&complaint("Invalid post request", request))
                    .await
            }
        }
    }

    async fn tell_notes(
        &mut self,
        told: Result<Arc<Notes>, broadcast::error::RecvError>,
    ) -> Result<(), Ended> {
        let notes = match told {
            Ok(notes) if !notes.is_gap => notes,
            // Blocks are missing, here or already where they came from.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                return self.close(SocketEnd::Behind).await.map(|_| ());
            }
            Err(broadcast::error::RecvError::Closed) => return Err(Ended),
        };
        let messages: Vec<Json> = {
            let model = self.shared.model();
            let channels = self.subscriptions.iter().map(|it| it.channel);
            let told = channels.filter_map(|it| it.note(&self.shared, &model, &notes));
            told.collect()
        };
        for message in messages {
            self.send(&message).await?;
        }
        Ok(())
    }

    /// Tells what has changed on conflated channels.
    async fn tell_changes(&mut self) -> Result<(), Ended> {
        let messages: Vec<Json> = {
            let model = self.shared.model();
            let changed = self.subscriptions.iter_mut().filter_map(|it| {
                let version = it.channel.version(&model)?;
                let is_new = it.version.replace(version) != Some(version);
                is_new.then_some(it.channel)
            });
            let told = changed.filter_map(|channel| channel.now(&self.shared, &model));
            told.collect()
        };
        for message in messages {
            self.send(&message).await?;
        }
        Ok(())
    }

    async fn complain(&mut self, words: &str) -> Result<(), Ended> {
        self.send(&message("error", &json!(words))).await
    }

    async fn send(&mut self, message: &Json) -> Result<(), Ended> {
        self.send_text(message.to_string()).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), Ended> {
        let sent = self.socket.send(Message::Text(text.into()));
        match timeout(self.shared.config.write_timeout, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended),
            Err(_) => {
                self.shared.counters.ended(SocketEnd::Slow);
                Err(Ended)
            }
        }
    }

    async fn close(&mut self, end: SocketEnd) -> Result<std::convert::Infallible, Ended> {
        self.shared.counters.ended(end);
        let words = match end {
            SocketEnd::Silent => "silent for too long",
            SocketEnd::Behind | SocketEnd::Slow => "behind: subscribe again",
        };
        let frame = CloseFrame {
            code: axum::extract::ws::close_code::AGAIN,
            reason: words.into(),
        };
        let closed = self.socket.send(Message::Close(Some(frame)));
        // It ends either way.
        let _ = timeout(CLOSE, closed).await;
        Err(Ended)
    }
}

/// For the last word to a socket.
const CLOSE: Duration = Duration::from_secs(1);

async fn act(shared: &Arc<Shared>, id: u64, payload: &Value) -> Json {
    let taken = exchange::take(shared, payload).await;
    let (status, refusal) = match &taken {
        Ok(_) => (200, None),
        Err(reason) => (reason.status().as_u16(), Some(reason.refusal())),
    };
    shared.counters.answered(Endpoint::SocketExchange, status);
    if let Some(refusal) = refusal {
        shared.counters.refused(refusal);
    }
    match taken {
        Ok(answer) => answer_to(id, "action", &answer),
        Err(NotTaken::Malformed(words)) => answer_to(id, "error", &json!(words)),
        Err(NotTaken::Busy) => answer_to(id, "error", &json!(BUSY)),
        Err(NotTaken::Unknown) => answer_to(id, "error", &json!(UNKNOWN)),
    }
}

fn answer_to(id: u64, kind: &str, payload: &Json) -> Json {
    let response = json!({ "type": kind, "payload": payload });
    message("post", &json!({ "id": id, "response": response }))
}

fn complaint(words: &str, about: &Value) -> String {
    format!("{words} {}", about.to_json())
}
