//! Random streams with keys of all kinds: registered, limited, moved, revoked, silent, timed;
//! and now and then nobody may trade.

use bytes::Bytes;
use engine::State;
use types::auth::{AuthenticFrame, FrameKey, PublicKey, SigningKey};
use types::block::{Entry, SequencedFrame};
use types::genesis::{Genesis, development_name};
use types::keys::{GrantedMarkets, KeyGrant, KeyScope, SessionPolicy};
use types::limits::{SILENCE_NS_MIN, SLOTS_PER_FRAME_MAX};
use types::outcome::BlockOutcome;
use types::phase::Phase;
use types::wallet::{WalletContext, WalletKey};
use types::wire::command::slots_needed;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{AccountId, Atoms, Command, KeyEpoch, KeyId, LogTime, MarketId, Nonce, SequenceNumber};

use super::{ACCOUNTS, Levels, Random, random_command, random_levels, run_one};

/// A market of keys: what the engine has is asked of a state of its own.
pub(crate) struct Keyring {
    pub(crate) state: State,
    markets: u64,
    frame_key: FrameKey,
    genesis_hash: types::outcome::Digest,
    nonces: Vec<u64>,
    wallet_nonces: Vec<u64>,
    pub(crate) outcome: BlockOutcome,
}

/// Any key signs here: what comes from a journal was verified before.
fn signer() -> SigningKey {
    SigningKey::development("dev-0")
}

/// The name of a key that is not in the genesis.
pub(crate) fn public(number: u64) -> PublicKey {
    SigningKey::development(&format!("key-{number}")).public()
}

