//! Every protocol limit, written once. All nodes of a network must agree on these values, so a
//! change is a protocol change: it needs a new protocol version and a line in the changelog.
//!
//! Limits of one node (queue lengths, sessions) are configuration and live where they are used.

/// Version of the wire protocol, the journal payload and the signed digest.
pub const PROTOCOL_VERSION: u8 = 1;

/// Commands in one signed frame.
pub const COMMANDS_PER_FRAME_MAX: usize = 256;

/// Slots of 32 bytes in one signed frame; a command takes one or more.
pub const SLOTS_PER_FRAME_MAX: usize = 256;

/// Levels a side in one quote set.
pub const QUOTE_LEVELS_MAX: usize = 32;

/// Frames under one rolling signature, ...
pub const FRAMES_PER_RUN_MAX: usize = 64;

/// ... and their bytes together. They stay together in one block, so this is as if they were one
/// message.
pub const RUN_LENGTH_MAX: usize = MESSAGE_LENGTH_MAX;

/// Labels that an account may have cancelled ahead of their orders, in one market.
pub const REMEMBERED_CANCELS_MAX: usize = 64;

/// Triggered orders that one command may set off; what else is due waits for the next trade.
pub const TRIGGERS_PER_COMMAND_MAX: u32 = 100;

/// Orders that one tick takes off the books; what else is due goes with the next one, and does not
/// trade meanwhile.
pub const EXPIRIES_PER_TICK_MAX: u32 = 10_000;

/// The widest price band, in parts per million of its reference: prices double or vanish.
pub const BAND_PPM_MAX: u32 = 1_000_000;

/// The longest time for which a band's reference holds, in milliseconds of logged time: a day.
pub const BAND_INTERVAL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The least logged time between two indicative prices of an auction, in nanoseconds.
pub const INDICATIVE_INTERVAL_NS: u64 = 100_000_000;

/// Commands in one block: bounds the time between two releases and the buffers of a block.
pub const COMMANDS_PER_BLOCK_MAX: usize = 16_384;

/// Highest price in ticks. One below `u32::MAX`, so that a book can index prices with 32 bits
/// and keep a value for "none".
pub const PRICE_TICKS_MAX: u64 = u32::MAX as u64 - 1;

/// Highest size of one order in lots.
pub const QUANTITY_LOTS_MAX: u64 = (1 << 48) - 1;

/// Highest `base_atoms_per_lot` and `quote_atoms_per_tick_lot` of a market.
pub const ATOMS_FACTOR_MAX: u64 = (1 << 40) - 1;

/// Highest supply of one asset in the whole ledger, in atoms. Deposits beyond it are refused, so no
/// balance can pass it either and a fill never fails for the receiver.
pub const ATOMS_MAX: u128 = (1 << 95) - 1;

/// Open orders of one account over all markets: bounds what one `CancelAll` may touch.
pub const OPEN_ORDERS_PER_ACCOUNT_MAX: u32 = 1 << 17;

/// Resting orders in one book: slots are 32-bit and memory is bounded.
pub const ORDERS_PER_BOOK_MAX: u32 = 1 << 22;

/// Fills that one command may cause; what is left of the taker then is cancelled.
pub const FILLS_PER_COMMAND_MAX: u32 = 10_000;

/// Nonces that a key may have outstanding below its highest one.
pub const NONCE_WINDOW: u64 = 1_024;

/// Highest legal nonce. The room above it lets a window end past its highest nonce without wrapping.
pub const NONCE_MAX: u64 = u64::MAX - NONCE_WINDOW - 1;

/// Keys of one account, revoked ones that were not replaced included.
pub const KEYS_PER_ACCOUNT_MAX: usize = 64;

/// Markets that a key may be granted by name.
pub const GRANT_MARKETS_MAX: usize = 16;

/// The shortest silence that may end a session's orders, in nanoseconds: 50 ms.
pub const SILENCE_NS_MIN: u64 = 50_000_000;

