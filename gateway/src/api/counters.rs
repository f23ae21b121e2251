//! What the trader API's thread counts, for whoever watches the node: see [`crate::counters`].

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::counters::Counter;

/// Actions that may wait for whoever recovers their signer.
pub const RECOVER_QUEUE: usize = 4_096;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Questions.
    Info,
    /// Actions.
    Exchange,
    /// Sockets that are opened.
    Socket,
    /// Questions over a socket.
    SocketInfo,
    /// Actions over a socket.
    SocketExchange,
    /// Money of a development network.
    Faucet,
    /// Blocks, accounts, proofs, the node itself.
    Explorer,
    /// Files of the page and descriptions; and what is not there.
    Page,
}

impl Endpoint {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Info,
        Self::Exchange,
        Self::Socket,
        Self::SocketInfo,
        Self::SocketExchange,
        Self::Faucet,
        Self::Explorer,
        Self::Page,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Exchange => "exchange",
            Self::Socket => "ws",
            Self::SocketInfo => "ws_info",
            Self::SocketExchange => "ws_exchange",
            Self::Faucet => "faucet",
            Self::Explorer => "explorer",
            Self::Page => "page",
        }
    }

    /// The one of a path.
    pub(super) fn of(path: &str) -> Self {
        let first = path.split('/').nth(1).unwrap_or_default();
        match first {
            "info" => Self::Info,
            "exchange" => Self::Exchange,
            "ws" => Self::Socket,
            "faucet" => Self::Faucet,
            "status" | "blocks" | "accounts" | "checkpoint" | "proof" => Self::Explorer,
            _ => Self::Page,
        }
    }
}

/// Why something was refused before the engine saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An address has too many connections.
    Connections,
    /// There are too many sockets, or an address has too many.
    Sockets,
    /// An address asks too often.
    RequestPace,
    /// A signer sends too many commands.
    CommandPace,
    /// A head did not come in time.
    SlowHead,
    /// A body did not come in time.
    SlowBody,
    /// A body is too long.
    LongBody,
    /// It is no JSON, or no request.
    Malformed,
    /// What an action asks for is no command here.
    Untranslatable,
    /// Nobody is known who has signed so.
    UnknownSigner,
    /// The account is somebody else's.
    ForeignAccount,
    /// There is no room on the way, or the node stops.
    Busy,
    /// It was handed over, and no answer came in time.
    Unanswered,
}

impl Refusal {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Connections,
        Self::Sockets,
        Self::RequestPace,
        Self::CommandPace,
        Self::SlowHead,
        Self::SlowBody,
        Self::LongBody,
        Self::Malformed,
        Self::Untranslatable,
        Self::UnknownSigner,
        Self::ForeignAccount,
        Self::Busy,
        Self::Unanswered,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Sockets => "sockets",
            Self::RequestPace => "request_pace",
            Self::CommandPace => "command_pace",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::LongBody => "long_body",
            Self::Malformed => "malformed",
            Self::Untranslatable => "untranslatable",
            Self::UnknownSigner => "unknown_signer",
            Self::ForeignAccount => "foreign_account",
            Self::Busy => "busy",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Why the node has ended a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketEnd {
    /// A write took too long: it does not read.
    Slow,
    /// It was too many blocks behind, or blocks were missing.
    Behind,
    /// It has said nothing for too long.
    Silent,
}

impl SocketEnd {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Behind, Self::Silent];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Behind => "behind",
            Self::Silent => "silent",
        }
    }
}

/// The classes of answers.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What the API's thread counts.
#[derive(Debug, Default)]
pub struct ApiCounters {
    requests: [[Counter; CLASSES.len()]; Endpoint::ALL.len()],
    refusals: [Counter; Refusal::ALL.len()],
    socket_ends: [Counter; SocketEnd::ALL.len()],
    /// Sockets that are open.
    pub sockets: Counter,
    /// What they are subscribed to, together.
    pub subscriptions: Counter,
    /// Actions handed to whoever recovers their signer.
    pub recoveries_asked: Counter,
    /// Of them, those that were answered, or that nobody waits for any more.
    pub recoveries_done: Counter,
}

