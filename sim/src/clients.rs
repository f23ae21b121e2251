//! Who sends what: frames with their keys and nonces, and links that lose, double and delay them.

use ledger::Ledger;
use store::disk::Random;
use types::auth::AuthenticFrame;
use types::command::{OrderKind, Place, QuoteLevel, Resting, SelfTrade, TimeInForce, Transfer};
use types::genesis::Genesis;
use types::wire::command::slots_needed;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, Side,
    Ticks,
};

use crate::commands::{Sight, draw_command, draw_levels};
use crate::keyring::Keyring;
use crate::plan::{ACCOUNTS, Plan};

/// All clients, and the links to the node.
#[derive(Debug)]
pub(crate) struct Clients {
    keyring: Keyring,
    /// What was sent, to be sent again.
    sent: Vec<AuthenticFrame>,
    /// On its way: in how many turns it arrives.
    flying: Vec<(u64, AuthenticFrame)>,
    /// Levels of quote sets live longer than the commands that borrow them.
    levels: Vec<Vec<QuoteLevel>>,
}

impl Clients {
    pub(crate) fn new(genesis: &Genesis, random: &mut Random) -> Self {
        Self {
            keyring: Keyring::new(genesis),
            sent: Vec::new(),
            flying: Vec::new(),
            levels: (0..16).map(|list| draw_levels(random, list)).collect(),
        }
    }

    /// The connections are gone, and what was on its way with them.
    pub(crate) fn disconnect(&mut self) {
        self.flying.clear();
    }

    /// Somebody sends something; which keys there are, he sees in the ledger.
    pub(crate) fn send(&mut self, random: &mut Random, plan: &Plan, ledger: &Ledger, sight: Sight) {
        let frame = match self.sent.last() {
            Some(_) if chance(random, plan.repeated) => {
                self.sent[index(random, self.sent.len())].clone()
            }
            _ => self.new_frame(random, plan, ledger, sight),
        };
        let copies = 1 + u64::from(chance(random, plan.doubled));
        for _ in 0..copies {
            if chance(random, plan.lost) {
                continue;
            }
            let late = chance(random, plan.late);
            let delay = if late { random.below(60) } else { 0 };
            self.flying.push((delay, frame.clone()));
        }
    }

    /// An order that is worth taking, right now, of a key that nobody revokes.
    pub(crate) fn probe(&mut self, random: &mut Random, ledger: &Ledger) -> AuthenticFrame {
        let command = Command::Place(Place {
            market: MarketId::new(0),
            side: random.choose(&Side::BOTH),
            kind: OrderKind::Limit(TimeInForce::Rest(Resting::default())),
            price: Ticks::new(100),
            quantity: BaseLots::new(1),
            client_order_id: ClientOrderId::new(0),
            self_trade: SelfTrade::Allow,
            trigger: None,
        });
        let key = KeyId::new(0);
        let nonce = self.keyring.fresh_nonce(key);
        self.keyring
            .sign(ledger, (key, nonce), LogTime::ZERO, &[command])
    }

    /// What arrives now. Who is late may be overtaken.
    pub(crate) fn arrive(&mut self) -> Option<AuthenticFrame> {
        for (delay, _) in &mut self.flying {
            *delay = delay.saturating_sub(1);
        }
        let next = self.flying.iter().position(|(delay, _)| *delay == 0)?;
        Some(self.flying.remove(next).1)
    }

    fn new_frame(
        &mut self,
        random: &mut Random,
        plan: &Plan,
        ledger: &Ledger,
        sight: Sight,
    ) -> AuthenticFrame {
        let frame = if chance(random, plan.registered) {
            self.keyring.register(random, sight.now)
        } else if chance(random, plan.revoked) {
            self.keyring.revoke(random)
        } else {
            self.frame_of_key(random, plan, ledger, sight)
        };
        if self.sent.len() == SENT_MAX {
            self.sent.remove(0);
        }
        self.sent.push(frame.clone());
        frame
    }

    fn frame_of_key(
        &mut self,
        random: &mut Random,
        plan: &Plan,
        ledger: &Ledger,
        sight: Sight,
    ) -> AuthenticFrame {
        let registered = sight.keys - ACCOUNTS;
        let key = match chance(random, plan.keyed) && 0 < registered {
            true => ACCOUNTS + random.below(registered.into()) as u32,
            false => random.below(ACCOUNTS.into()) as u32,
        };
        let key = KeyId::new(key);
        let nonce = self.keyring.draw_nonce(random, plan, key);
        let expires_at = match chance(random, plan.expiring) {
            true => (sight.now + random.below(8_000_000)).saturating_sub(2_000_000),
            false => 0,
        };
        let count = 1 + random.below(plan.commands_per_frame);
        let commands = (0..count).map(|_| draw_command(random, plan, &self.levels, sight));
        let mut slots = 0;
        let mut commands: Vec<_> = commands
            .take_while(|command| {
                slots += slots_needed(command);
                slots <= SLOTS_MAX
            })
            .collect();
        if commands.is_empty() {
            commands.push(IDLE);
        }
        let expires_at = LogTime::new(expires_at);
        self.keyring
            .sign(ledger, (key, nonce), expires_at, &commands)
    }
}

/// A frame fits several times into the smallest block.
const SLOTS_MAX: usize = 16;

/// How many sent frames are remembered.
const SENT_MAX: usize = 48;

/// What does nothing.
const IDLE: Command<'static> = Command::Transfer(Transfer {
    to: AccountId::new(0),
    asset: AssetId::new(0),
    amount: Atoms::ZERO,
});

pub(crate) fn chance(random: &mut Random, percent: u64) -> bool {
    random.below(100) < percent
}

pub(crate) fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).expect("below a length")
}
