//! What the test and its traders say to each other, one line each.

use types::{Nonce, SequenceNumber};

/// What a trader is told. The end of its input means that all is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// A frame with this nonce is its to send, until it is answered.
    Send(Nonce),
    /// The node was started for so many times: whatever connection there is belongs to a dead one.
    Started(u64),
}

/// What a trader says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    /// It has a connection, which it asked for after the node was started for so many times.
    Connected(u64),
    /// The frame with this nonce was executed, at this sequence number.
    Done(Nonce, SequenceNumber),
    /// Its life, at its end.
    Ended(Tally),
}

/// What became of all frames of a trader, or of all traders.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) sent_again: u64,
    /// Answers that repeat an earlier one.
    pub(crate) repeated: u64,
    pub(crate) refused_for_now: u64,
    pub(crate) connections: u64,
    /// Frames that two processes sent: only the test knows.
    pub(crate) shared: u64,
}

impl Order {
    pub(crate) fn line(self) -> String {
        match self {
            Self::Send(nonce) => format!("send {nonce}"),
            Self::Started(times) => format!("started {times}"),
        }
    }

    pub(crate) fn parse(line: &str) -> Self {
        match words(line).as_slice() {
            ["send", nonce] => Self::Send(Nonce::new(number(nonce))),
            ["started", times] => Self::Started(number(times)),
            _ => panic!("{line:?}"),
        }
    }
}

impl Report {
    pub(crate) fn line(self) -> String {
        match self {
            Self::Connected(times) => format!("connected {times}"),
            Self::Done(nonce, sequence) => format!("done {nonce} {sequence}"),
            Self::Ended(it) => format!(
                "ended {} {} {} {} {}",
                it.sent, it.sent_again, it.repeated, it.refused_for_now, it.connections
            ),
        }
    }

    /// `None`: not a report, but what the test harness says in every process.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match words(line).as_slice() {
            ["connected", times] => Some(Self::Connected(number(times))),
            ["done", nonce, sequence] => {
                let sequence = SequenceNumber::new(number(sequence));
                Some(Self::Done(Nonce::new(number(nonce)), sequence))
            }
            ["ended", sent, sent_again, repeated, refused, connections] => {
                Some(Self::Ended(Tally {
                    sent: number(sent),
                    sent_again: number(sent_again),
                    repeated: number(repeated),
                    refused_for_now: number(refused),
                    connections: number(connections),
                    shared: 0,
                }))
            }
            _ => None,
        }
    }
}

impl Tally {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_again += other.sent_again;
        self.repeated += other.repeated;
        self.refused_for_now += other.refused_for_now;
        self.connections += other.connections;
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}