/// The longest such silence: an hour.
pub const SILENCE_NS_MAX: u64 = 60 * 60 * 1_000_000_000;

/// The longest time that a key's timer may run, in nanoseconds: a day.
pub const TIMER_NS_MAX: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Assets of a network.
pub const ASSETS_MAX: usize = 256;

/// Markets of a network. A power of two: order ids carry the market in so many bits.
pub const MARKETS_MAX: usize = 1_024;

/// Accounts of a network. The state tree has 2^32 leaves; the highest ids belong to the system.
pub const ACCOUNTS_MAX: usize = 1 << 24;

/// Accounts that an owner may open beside the first one.
pub const SUB_ACCOUNTS_MAX: u32 = 64;

/// Fee rates are parts of this.
pub const FEE_RATE_ONE: i64 = 1_000_000;

/// Highest fee rate, and highest rebate, in parts per million (10 %).
pub const FEE_RATE_MAX: i64 = 100_000;

/// Bytes in an asset or market symbol.
pub const SYMBOL_LENGTH_MAX: usize = 16;

/// Largest message on the wire, in bytes, prefix included; checked before any allocation.
pub const MESSAGE_LENGTH_MAX: usize = 64 * 1024;

/// Bytes of a trader's action, in MessagePack. With the frame that it comes to it is one message.
pub const ACTION_LENGTH_MAX: usize = 48 * 1024;

/// The highest nonces of a signer of actions that are remembered; one that is lower than all of them
/// is too old.
pub const ACTION_NONCES_MAX: usize = 100;

/// How far behind logged time the nonce of an action may be, in milliseconds: two days, ...
pub const ACTION_NONCE_PAST_MS: u64 = 2 * 24 * 60 * 60 * 1_000;

/// ... and how far ahead: a day.
pub const ACTION_NONCE_FUTURE_MS: u64 = 24 * 60 * 60 * 1_000;

/// Orders that one command can place. A power of two: order ids carry the index in so many bits.
pub const ORDERS_PER_COMMAND_MAX: u64 = 64;

// The notional of the largest order must be a legal amount times at most 2^33, so that the product
// is computed in u128 without overflow and then refused by the balance check, never wrapped.
const _: () = assert!(
    (PRICE_TICKS_MAX as u128) < (1 << 32)
        && (QUANTITY_LOTS_MAX as u128) < (1 << 48)
        && (ATOMS_FACTOR_MAX as u128) < (1 << 40)
);
const _: () = assert!(ATOMS_MAX.checked_mul(1 << 32).is_some());
const _: () = assert!(COMMANDS_PER_FRAME_MAX <= COMMANDS_PER_BLOCK_MAX);
// A whole run fits a block, with a tick before it: a command takes 32 bytes.
const _: () = assert!(RUN_LENGTH_MAX / 32 < COMMANDS_PER_BLOCK_MAX);
const _: () = assert!(COMMANDS_PER_FRAME_MAX <= SLOTS_PER_FRAME_MAX);
// A quote set of all levels, two to a slot, and its head fit one frame.
const _: () = assert!(QUOTE_LEVELS_MAX < SLOTS_PER_FRAME_MAX);
const _: () = assert!(2 * QUOTE_LEVELS_MAX as u64 <= ORDERS_PER_COMMAND_MAX);
const _: () = assert!(FEE_RATE_MAX < FEE_RATE_ONE);
// A fee is amount x rate in u128.
const _: () = assert!(ATOMS_MAX.checked_mul(FEE_RATE_ONE as u128).is_some());
const _: () = assert!(MARKETS_MAX.is_power_of_two() && ORDERS_PER_COMMAND_MAX.is_power_of_two());
const _: () = assert!(NONCE_WINDOW.is_multiple_of(64));
const _: () = assert!(ASSETS_MAX <= u16::MAX as usize);
// 65,535 means "all markets" on the wire.
const _: () = assert!(MARKETS_MAX < u16::MAX as usize);
