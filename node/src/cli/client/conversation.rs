//! The conversation with a node: one request at a time, and what it reports meanwhile.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use client::{ConnectOptions, Message, Receiver, Sender, SessionError};
use serde_json::Value;
use tokio::sync::mpsc;
use types::command::Command;
use types::wire::ack::{Ack, FillReport};
use types::wire::ended::EndedReport;
use types::wire::query::{Question, Reference};
use types::{LogTime, MarketId, Nonce, decimal};

use super::super::{Failure, print_line};
use super::reply;
use super::request::{OwnedCommand, Reader, Request};

/// Answers stdin line by line until it ends or the session does. Receipts go into the file.
pub(super) async fn converse(
    options: &ConnectOptions,
    receipts: Option<File>,
) -> Result<(), Failure> {
    let (sender, receiver) = client::connect(options)
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let mut conversation = Conversation {
        sender,
        receiver,
        reference: Reference::default(),
        reports: VecDeque::new(),
        receipts,
    };
    conversation.learn_markets().await?;
    let mut lines = read_lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                None => break,
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    let reply = conversation.answer(&line).await;
                    conversation.print_events();
                    print_line(&reply.to_string());
                }
            },
            message = conversation.receiver.next() => {
                conversation.note(&message.map_err(failure)?);
                conversation.print_events();
            }
        }
    }
    let Conversation {
        sender,
        mut receiver,
        mut receipts,
        ..
    } = conversation;
    sender.close().await;
    while let Ok(message) = receiver.next().await {
        keep(&mut receipts, &message);
    }
    Ok(())
}

/// Lines of stdin, read on a thread of their own because stdin cannot be polled.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn failure(error: SessionError) -> Failure {
    Failure::Failed(error.to_string())
}

struct Conversation {
    sender: Sender,
    receiver: Receiver,
    reference: Reference,
    /// What no reply has told yet, oldest first.
    reports: VecDeque<Report>,
    receipts: Option<File>,
}

/// Keeps receipts, if that is wanted: a message a line. Trading goes on without them.
fn keep(receipts: &mut Option<File>, message: &Message) {
    if let (Some(file), Message::Receipts(message)) = (receipts, message)
        && let Err(error) = writeln!(file, "{}", decimal::to_hex(message.bytes()))
    {
        tracing::error!("a receipt is not kept: {error}");
    }
}

/// Something that happened to an order of the account.
enum Report {
    Fill(FillReport),
    Ended(EndedReport),
}

/// The request that is out.
enum Asked {
    Command(OwnedCommand, Nonce),
    Question(u64),
    Market(u64, MarketId),
    Outcome(u64, Nonce, Option<MarketId>),
}

impl Conversation {
    async fn learn_markets(&mut self) -> Result<(), Failure> {
        self.sender.queue_query(Question::Reference);
        self.sender.flush().await.map_err(failure)?;
        loop {
            let message = self.receiver.next().await.map_err(failure)?;
            self.note(&message);
            if let Message::Reference { reference, .. } = message {
                self.reference = reference;
                return Ok(());
            }
        }
    }

    /// Sends one line's request and waits for its answer.
    async fn answer(&mut self, line: &str) -> Value {
        let reader = Reader {
            reference: &self.reference,
            now: clock(),
        };
        let asked = match reader.request(line) {
            Ok(request) => self.queue(request),
            Err(refusal) => return reply::not_sent(refusal.reason, &refusal.detail),
        };
        match self.exchange(&asked).await {
            Ok(reply) => reply,
            Err(error) => reply::lost(&error.to_string(), asked.nonce()),
        }
    }

    fn queue(&mut self, request: Request) -> Asked {
        match request {
            Request::Command(command, nonce) => {
                let nonce = nonce.unwrap_or_else(|| self.sender.next_nonce());
                self.sender
                    .queue_frame_with(nonce, LogTime::ZERO, &[command.command()]);
                Asked::Command(command, nonce)
            }
            Request::Question(question) => Asked::Question(self.sender.queue_query(question)),
            Request::Market(market) => {
                Asked::Market(self.sender.queue_query(Question::Markets), market)
            }
            Request::Outcome(nonce, market) => {
                let query = self.sender.queue_query(Question::Nonce(nonce));
                Asked::Outcome(query, nonce, market)
            }
        }
    }