impl Keyring {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            state: State::from_genesis(genesis, 0),
            markets: genesis.markets().len() as u64,
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            genesis_hash: genesis.hash(),
            nonces: Vec::new(),
            wallet_nonces: vec![0; genesis.accounts().len()],
            outcome: BlockOutcome::default(),
        }
    }

    /// Executes an entry and hands it back.
    pub(crate) fn run(&mut self, entry: Entry) -> Entry {
        run_one(&mut self.state, &mut self.outcome, entry)
    }

    /// A frame of a key, with its next nonce.
    pub(crate) fn frame(&mut self, key: KeyId, commands: &[Command<'_>]) -> Entry {
        if self.nonces.len() <= key.index() {
            self.nonces.resize(key.index() + 1, 0);
        }
        self.nonces[key.index()] += 1;
        let nonce = self.nonces[key.index()];
        let found = self.state.ledger().key(key).expect("a key that exists");
        let (account, epoch) = (found.account, found.epoch);
        self.encode((account, key, epoch), nonce, commands)
    }

    /// A frame of an account's wallet.
    pub(crate) fn wallet_frame(&mut self, account: AccountId, command: &Command<'_>) -> Entry {
        let nonce = self.wallet_nonces.get(account.index());
        let nonce = nonce.copied().unwrap_or(1);
        let whose = (account, KeyId::WALLET, KeyEpoch::new(0));
        self.encode(whose, nonce, std::slice::from_ref(command))
    }

    /// What the wallet signs next.
    pub(crate) fn wallet(&mut self, account: AccountId) -> (WalletKey, WalletContext) {
        self.wallet_nonces[account.index()] += 1;
        let context = WalletContext {
            genesis_hash: self.genesis_hash,
            account,
            nonce: Nonce::new(self.wallet_nonces[account.index()]),
        };
        (WalletKey::development(&development_name(account)), context)
    }

    /// A wallet registers a key.
    pub(crate) fn register(&mut self, account: u32, key: PublicKey, grant: &KeyGrant) -> Entry {
        let account = AccountId::new(account);
        let (wallet, context) = self.wallet(account);
        let registration = wallet.register(&context, key, grant);
        self.wallet_frame(account, &Command::Register(&registration))
    }

    /// A wallet revokes a key.
    pub(crate) fn revoke(&mut self, account: u32, key: PublicKey) -> Entry {
        let account = AccountId::new(account);
        let (wallet, context) = self.wallet(account);
        let revocation = wallet.revoke(&context, key);
        self.wallet_frame(account, &Command::Revoke(&revocation))
    }

    fn encode(
        &self,
        (account, key, epoch): (AccountId, KeyId, KeyEpoch),
        nonce: u64,
        commands: &[Command<'_>],
    ) -> Entry {
        let header = FrameHeader {
            account,
            key,
            epoch,
            nonce: Nonce::new(nonce),
            expires_at: LogTime::ZERO,
        };
        let mut buffer = Vec::new();
        OrdersFrame::encode(&header, commands, &self.frame_key, &signer(), &mut buffer);
        let frame = OrdersFrame::parse(Bytes::from(buffer)).unwrap();
        Entry::Frame(SequencedFrame {
            frame: AuthenticFrame::from_journal(frame, &self.frame_key),
            origin: None,
        })
    }
}

pub(crate) fn random_grant(random: &mut Random, markets: u64) -> KeyGrant {
    let list: Vec<_> = (0..markets as u16).map(MarketId::new).collect();
    let limit = |random: &mut Random, scale: u64| {
        Atoms::new(u128::from(if random.chance(60) {
            scale * (1 + random.below(20))
        } else {
            0
        }))
    };
    KeyGrant {
        scope: if random.chance(85) {
            KeyScope::Trade
        } else {
            KeyScope::CancelOnly
        },
        markets: if random.chance(30) {
            GrantedMarkets::new(&list[random.below(markets) as usize..][..1]).unwrap()
        } else {
            GrantedMarkets::ALL
        },
        order_notional_max: limit(random, 40_000),
        open_notional_max: limit(random, 80_000),
        daily_loss_max: limit(random, 3_000),
        expires_at: LogTime::new(if random.chance(15) {
            random.below(2_000)
        } else {
            0
        }),
    }
}

/// A day passes in two thousand units of the tests' time now and then.
const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

/// One stream of so many commands, about.
pub(crate) fn entries(genesis: &Genesis, seed: u64, commands: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    random_stream(genesis, seed, commands, |_, entry| entries.push(entry));
    entries
}

/// The same, entry by entry, with the state after it.
pub(crate) fn random_stream(
    genesis: &Genesis,
    seed: u64,
    commands: usize,
    mut each: impl FnMut(&Keyring, Entry),
) {
    let mut random = Random::new(seed);
    let levels = random_levels(&mut random);
    let mut ring = Keyring::new(genesis);
    let (mut made, mut now) = (0, 0);
    while made < commands {
        if random.chance(40) {
            now += random.below(60);
            now += if random.chance(2) { DAY } else { 0 };
            let entry = ring.run(Entry::Tick(LogTime::new(now)));
            each(&ring, entry);
        }
        let entry = random_entry(&mut random, &mut ring, &levels);
        let entry = ring.run(entry);
        made += entry.command_count() as usize;
        each(&ring, entry);
    }
}

fn random_entry(random: &mut Random, ring: &mut Keyring, levels: &Levels) -> Entry {
    let account = random.below(ACCOUNTS.into()) as u32;
    let number = random.below(12);
    let count = ring.state.ledger().key_count();
    let key = KeyId::new(random.below(count.into()) as u32);
    match random.below(100) {
        0..8 => {
            let grant = random_grant(random, ring.markets);
            ring.register(account, public(number), &grant)
        }
        8..10 => ring.revoke(account, public(number)),
        10..14 => Entry::Silence(key),
        14 => Entry::Phase(if random.chance(12) {
            Phase::CancelOnly
        } else {
            Phase::Open
        }),
        _ => {
            let last = ring.state.position().sequence;
            let length = 1 + random.below(12) as usize;
            let mut slots = 0;
            let commands: Vec<Command<'_>> = (0..length)
                .map(|_| random_keyed_command(random, ring, last, levels))
                .take_while(|command| {
                    slots += slots_needed(command);
                    slots <= SLOTS_PER_FRAME_MAX
                })
                .collect();
            ring.frame(key, &commands)
        }
    }
}

fn random_keyed_command<'a>(
    random: &mut Random,
    ring: &Keyring,
    last: SequenceNumber,
    levels: &'a Levels,
) -> Command<'a> {
    match random.below(100) {
        0..4 => Command::SetSessionPolicy(SessionPolicy {
            silence_ns: random.pick(&[0, SILENCE_NS_MIN, SILENCE_NS_MIN, 1]),
            good_till_cancelled: random.chance(50),
            whole_account: random.chance(30),
        }),
        4..8 => Command::SetTimer(random.pick(&[0, 1, 50, 300, u64::MAX])),
        8..9 => {
            let count = ring.state.ledger().key_count();
            Command::RevokeKey(KeyId::new(random.below(u64::from(count) + 2) as u32))
        }
        _ => random_command(random, ring.markets, last.get(), levels),
    }
}
