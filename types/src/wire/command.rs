//! Commands as slots of 32 bytes.
//!
//! Most commands are one slot; what a slot cannot hold goes on in the next. Fields that an
//! operation does not use are zero, and the longer form of a command is there only for what the
//! shorter cannot say; anything else is malformed, so each command has exactly one encoding. The
//! decoder does not list what must be zero: it encodes again what it understood, and compares.
//!
//! Layout of a command's first slot, by offset: 0 operation u8, 1 side u8, 2 kind u8, 3 time in
//! force u8 ("tif"), 4 market u16, 6 asset u16, 8 a u64, 16 b u64, 24 c u64.
//!
//! | operation | slots | side | kind | tif | market | asset | a | b | c |
//! |---|---|---|---|---|---|---|---|---|---|
//! | 1 place | 1 | 0 bid, 1 ask | 0 limit, 1 post-only, 2 post-only sliding, 3 market | 0 rests, 1 IOC, 2 FOK | market | | price in ticks | quantity in lots | client order id |
//! | 2 cancel | 1 | | | | | | order id | | |
//! | 3 cancel by label | 1 | | | | market | | remember until | | client order id |
//! | 4 cancel all | 1 | 0, 1, or 255 both | | | market, or 65535 all | | lowest price | highest price, or both 0 | |
//! | 5 transfer | 1 | | | | | asset | receiving account | amount, low half | amount, high half |
//! | 6 place, extended | 2 | as place | as place | as place | market | | price in ticks | quantity in lots | client order id |
//! | 7 replace | 1 | 0, or 1 may take | 0 by id, 1 by label | self-trade | market, if by label | | order id or client order id | price in ticks | quantity in lots |
//! | 8 quote set | 1 + levels / 2, rounded up | bids, 0 to 32 | asks, 0 to 32 | | market | | number | | |
//! | 9 set protection | 2 | | group | | market | | window in ns | fills | lots |
//! | 10 set market status | 1 | | status | | market | | | | |
//! | 11 set session policy | 1 | | flags: 1 orders without an expiry too, 2 of the whole account | | | | silence in ns, 0 for none | | |
//! | 12 set timer | 1 | | | | | | ns from now, 0 for none | | |
//! | 13 revoke key | 1 | | | | | | key number | | |
//! | 14 register (wallet) | 7 | | | | | | | | |
//! | 15 revoke (wallet) | 5 | | | | | | | | |
//! | 16 set timer at | 1 | | | | | | logged time, 0 for none | | |
//! | 17 send | 2 | | | | | asset | | amount, low half | amount, high half |
//! | 18 withdraw | 1 | | | | | asset | | amount, low half | amount, high half |
//! | 19 open sub-account | 1 | | | | | | | | |
//! | 20 approve agent | 2 | | | | | | expires at | name, first half | name, second half |
//! | 21 inbox | 2 | | kind | | | asset | index | amount, low half | amount, high half |
//!
//! The second slot of an extended place: 0 expires at u64, 8 display u64, 16 trigger price u32,
//! 20 trigger price of the stop beside it u32, 24 limit of that stop u32, 28 trigger condition u8
//! (0 none, 1 stop, 2 take profit), 29 self-trade u8, 30 self-trade of the stop beside it u8,
//! 31 flags u8 (bit 0: there is a stop beside it, bit 1: protected). Self-trade is the number of a
//! [`SelfTrade`](crate::command::SelfTrade), status that of a
//! [`MarketStatus`](crate::command::MarketStatus). Further slots of a quote set: its bids, then its
//! asks, 16 bytes each (see [`QuoteLevel`]). The second slot of a protection: 0 notional u128,
//! 16 reserved (16). The second slot of a send, an agent and an inbox entry: 0 address (20), 20 account
//! u32 (of an inbox entry, else zero), 24 reserved (8). The further slots of what a wallet signs are a
//! [`Registration`] or a [`Revocation`].

mod slot;

use zerocopy::{FromBytes, IntoBytes, transmute_ref};

use crate::command::QuoteLevel;
use crate::keys::{Registration, Revocation};
use crate::{BaseLots, Command, Ticks};
pub(super) use slot::Slot;
use slot::{
    APPROVE_AGENT, AddressTail, INBOX, PLACE_EXTENDED, PlaceTail, ProtectionTail, QUOTE_SET,
    REGISTER, REVOKE, SEND, SET_PROTECTION, is_extended,
};

/// Size of a slot.
pub const SLOT_LENGTH: usize = 32;

const LEVELS_PER_SLOT: usize = 2;
const _: () = assert!(size_of::<QuoteLevel>() * LEVELS_PER_SLOT == SLOT_LENGTH);
const REGISTRATION_SLOTS: usize = size_of::<Registration>() / SLOT_LENGTH;
const _: () = assert!(size_of::<Registration>() == REGISTRATION_SLOTS * SLOT_LENGTH);
const REVOCATION_SLOTS: usize = size_of::<Revocation>() / SLOT_LENGTH;
const _: () = assert!(size_of::<Revocation>() == REVOCATION_SLOTS * SLOT_LENGTH);

/// How many slots a command takes.
pub const fn slots_needed(command: &Command<'_>) -> usize {
    match command {
        Command::Place(place) if is_extended(place) => 2,
        Command::QuoteSet(set) => 1 + (set.bids.len() + set.asks.len()).div_ceil(LEVELS_PER_SLOT),
        Command::SetProtection(_)
        | Command::Send(_)
        | Command::ApproveAgent(_)
        | Command::Inbox(_) => 2,
        Command::Register(_) => 1 + REGISTRATION_SLOTS,
        Command::Revoke(_) => 1 + REVOCATION_SLOTS,
        Command::Place(_)
        | Command::Replace(_)
        | Command::Cancel(_)
        | Command::CancelAll(_)
        | Command::Transfer(_)
        | Command::SetMarketStatus(_)
        | Command::SetSessionPolicy(_)
        | Command::SetTimer(_)
        | Command::SetTimerAt(_)
        | Command::Withdraw(_)
        | Command::OpenSubAccount
        | Command::RevokeKey(_) => 1,
    }
}

