//! Who reads which feed: subscriptions by session and by group.
//!
//! It only fans out: what a feed tells comes as whole messages from another thread, and each reader has
//! a bounded backlog of its own ([`Reader`]). Nobody waits for a reader.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use rtrb::{Consumer, Producer};
use types::wire::feed::{FeedId, Subscribe, is_conflatable};
use types::{RejectReason, SessionId};

use crate::config::GatewayConfig;
use crate::feed_ports::{FeedDelivery, FeedGroup, FeedPorts, FeedRequest};
use crate::feed_reader::Reader;
use crate::ports::Wake;
use crate::session::Session;

/// All subscriptions of a gateway.
#[derive(Debug)]
pub(crate) struct FeedDesk {
    requests: Producer<FeedRequest>,
    wake: Wake,
    market_count: usize,
    last_ticket: u64,
    sessions: BTreeMap<SessionId, Vec<Entry>>,
    groups: BTreeMap<FeedGroup, Vec<Rc<Reader>>>,
    /// Groups that were left and whose ring had no room for that yet; at most as many as there were
    /// subscriptions.
    leaving: Vec<FeedGroup>,
}

/// One subscription.
#[derive(Debug)]
struct Entry {
    number: u64,
    ticket: u64,
    group: FeedGroup,
    /// `None`: its beginning is on its way.
    reader: Option<Rc<Reader>>,
}

/// A subscription that begins: its stream is to be opened.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) session: SessionId,
    pub(crate) reader: Rc<Reader>,
    /// What it is told first.
    pub(crate) first: Vec<Bytes>,
}

impl FeedDesk {
    /// Nobody reads. Also returns what the dispatcher takes deliveries from.
    pub(crate) fn new(ports: FeedPorts, market_count: usize) -> (Self, Consumer<FeedDelivery>) {
        let desk = Self {
            requests: ports.requests,
            wake: ports.wake,
            market_count,
            last_ticket: 0,
            sessions: BTreeMap::new(),
            groups: BTreeMap::new(),
            leaving: Vec::new(),
        };
        (desk, ports.deliveries)
    }

    /// A session wants to read. An answer follows, unless it is refused here.
    pub(crate) fn subscribe(
        &mut self,
        session: &Session,
        message: &Subscribe,
        config: &GatewayConfig,
    ) -> Result<(), RejectReason> {
        let subscription = message.subscription().ok_or(RejectReason::UnknownFeed)?;
        let is_known = match subscription.feed {
            FeedId::Market(_, market) => market.index() < self.market_count,
            FeedId::Account(account) => account == session.record.account,
        };
        let channel = subscription.feed.channel();
        if !is_known || !is_conflatable(channel, subscription.interval_ms) {
            return Err(RejectReason::UnknownFeed);
        }
        let entries = self
            .sessions
            .get(&session.id)
            .map_or(&[][..], Vec::as_slice);
        let number = subscription.number;
        if entries.iter().any(|entry| entry.number == number) {
            return Err(RejectReason::DuplicateSubscription);
        }
        if entries.len() >= config.subscriptions_max {
            return Err(RejectReason::TooManySubscriptions);
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let request = FeedRequest::Join {
            session: session.id,
            ticket,
            subscription,
        };
        self.requests
            .push(request)
            .map_err(|_| RejectReason::Busy)?;
        self.wake.wake();
        self.sessions.entry(session.id).or_default().push(Entry {
            number,
            ticket,
            group: FeedGroup::of(&subscription),
            reader: None,
        });
        Ok(())
    }

    /// A session reads a feed no more. Not to have read it is no mistake: it may have ended by itself.
    pub(crate) fn unsubscribe(&mut self, session: SessionId, number: u64) {
        self.drop_entries(session, |entry| entry.number == number);
    }

    /// The stream of a reader is over.
    pub(crate) fn end(&mut self, session: SessionId, ticket: u64) {
        self.drop_entries(session, |entry| entry.ticket == ticket);
    }

    /// A session has ended.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.drop_entries(session, |_| true);
    }

    /// Takes what the feeds tell to their readers' backlogs. A subscription that begins is returned:
    /// its stream must be written.
    pub(crate) fn deliver(
        &mut self,
        delivery: FeedDelivery,
        config: &GatewayConfig,
    ) -> Option<Begun> {
        match delivery {
            FeedDelivery::Message { group, message } => {
                for reader in self.groups.get(&group).into_iter().flatten() {
                    reader.push(&message, config.feed_backlog_max);
                }
                None
            }
            FeedDelivery::Joined {
                session,
                ticket,
                messages,
            } => self.begin(session, ticket, messages),
        }
    }

    /// Wakes whoever makes the feeds.
    pub(crate) const fn waker(&self) -> &Wake {
        &self.wake
    }

    /// Tells whoever makes the feeds who has left, as far as there is room.
    pub(crate) fn flush(&mut self) {
        let before = self.leaving.len();
        while let Some(group) = self.leaving.pop() {
            if self.requests.push(FeedRequest::Leave(group)).is_err() {
                self.leaving.push(group);
                break;
            }
        }
        if self.leaving.len() < before {
            self.wake.wake();
        }
    }

    fn begin(&mut self, session: SessionId, ticket: u64, first: Vec<Bytes>) -> Option<Begun> {
        let entries = self.sessions.get_mut(&session)?;
        let mut entries = entries.iter_mut();
        // Who has left before is not in the list any more, and has been counted as leaving.
        let entry = entries.find(|entry| entry.ticket == ticket)?;
        let reader = Rc::new(Reader::new(entry.number, ticket, entry.group.feed));
        entry.reader = Some(Rc::clone(&reader));
        let group = self.groups.entry(entry.group).or_default();
        group.push(Rc::clone(&reader));
        Some(Begun {
            session,
            reader,
            first,
        })
    }

    fn drop_entries(&mut self, session: SessionId, is_meant: impl Fn(&Entry) -> bool) {
        let Some(entries) = self.sessions.get_mut(&session) else {
            return;
        };
        for entry in entries.extract_if(.., |entry| is_meant(entry)) {
            // Its request was taken by the ring, so it is or will be counted there.
            self.leaving.push(entry.group);
            let Some(reader) = entry.reader else {
                continue;
            };
            reader.end();
            if let Some(readers) = self.groups.get_mut(&entry.group) {
                readers.retain(|other| !Rc::ptr_eq(other, &reader));
                if readers.is_empty() {
                    self.groups.remove(&entry.group);
                }
            }
        }
        if entries.is_empty() {
            self.sessions.remove(&session);
        }
        self.flush();
    }
}
