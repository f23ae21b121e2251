//! A session at its beginning: connected, knowing markets and balances, with no open orders.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::{
    ConnectOptions, Message, Receiver, Sender, ServerPin, SessionError, SignatureMode, connect,
};
use types::auth::SigningKey;
use types::command::CancelScope;
use types::wire::query::{BalanceRecord, Question, Reference};
use types::{AssetId, Atoms, Command, NetworkId, Nonce, SequenceNumber};

use crate::error::LoadError;

/// Which node to load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is.
    pub connect: SocketAddr,
    /// Which server key to trust.
    pub pin: ServerPin,
    /// Which network it must run; `None`: whichever.
    pub network: Option<NetworkId>,
    /// How the sessions sign their frames.
    pub signatures: SignatureMode,
}

impl Target {
    /// A development node.
    pub const fn development(connect: SocketAddr) -> Self {
        Self {
            connect,
            pin: ServerPin::Development,
            network: Some(NetworkId::DEVELOPMENT),
            signatures: SignatureMode::Frame,
        }
    }
}

/// An account's name and its key.
pub type NamedKey = (String, SigningKey);

/// The names and keys of the accounts of the development genesis.
pub fn development_keys() -> Vec<NamedKey> {
    (0..types::genesis::DEVELOPMENT_ACCOUNTS)
        .map(|account| types::genesis::development_name(types::AccountId::new(account)))
        .map(|name| (name.clone(), SigningKey::development(&name)))
        .collect()
}

/// Balances of an account, as the node told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balances {
    /// The last sequence number that they include.
    pub(crate) sequence: SequenceNumber,
    /// By asset.
    pub(crate) records: Vec<BalanceRecord>,
}

impl Balances {
    /// What can be spent.
    pub(crate) fn free(&self) -> Vec<(AssetId, Atoms)> {
        let free = self.records.iter();
        free.map(|record| (record.asset(), record.free())).collect()
    }
}

/// An open session that is ready for load.
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) reference: Reference,
    pub(crate) balances: Balances,
    /// The first nonce of this session; no earlier one has it or a higher one.
    pub(crate) first_nonce: Nonce,
}

impl Session {
    /// Opens a session and cancels whatever an earlier run left on the books: its labels would
    /// clash with ours.
    pub(crate) async fn open(target: &Target, (name, key): &NamedKey) -> Result<Self, LoadError> {
        let options = ConnectOptions {
            server: target.connect,
            pin: target.pin,
            network: target.network,
            key: key.clone(),
            signatures: target.signatures,
            keep_alive: client::KEEP_ALIVE,
            receipts: false,
        };
        let opened = connect(&options).await;
        let (sender, receiver) = opened.map_err(|source| LoadError::Connect {
            key: name.clone(),
            source,
        })?;
        let mut session = Self {
            name: name.clone(),
            sender,
            receiver,
            reference: Reference::default(),
            balances: Balances::default(),
            first_nonce: Nonce::ZERO,
        };
        let cleared = session.clear_books().await?;
        session.learn(cleared).await?;
        Ok(session)
    }

    /// Returns where that was sequenced.
    async fn clear_books(&mut self) -> Result<SequenceNumber, LoadError> {
        let everything = Command::CancelAll(CancelScope::EVERYTHING);
        let nonce = self.sender.queue_frame(&[everything]);
        self.first_nonce = nonce;
        let mut cleared = SequenceNumber::ZERO;
        let take = |_: &mut Self, message| match message {
            Message::Ack(ack) if ack.nonce() == nonce => {
                cleared = ack.view().first_sequence;
                true
            }
            _ => false,
        };
        let asked = self.ask("the cancelling of earlier orders", take).await;
        asked.map(|()| cleared)
    }

    /// Markets, and balances that include what was sequenced as `cleared`: whoever answers questions
    /// may be behind whoever answers frames.
    async fn learn(&mut self, cleared: SequenceNumber) -> Result<(), LoadError> {
        self.sender.queue_query(Question::Reference);
        let take = |session: &mut Self, message| match message {
            Message::Reference { reference, .. } => {
                session.reference = reference;
                true
            }
            _ => false,
        };
        self.ask("its markets", take).await?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        loop {
            self.sender.queue_query(Question::Balances);
            let take = |session: &mut Self, message| match message {
                Message::Balances {
                    sequence, balances, ..
                } => {
                    session.balances = Balances {
                        sequence,
                        records: balances,
                    };
                    true
                }
                _ => false,
            };
            self.ask(BALANCES, take).await?;
            if cleared <= self.balances.sequence {
                return Ok(());
            }
            if deadline < Instant::now() {
                return Err(silent(&self.name, BALANCES));
            }
        }
    }

    /// Sends what is queued and takes messages until `take` has what it wants.
    async fn ask(
        &mut self,
        what: &'static str,
        mut take: impl FnMut(&mut Self, Message) -> bool,
    ) -> Result<(), LoadError> {
        self.sender
            .flush()
            .await
            .map_err(|error| ended(&self.name, error))?;
        let name = self.name.clone();
        let asked = async {
            loop {
                let message = self.receiver.next().await;
                match message.map_err(|error| ended(&self.name, error))? {
                    Message::Refused { reason, .. } => {
                        let key = self.name.clone();
                        return Err(LoadError::Refused { key, what, reason });
                    }
                    message => {
                        if take(self, message) {
                            return Ok(());
                        }
                    }
                }
            }
        };
        answered_in_time(&name, what, asked).await
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.name)
    }
}

/// What a failure of this account's session is to the caller.
pub(crate) fn ended(name: &str, source: SessionError) -> LoadError {
    LoadError::Session {
        key: name.to_owned(),
        source,
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answered_in_time<T>(
    name: &str,
    what: &'static str,
    answer: impl Future<Output = Result<T, LoadError>>,
) -> Result<T, LoadError> {
    let answered = tokio::time::timeout(ANSWER_LIMIT, answer).await;
    answered.unwrap_or_else(|_| Err(silent(name, what)))
}

fn silent(name: &str, what: &'static str) -> LoadError {
    LoadError::Silent {
        key: name.to_owned(),
        what,
        limit: ANSWER_LIMIT,
    }
}

/// What every session asks before and after.
const BALANCES: &str = "its balances";

/// A node that takes longer for an answer is no target for a measurement.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
