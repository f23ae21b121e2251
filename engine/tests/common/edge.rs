//! Streams of whatever crosses the edge of the ledger, among ordinary commands: accounts are opened,
//! funds come in and leave, wallets and agents sign actions.

use bytes::Bytes;
use engine::State;
use types::auth::{AuthenticFrame, FrameKey, PublicKey};
use types::block::{Entry, SequencedFrame};
use types::command::{ApproveAgent, Send, Withdraw};
use types::genesis::{Genesis, OwnerAddress};
use types::inbox::{InboxEntry, InboxKind};
use types::keys::WalletSignature;
use types::outcome::BlockOutcome;
use types::wire::action::SignedAction;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{AccountId, AssetId, Atoms, Command, KeyEpoch, KeyId, LogTime, Nonce};

use super::{ACCOUNTS, Levels, Random, Signer, random_command, random_levels, run_one};

/// The last account of the genesis is the operator.
pub(crate) const OPERATOR: u32 = ACCOUNTS - 1;

/// A ledger whose edge is crossed: what the engine has is asked of a state of its own.
pub(crate) struct Border {
    pub(crate) state: State,
    pub(crate) outcome: BlockOutcome,
    signer: Signer,
    frame_key: FrameKey,
    markets: u64,
    /// Milliseconds; each action has its own.
    clock: u64,
}

/// An address that nobody has in the genesis.
pub(crate) const fn stranger(number: u8) -> OwnerAddress {
    [0xa0 + number; 20]
}