/// Shared by the API, which writes, and whoever reads.
pub type SharedCounters = Arc<CachePadded<ApiCounters>>;

impl ApiCounters {
    /// A request was answered with this status.
    pub(super) fn answered(&self, endpoint: Endpoint, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.requests[endpoint as usize].get(class) {
            counter.add(1);
        }
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.refusals[refusal as usize].add(1);
    }

    pub(super) fn ended(&self, end: SocketEnd) {
        self.socket_ends[end as usize].add(1);
    }

    /// How many requests were answered, by where they went and with which class of answer.
    pub fn requests(&self) -> impl Iterator<Item = (Endpoint, &'static str, u64)> + '_ {
        let endpoints = Endpoint::ALL.into_iter().zip(&self.requests);
        endpoints.flat_map(|(endpoint, counters)| {
            let classes = CLASSES.into_iter().zip(counters);
            classes.map(move |(class, counter)| (endpoint, class, counter.get()))
        })
    }

    /// How often each refusal happened.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        let refusals = Refusal::ALL.into_iter().zip(&self.refusals);
        refusals.map(|(refusal, counter)| (refusal, counter.get()))
    }

    /// How many sockets the node has ended, and why.
    pub fn socket_ends(&self) -> impl Iterator<Item = (SocketEnd, u64)> + '_ {
        let ends = SocketEnd::ALL.into_iter().zip(&self.socket_ends);
        ends.map(|(end, counter)| (end, counter.get()))
    }
}

/// Adds to a counter of what there is at present, and takes it away when it is dropped.
#[derive(Debug)]
pub(super) struct Present {
    counters: SharedCounters,
    which: fn(&ApiCounters) -> &Counter,
    count: u64,
}

impl Present {
    pub(super) fn new(counters: &SharedCounters, which: fn(&ApiCounters) -> &Counter) -> Self {
        Self {
            counters: Arc::clone(counters),
            which,
            count: 0,
        }
    }

    /// So many there are now.
    pub(super) fn set(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let counter = (self.which)(&self.counters);
        counter.set(counter.get() - self.count + count);
        self.count = count;
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_place() {
        let counters = ApiCounters::default();
        for (path, expected) in [
            ("/info", Endpoint::Info),
            ("/exchange", Endpoint::Exchange),
            ("/ws", Endpoint::Socket),
            ("/faucet", Endpoint::Faucet),
            ("/blocks/7", Endpoint::Explorer),
            ("/web/trade.js", Endpoint::Page),
            ("/informal", Endpoint::Page),
            ("/", Endpoint::Page),
            ("", Endpoint::Page),
        ] {
            assert_eq!(Endpoint::of(path), expected, "{path}");
        }
        for status in [100, 200, 304, 422, 503, 999] {
            counters.answered(Endpoint::Page, status);
        }
        for (endpoint, class, count) in counters.requests() {
            let expected = u64::from(endpoint == Endpoint::Page);
            assert_eq!(count, expected, "{endpoint:?} {class}");
        }
        Refusal::ALL.into_iter().for_each(|it| counters.refused(it));
        assert!(counters.refusals().all(|(_, count)| count == 1));
        SocketEnd::ALL.into_iter().for_each(|it| counters.ended(it));
        assert!(counters.socket_ends().all(|(_, count)| count == 1));
    }

    #[test]
    fn what_is_gone_is_not_counted() {
        let counters = SharedCounters::default();
        let present = || Present::new(&counters, |it| &it.sockets);
        let (mut one, mut other) = (present(), present());
        one.set(3);
        other.set(2);
        assert_eq!(counters.sockets.get(), 5);
        one.set(1);
        assert_eq!(counters.sockets.get(), 3);
        drop(other);
        assert_eq!(counters.sockets.get(), 1);
    }
}
