//! A reader of feeds: books that live on while connections come and go.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use client::book::FeedBook;
use client::{FeedMessage, Message, Receiver, Sender, connect};
use tokio::task::{JoinHandle, spawn_local};
use types::command::MarketStatus;
use types::wire::feed::{
    AccountReport, Channel, FeedEvents, FeedGap, FeedId, FeedPosition, L3Action, L3Event, Records,
    TradeNews,
};
use types::{AccountId, MarketId, RejectReason};

use crate::common::options;
use crate::flow::{MARK, PATIENCE, mark};

pub(crate) const L1: FeedId = FeedId::Market(Channel::L1, MarketId::new(0));
pub(crate) const L2: FeedId = FeedId::Market(Channel::L2, MarketId::new(0));
pub(crate) const L3: FeedId = FeedId::Market(Channel::L3, MarketId::new(0));
pub(crate) const TRADES: FeedId = FeedId::Market(Channel::Trades, MarketId::new(0));
pub(crate) const ACCOUNT: FeedId = FeedId::Account(AccountId::new(0));

/// One feed as its reader knows it, across connections.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) book: FeedBook,
    pub(crate) interval_ms: u32,
    /// Reports of an account.
    pub(crate) reports: Vec<AccountReport>,
    /// Of a market's trades.
    pub(crate) statuses: Vec<MarketStatus>,
    pub(crate) gaps: Vec<FeedGap>,
    /// Messages of events.
    pub(crate) messages: u64,
    pub(crate) conflated: u64,
    /// Whether [`mark`](crate::flow::mark) was seen, to its end.
    pub(crate) ended: bool,
    at_mark: bool,
}

pub(crate) type Shared = Rc<RefCell<Known>>;

pub(crate) fn known(feed: FeedId, interval_ms: u32, from_start: bool) -> Shared {
    Rc::new(RefCell::new(Known {
        book: FeedBook::new(feed, from_start),
        interval_ms,
        reports: Vec::new(),
        statuses: Vec::new(),
        gaps: Vec::new(),
        messages: 0,
        conflated: 0,
        ended: false,
        at_mark: false,
    }))
}

impl Known {
    fn take(&mut self, message: &FeedMessage) {
        if let Err(fault) = self.book.apply(message) {
            panic!("{fault}");
        }
        match message {
            FeedMessage::Events(events) => self.note(&events.view()),
            FeedMessage::Gap(gap) => self.gaps.push(*gap),
            FeedMessage::Snapshot(_) | FeedMessage::Checkpoint(_) => {}
        }
    }

    fn note(&mut self, events: &FeedEvents<'_>) {
        self.messages += 1;
        self.conflated += u64::from(events.is_conflated);
        match events.records {
            Records::Account(events) => {
                for report in events.iter().map(|event| event.report()) {
                    self.reports.push(report);
                    let fill = match report {
                        AccountReport::Fill(fill) => Some(fill.price()),
                        AccountReport::Ended(_) => None,
                    };
                    self.ended |= fill == Some(MARK);
                }
            }
            Records::Trades(events) => {
                let is_mark = |news| matches!(news, TradeNews::Trade { price: MARK, .. });
                self.ended |= events.iter().any(|event| is_mark(event.news()));
                let statuses = events.iter().filter_map(|event| match event.news() {
                    TradeNews::Status(status) => Some(status),
                    TradeNews::Trade { .. } | TradeNews::Indicative(_) => None,
                });
                self.statuses.extend(statuses);
            }
            Records::L1(events) => {
                for best in events.iter().map(|event| event.best().best()) {
                    self.ended |= self.at_mark && best.is_none();
                    self.at_mark = matches!(best, Some((MARK, _)));
                }
            }
            Records::L2(events) => {
                let mut levels = events.iter().map(|event| event.level());
                self.ended |= levels.any(|level| level.price() == MARK && level.orders() == 0);
            }
            Records::L3(events) => {
                let is_end = |event: &L3Event| {
                    event.order().price() == MARK && event.action() == L3Action::Removed
                };
                self.ended |= events.iter().any(is_end);
            }
        }
    }
}

/// One connection of a reader. What it reads goes into the books until it is dropped.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    task: JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reading {
    /// Connects as this client and subscribes to all of these where they stand. On a bad network it may
    /// take more than one try.
    pub(crate) async fn start(server: SocketAddr, name: &str, books: &[Shared]) -> Self {
        let mut tries = 0;
        let (mut sender, receiver) = loop {
            match connect(&options(server, name)).await {
                Ok(session) => break session,
                Err(error) => {
                    tries += 1;
                    assert!(tries < 20, "{error}");
                }
            }
        };
        let numbers: Vec<_> = books
            .iter()
            .map(|known| {
                let known = known.borrow();
                let position = known.book.position();
                sender.queue_subscribe(known.book.feed(), known.interval_ms, position)
            })
            .collect();
        sender.flush().await.unwrap();
        let mut feeds = receiver.feeds();
        let books = books.to_vec();
        let task = spawn_local(async move {
            let mut streams = Streams(Vec::new());
            let mut others = Vec::new();
            while let Ok(mut stream) = feeds.next().await {
                let index = numbers.iter().position(|number| *number == stream.number());
                // Others are the test's own.
                let Some(index) = index else {
                    others.push(stream);
                    continue;
                };
                let known = Rc::clone(&books[index]);
                streams.0.push(spawn_local(async move {
                    while let Ok(Some(message)) = stream.next().await {
                        known.borrow_mut().take(&message);
                    }
                }));
            }
        });
        Self {
            sender,
            receiver,
            task,
        }
    }

    /// Waits for the answer to the next subscription.
    pub(crate) async fn subscribed(&mut self) -> (u64, Option<RejectReason>) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.receiver.next()).await;
            if let Message::Subscribed { number, refused } = next.expect("in time").unwrap() {
                return (number, refused);
            }
        }
    }
}

/// Tasks that end with their list.
struct Streams(Vec<JoinHandle<()>>);

impl Drop for Streams {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Waits until `is_so`, looking again and again; panics if it takes too long.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !is_so() {
            look.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// After all traders have ended: lets all of these come to the end. Their positions are the last then.
pub(crate) async fn finish(server: SocketAddr, books: &[Shared]) {
    mark(server).await;
    for known in books {
        until("the reader comes to the end", || known.borrow().ended).await;
        known.borrow_mut().ended = false;
    }
}

/// Where a feed stands, after a mark.
pub(crate) async fn stands(server: SocketAddr, feed: FeedId) -> FeedPosition {
    let known = [known(feed, 0, false)];
    let _reading = Reading::start(server, "dev-0", &known).await;
    until("it joins", || known[0].borrow().book.position().is_some()).await;
    finish(server, &known).await;
    let position = known[0].borrow().book.position();
    position.unwrap()
}