impl Border {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            state: State::from_genesis(genesis, 0),
            outcome: BlockOutcome::default(),
            signer: Signer::new(genesis),
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            markets: genesis.markets().len() as u64,
            clock: 0,
        }
    }

    /// Executes an entry and hands it back.
    pub(crate) fn run(&mut self, entry: Entry) -> Entry {
        run_one(&mut self.state, &mut self.outcome, entry)
    }

    /// A frame of an account of the genesis.
    pub(crate) fn frame(&mut self, account: u32, commands: &[Command<'_>]) -> Entry {
        Entry::Frame(self.signer.frame(account, commands))
    }

    /// The number that an agent has as a key, and its epoch.
    pub(crate) fn agent(&self, agent: &OwnerAddress) -> Option<(KeyId, KeyEpoch)> {
        let ledger = self.state.ledger();
        let key = ledger.key_by_public(&PublicKey::of_agent(agent))?;
        Some((key, ledger.key(key)?.epoch))
    }

    /// What this signer has signed for an account, as the owner or, if it is known as one, as an agent.
    pub(crate) fn action(
        &mut self,
        (account, signer): (AccountId, OwnerAddress),
        nonce: Option<u64>,
        commands: &[Command<'_>],
    ) -> Entry {
        self.clock += 1;
        let nonce = nonce.unwrap_or(self.clock);
        let wallet = (KeyId::WALLET, KeyEpoch::new(0));
        let (key, epoch) = self.agent(&signer).unwrap_or(wallet);
        let header = FrameHeader {
            account,
            key,
            epoch,
            nonce: Nonce::new(nonce),
            expires_at: LogTime::ZERO,
        };
        let mut bytes = Vec::new();
        OrdersFrame::encode_unsigned(&header, commands, &mut bytes);
        let frame = OrdersFrame::parse_of_action(Bytes::from(bytes)).unwrap();
        let action = SignedAction {
            action: Bytes::from_static(b"the engine does not read it"),
            nonce,
            vault: None,
            expires_after: None,
            signature: WalletSignature::NONE,
            signer,
        };
        Entry::Frame(SequencedFrame {
            frame: AuthenticFrame::of_action(frame, action, &self.frame_key),
            origin: None,
        })
    }
}

/// One stream of so many commands, about.
pub(crate) fn entries(genesis: &Genesis, seed: u64, commands: usize) -> Vec<Entry> {
    let mut random = Random::new(seed);
    let levels = random_levels(&mut random);
    let mut border = Border::new(genesis);
    let (mut entries, mut made, mut now) = (Vec::new(), 0, 0);
    while made < commands {
        if random.chance(30) {
            now += random.below(60);
            entries.push(border.run(Entry::Tick(LogTime::new(now))));
        }
        let entry = random_entry(&mut random, &mut border, &levels, now);
        made += entry.command_count() as usize;
        entries.push(border.run(entry));
    }
    entries
}

fn random_entry(random: &mut Random, border: &mut Border, levels: &Levels, now: u64) -> Entry {
    let listed = random.below(ACCOUNTS.into()) as u32;
    if random.chance(60) {
        let last = border.state.position().sequence.get();
        let count = 1 + random.below(12);
        let commands: Vec<_> = (0..count)
            .map(|_| random_command(random, border.markets, last, levels))
            .collect();
        return if random.chance(60) {
            border.frame(listed, &commands)
        } else {
            let who = random_signer(random, border);
            border.action(who, None, &commands)
        };
    }
    match random.below(10) {
        0..=2 => {
            let entry = random_inbox(random, border);
            let who = if random.chance(95) { OPERATOR } else { listed };
            border.frame(who, &[Command::Inbox(entry)])
        }
        3 => {
            let nonce = Some(random.below(border.clock + 5));
            let who = random_signer(random, border);
            border.action(who, nonce, &[Command::OpenSubAccount])
        }
        _ => {
            let command = random_crossing(random, border, now);
            if random.chance(50) {
                border.frame(listed, &[command])
            } else {
                let who = random_signer(random, border);
                border.action(who, None, &[command])
            }
        }
    }
}

fn random_amount(random: &mut Random) -> (AssetId, Atoms) {
    let assets = if random.chance(3) { 5 } else { 3 };
    let asset = AssetId::new(random.below(assets) as u16);
    let amount = match random.below(20) {
        0 => 0,
        1 => u128::MAX,
        _ => u128::from(random.below(500_000)),
    };
    (asset, Atoms::new(amount))
}

fn random_address(random: &mut Random, border: &Border) -> OwnerAddress {
    let ledger = border.state.ledger();
    if random.chance(60) {
        return stranger(random.below(6) as u8);
    }
    let account = AccountId::new(random.below(ledger.account_count().into()) as u32);
    ledger.owner(account)
}

/// Some account, and its owner, an agent, or somebody else.
fn random_signer(random: &mut Random, border: &Border) -> (AccountId, OwnerAddress) {
    let ledger = border.state.ledger();
    let account = AccountId::new(random.below(ledger.account_count().into()) as u32);
    let signer = match random.below(10) {
        0..=5 => ledger.owner(account),
        6..=8 => stranger(random.below(6) as u8),
        _ => random_address(random, border),
    };
    (account, signer)
}

fn random_crossing(random: &mut Random, border: &Border, now: u64) -> Command<'static> {
    let (asset, amount) = random_amount(random);
    match random.below(6) {
        0 => Command::Withdraw(Withdraw { asset, amount }),
        1 | 2 => Command::Send(Send {
            to: random_address(random, border),
            asset,
            amount,
        }),
        3 => Command::OpenSubAccount,
        4 => Command::SetTimerAt(LogTime::new(match random.below(4) {
            0 => 0,
            _ => now + random.below(200),
        })),
        _ => Command::ApproveAgent(ApproveAgent {
            agent: random_address(random, border),
            name: [random.below(3) as u8; 16],
            expires_at: LogTime::new(if random.chance(30) { now + 300 } else { 0 }),
        }),
    }
}

fn random_inbox(random: &mut Random, border: &Border) -> InboxEntry {
    let (asset, amount) = random_amount(random);
    let ledger = border.state.ledger();
    let next = ledger.edge().inbox().count;
    let account = AccountId::new(random.below(u64::from(ledger.account_count()) + 1) as u32);
    let kind = random.pick(&[
        InboxKind::Deposit,
        InboxKind::Deposit,
        InboxKind::Withdraw,
        InboxKind::CancelAll,
    ]);
    let owner = if kind != InboxKind::Deposit && ledger.contains(account) && random.chance(80) {
        ledger.owner(account)
    } else {
        random_address(random, border)
    };
    InboxEntry {
        index: if random.chance(90) {
            next
        } else {
            random.below(next + 3)
        },
        kind,
        owner,
        account,
        asset,
        amount,
    }
}