    async fn exchange(&mut self, asked: &Asked) -> Result<Value, SessionError> {
        self.sender.flush().await?;
        loop {
            let message = self.receiver.next().await?;
            self.note(&message);
            if let Some(reply) = self.reply(&message, asked) {
                return Ok(reply);
            }
        }
    }

    /// The reply that this message is to the outstanding request, if it is one.
    fn reply(&mut self, message: &Message, asked: &Asked) -> Option<Value> {
        let account = self.sender.terms().account;
        let reference = &self.reference;
        match (message, asked) {
            (Message::Ack(ack), Asked::Command(command, nonce)) if ack.nonce() == *nonce => {
                Some(self.executed(&ack.view(), &command.command()))
            }
            (Message::Ack(ack), Asked::Outcome(_, nonce, market)) if ack.nonce() == *nonce => {
                Some(reply::outcome(&ack.view(), *market))
            }
            (Message::UnknownNonce { request, .. }, Asked::Outcome(query, nonce, _))
                if request == query =>
            {
                Some(reply::unknown_nonce(*nonce))
            }
            (Message::Refused { nonce, reason }, _) if *nonce == asked.refused_nonce() => {
                Some(reply::refused(*reason, asked.nonce()))
            }
            (
                Message::Balances {
                    request,
                    sequence,
                    balances,
                },
                Asked::Question(query),
            ) if request == query => Some(reply::balances(reference, account, *sequence, balances)),
            (
                Message::OpenOrders {
                    request,
                    sequence,
                    orders,
                },
                Asked::Question(query),
            ) if request == query => Some(reply::orders(reference, account, *sequence, orders)),
            (
                Message::Reference {
                    request, reference, ..
                },
                Asked::Question(query),
            ) if request == query => Some(reply::markets(reference)),
            (
                Message::MarketStates {
                    request,
                    sequence,
                    markets,
                },
                Asked::Market(query, market),
            ) if request == query => {
                let told = reply::market_state(reference, *sequence, *market, markets);
                let untold = || reply::lost("the node did not tell of this market", None);
                Some(told.unwrap_or_else(untold))
            }
            _ => None,
        }
    }

    fn executed(&mut self, ack: &Ack<'_>, command: &Command<'_>) -> Value {
        let mut fills = Vec::new();
        let reference = &self.reference;
        self.reports.retain(|report| match report {
            Report::Fill(fill) if reply::told_by_reply(command, ack.first_sequence, fill) => {
                fills.extend(reply::fill(reference, fill));
                false
            }
            Report::Fill(_) | Report::Ended(_) => true,
        });
        reply::executed(reference, ack, command, fills)
    }

    fn note(&mut self, message: &Message) {
        keep(&mut self.receipts, message);
        match message {
            Message::Fills(fills) => {
                let fills = fills.reports().iter().copied();
                self.reports.extend(fills.map(Report::Fill));
            }
            Message::Ended(ended) => {
                let ended = ended.reports().iter().copied();
                self.reports.extend(ended.map(Report::Ended));
            }
            _ => {}
        }
    }

    fn print_events(&mut self) {
        for report in self.reports.drain(..) {
            let event = match &report {
                Report::Fill(fill) => reply::fill_event(&self.reference, fill),
                Report::Ended(ended) => reply::ended_event(&self.reference, ended),
            };
            if let Some(event) = event {
                print_line(&event.to_string());
            }
        }
    }
}

impl Asked {
    /// The nonce that the request is about.
    const fn nonce(&self) -> Option<Nonce> {
        match self {
            Self::Command(_, nonce) | Self::Outcome(_, nonce, _) => Some(*nonce),
            Self::Question(_) | Self::Market(..) => None,
        }
    }

    /// The nonce by which a refusal names the request: questions have none.
    const fn refused_nonce(&self) -> Nonce {
        match self {
            Self::Command(_, nonce) => *nonce,
            Self::Question(_) | Self::Market(..) | Self::Outcome(..) => Nonce::ZERO,
        }
    }
}

/// Nanoseconds since the Unix epoch.
fn clock() -> LogTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    LogTime::new(u64::try_from(nanos).unwrap_or(u64::MAX))
}
