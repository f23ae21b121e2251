//! Who is connected: sessions by id and by account. A table of connections; no order passes it by
//! lock.

use std::rc::Rc;

use quinn::Connection;
use types::auth::PublicKey;
use types::{AccountId, KeyId, SessionId};

use crate::config::GatewayConfig;
use crate::directory::KeyRecord;
use crate::receipts::PendingReceipts;
use crate::reports::Reports;
use crate::session::{Session, Together};

/// All open sessions.
///
/// A session id is a serial number times the table's capacity plus the session's slot, so that a
/// late answer finds its session without hashing, or finds that the slot has another owner.
#[derive(Debug)]
pub(crate) struct SessionTable {
    slots: Vec<Option<Rc<Session>>>,
    free: Vec<usize>,
    serial: u64,
    /// How many of the sessions are guests'.
    guests: u32,
    /// By account id, as far as accounts have logged in.
    accounts: Vec<AccountSessions>,
    together: Rc<Together>,
}

/// The sessions of one account, and reports on their way to them.
#[derive(Debug, Default)]
pub(crate) struct AccountSessions {
    pub(crate) sessions: Vec<Rc<Session>>,
    /// Of the block that is being dispatched; empty between blocks.
    pub(crate) reports: Reports,
}

/// How many places are kept, of those that there are, for keys without a session.
fn reserved(config: &GatewayConfig) -> usize {
    config.sessions_reserved.min(config.sessions_max / 5) as usize
}

impl SessionTable {
    pub(crate) fn new(config: &GatewayConfig) -> Self {
        let capacity = usize::try_from(config.sessions_max).expect("a session limit is small");
        Self {
            slots: (0..capacity).map(|_| None).collect(),
            free: (0..capacity).rev().collect(),
            serial: 0,
            guests: 0,
            accounts: Vec::new(),
            together: Rc::default(),
        }
    }

    /// Opens a session; `None` if there are as many as there may be, or as many of this key. The last
    /// ones are for keys that have none.
    pub(crate) fn open(
        &mut self,
        record: KeyRecord,
        public_key: PublicKey,
        connection: Connection,
        receipts: Option<PendingReceipts>,
        config: &GatewayConfig,
    ) -> Option<Rc<Session>> {
        if record.key == KeyId::WALLET {
            return self.open_guest(record, public_key, connection, config);
        }
        let sessions = self.of_account(record.account);
        let of_key = sessions.iter().filter(|it| it.record.key == record.key);
        let of_key = of_key.count();
        let is_reserved = of_key > 0 && self.free.len() <= reserved(config);
        if is_reserved || of_key >= config.sessions_per_key as usize {
            return None;
        }
        let session = self.seat(record, public_key, connection, receipts, config)?;
        let account = record.account.index();
        if self.accounts.len() <= account {
            self.accounts
                .resize_with(account + 1, AccountSessions::default);
        }
        self.accounts[account].sessions.push(Rc::clone(&session));
        Some(session)
    }

    /// Guests are nobody's sessions, few, and never take the last places.
    fn open_guest(
        &mut self,
        record: KeyRecord,
        public_key: PublicKey,
        connection: Connection,
        config: &GatewayConfig,
    ) -> Option<Rc<Session>> {
        let has_room = self.guests < config.guests_max && reserved(config) <= self.free.len();
        let session =
            has_room.then(|| self.seat(record, public_key, connection, None, config))??;
        self.guests += 1;
        Some(session)
    }

    fn seat(
        &mut self,
        record: KeyRecord,
        public_key: PublicKey,
        connection: Connection,
        receipts: Option<PendingReceipts>,
        config: &GatewayConfig,
    ) -> Option<Rc<Session>> {
        let slot = self.free.pop()?;
        self.serial += 1;
        let id = SessionId::new(self.serial * self.slots.len() as u64 + slot as u64);
        let all = Rc::clone(&self.together);
        let session = Session::new(id, record, public_key, connection, receipts, config, all);
        let session = Rc::new(session);
        self.slots[slot] = Some(Rc::clone(&session));
        Some(session)
    }

    /// Forgets a session. Answers to its frames find nobody from now on.
    pub(crate) fn remove(&mut self, session: &Session) {
        let slot = self.slot(session.id);
        let removed = self.slots[slot].take();
        let owner = removed.expect("an open session has its slot");
        assert_eq!(owner.id, session.id, "a slot changes hands only through us");
        self.free.push(slot);
        if session.is_guest() {
            self.guests -= 1;
            return;
        }
        let account = &mut self.accounts[session.record.account.index()];
        account.sessions.retain(|other| other.id != session.id);
    }

    /// The session of this id, while it is open.
    pub(crate) fn find(&self, id: SessionId) -> Option<&Rc<Session>> {
        let session = self.slots.get(self.slot(id))?.as_ref()?;
        (session.id == id).then_some(session)
    }

    /// The sessions of an account, if it has any.
    pub(crate) fn account_mut(&mut self, account: AccountId) -> Option<&mut AccountSessions> {
        let account = self.accounts.get_mut(account.index())?;
        (!account.sessions.is_empty()).then_some(account)
    }

    /// The sessions of an account.
    pub(crate) fn of_account(&self, account: AccountId) -> &[Rc<Session>] {
        let account = self.accounts.get(account.index());
        account.map_or(&[], |account| &account.sessions)
    }

    /// All open sessions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Session>> {
        self.slots.iter().flatten()
    }

    fn slot(&self, id: SessionId) -> usize {
        let capacity = self.slots.len().max(1) as u64;
        usize::try_from(id.get() % capacity).expect("a slot is below the capacity")
    }
}