/// Appends the slots of a command to `out`. Panics on a quote set of more than
/// [`crate::limits::QUOTE_LEVELS_MAX`] levels a side.
pub fn encode_command(command: &Command<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(Slot::first_of(command).as_bytes());
    match command {
        Command::Place(place) if is_extended(place) => {
            out.extend_from_slice(PlaceTail::from(place).as_bytes());
        }
        Command::QuoteSet(set) => {
            out.extend_from_slice(set.bids.as_bytes());
            out.extend_from_slice(set.asks.as_bytes());
            if (set.bids.len() + set.asks.len()) % LEVELS_PER_SLOT == 1 {
                out.extend_from_slice(NO_LEVEL.as_bytes());
            }
        }
        Command::SetProtection(protection) => {
            out.extend_from_slice(ProtectionTail::from(protection).as_bytes());
        }
        Command::Register(registration) => out.extend_from_slice(registration.as_bytes()),
        Command::Revoke(revocation) => out.extend_from_slice(revocation.as_bytes()),
        Command::Send(_) | Command::ApproveAgent(_) | Command::Inbox(_) => {
            let tail = AddressTail::of(command).expect("it names an address");
            out.extend_from_slice(tail.as_bytes());
        }
        _ => {}
    }
}

/// Whether these slots are exactly this many commands of keys, or else of a wallet, each as its
/// encoder writes it.
pub(super) fn are_commands(mut slots: &[Slot], count: usize, of_wallet: bool) -> bool {
    for _ in 0..count {
        match split_command(slots) {
            Some((command, behind))
                if command.is_of_wallet() == of_wallet && is_canonical(&command, slots) =>
            {
                slots = behind;
            }
            _ => return false,
        }
    }
    slots.is_empty()
}

/// The commands of a well-formed frame, in order.
#[derive(Clone, Debug)]
pub struct Commands<'a> {
    slots: &'a [Slot],
}

impl<'a> Commands<'a> {
    /// Of slots that [`are_commands`] has accepted.
    pub(super) const fn of_checked(slots: &'a [Slot]) -> Self {
        Self { slots }
    }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Command<'a>;

    fn next(&mut self) -> Option<Command<'a>> {
        if self.slots.is_empty() {
            return None;
        }
        let (command, behind) = split_command(self.slots).expect("checked when the frame came");
        self.slots = behind;
        Some(command)
    }
}

/// The first command and the slots behind it, without a look at what the command does not use;
/// `None` if there is none.
fn split_command(slots: &[Slot]) -> Option<(Command<'_>, &[Slot])> {
    let (first, behind) = slots.split_first()?;
    match first.operation {
        PLACE_EXTENDED => {
            let (tail, behind) = behind.split_first()?;
            let place = first.extended_place(transmute_ref!(tail))?;
            Some((Command::Place(place), behind))
        }
        QUOTE_SET => {
            let (set, behind) = first.quote_set(behind)?;
            Some((Command::QuoteSet(set), behind))
        }
        SET_PROTECTION => {
            let (tail, behind) = behind.split_first()?;
            let protection = first.protection(transmute_ref!(tail));
            Some((Command::SetProtection(protection), behind))
        }
        SEND | APPROVE_AGENT | INBOX => {
            let (tail, behind) = behind.split_first()?;
            Some((first.of_address(transmute_ref!(tail))?, behind))
        }
        REGISTER => {
            let (tail, behind) = behind.split_at_checked(REGISTRATION_SLOTS)?;
            let registration = Registration::ref_from_bytes(tail.as_bytes());
            let registration = registration.expect("as long as so many slots");
            Some((Command::Register(registration), behind))
        }
        REVOKE => {
            let (tail, behind) = behind.split_at_checked(REVOCATION_SLOTS)?;
            let revocation = Revocation::ref_from_bytes(tail.as_bytes());
            let revocation = revocation.expect("as long as so many slots");
            Some((Command::Revoke(revocation), behind))
        }
        _ => Some((first.command()?, behind)),
    }
}

/// Whether the encoder makes these slots, or the first ones of them, for the command that was
/// decoded from them.
fn is_canonical(command: &Command<'_>, slots: &[Slot]) -> bool {
    if Slot::first_of(command) != slots[0] {
        return false;
    }
    match command {
        Command::Place(place) if is_extended(place) => {
            PlaceTail::from(place).as_bytes() == slots[1].as_bytes()
        }
        // The levels are the bytes themselves; only half a slot can be left over.
        Command::QuoteSet(set) => {
            let levels = size_of_val(set.bids) + size_of_val(set.asks);
            let slots = slots[1..slots_needed(command)].as_bytes();
            slots[levels..].iter().all(|byte| *byte == 0)
        }
        Command::SetProtection(protection) => {
            ProtectionTail::from(protection).as_bytes() == slots[1].as_bytes()
        }
        // Their bytes are the slots themselves.
        Command::Register(registration) => registration.is_canonical(),
        Command::Revoke(revocation) => revocation.is_canonical(),
        Command::Send(_) | Command::ApproveAgent(_) | Command::Inbox(_) => {
            AddressTail::of(command).is_some_and(|tail| tail.as_bytes() == slots[1].as_bytes())
        }
        _ => true,
    }
}

/// What fills the last slot of a quote set with an odd number of levels.
const NO_LEVEL: QuoteLevel = QuoteLevel::new(Ticks::ZERO, BaseLots::ZERO);
