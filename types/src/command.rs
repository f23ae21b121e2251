//! Every request that may change state, once decoded and authenticated.
//!
//! Variants carry only the fields that make sense for them, so that for instance a post-only order
//! that must fill at once cannot be said. Only `engine::transition` may match on [`Command`] to
//! change state. Value checks (zero price, unknown market) are the transition's, not the decoder's:
//! they depend on state and their outcome is part of the total order. `docs/ORDERS.md` has the
//! exact rules.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::genesis::OwnerAddress;
use crate::inbox::InboxEntry;
use crate::keys::{Registration, Revocation, SessionPolicy};
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, KeyId, LogTime, MarketId, OrderId, Side,
    Ticks,
};

/// One request of an account. Levels of a quote set are borrowed from the frame that carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Enter an order.
    Place(Place),
    /// Change price and size of an open order, which keeps its id.
    Replace(Replace),
    /// Replace all quotes of the account in one market at once, or none of them.
    QuoteSet(QuoteSet<'a>),
    /// End one order.
    Cancel(Cancel),
    /// Take all orders of the account in scope off the book.
    CancelAll(CancelScope),
    /// Move free funds to another account.
    Transfer(Transfer),
    /// Limit what the account's quotes may trade, or arm such a limit again.
    SetProtection(SetProtection),
    /// Open a market, close it, or anything between. Operators only.
    SetMarketStatus(SetMarketStatus),
    /// Say when the orders of the key that signs are to be taken off because nobody is there.
    SetSessionPolicy(SessionPolicy),
    /// Take all orders of the key that signs off when so many nanoseconds of logged time have
    /// passed, unless it is set again before; zero: never.
    SetTimer(u64),
    /// End a key of the account.
    RevokeKey(KeyId),
    /// The same, but for all orders of the account, whoever placed them, and at this logged time; zero:
    /// never.
    SetTimerAt(LogTime),
    /// Move free funds to the main account of an address, which is opened if there is none.
    Send(Send),
    /// Move free funds out of the ledger: the owner claims them on the chain.
    Withdraw(Withdraw),
    /// Open another account of the same owner.
    OpenSubAccount,
    /// Let another wallet trade for the account.
    ApproveAgent(ApproveAgent),
    /// Consume the next entry of a chain's inbox. Operators only.
    Inbox(InboxEntry),
    /// The account's wallet lets a key sign. Alone in its frame.
    Register(&'a Registration),
    /// The account's wallet ends a key. Alone in its frame.
    Revoke(&'a Revocation),
}

impl Command<'_> {
    /// The stable names of all kinds, as machines see them.
    pub const KINDS: [&'static str; 19] = [
        "place",
        "replace",
        "quote_set",
        "cancel",
        "cancel_all",
        "transfer",
        "protection",
        "market_status",
        "session_policy",
        "timer",
        "revoke_key",
        "wallet_register",
        "wallet_revoke",
        "timer_at",
        "send",
        "withdraw",
        "open_sub_account",
        "approve_agent",
        "inbox",
    ];

    /// Which kind it is: the place of its name in [`Command::KINDS`].
    pub const fn kind(&self) -> usize {
        match self {
            Self::Place(_) => 0,
            Self::Replace(_) => 1,
            Self::QuoteSet(_) => 2,
            Self::Cancel(_) => 3,
            Self::CancelAll(_) => 4,
            Self::Transfer(_) => 5,
            Self::SetProtection(_) => 6,
            Self::SetMarketStatus(_) => 7,
            Self::SetSessionPolicy(_) => 8,
            Self::SetTimer(_) => 9,
            Self::RevokeKey(_) => 10,
            Self::Register(_) => 11,
            Self::Revoke(_) => 12,
            Self::SetTimerAt(_) => 13,
            Self::Send(_) => 14,
            Self::Withdraw(_) => 15,
            Self::OpenSubAccount => 16,
            Self::ApproveAgent(_) => 17,
            Self::Inbox(_) => 18,
        }
    }

    /// The stable name of its kind, as machines see it.
    pub const fn name(&self) -> &'static str {
        Self::KINDS[self.kind()]
    }

    /// Whether the account's wallet signs it, and no key.
    pub const fn is_of_wallet(&self) -> bool {
        matches!(self, Self::Register(_) | Self::Revoke(_))
    }

    /// Whether it only takes orders off.
    pub const fn is_cancel(&self) -> bool {
        matches!(self, Self::Cancel(_) | Self::CancelAll(_))
    }

    /// Whether it takes funds off the ledger.
    pub const fn is_withdrawal(&self) -> bool {
        matches!(self, Self::Withdraw(_))
    }

    /// The one market that it names, if it names one; it need not exist.
    pub const fn market(&self) -> Option<MarketId> {
        match self {
            Self::Place(order) => Some(order.market),
            Self::Replace(replace) => Some(replace.target.market()),
            Self::QuoteSet(set) => Some(set.market),
            Self::Cancel(cancel) => Some(cancel.target().market()),
            Self::CancelAll(scope) => scope.market,
            Self::SetProtection(set) => Some(set.market),
            Self::SetMarketStatus(set) => Some(set.market),
            Self::Transfer(_)
            | Self::SetSessionPolicy(_)
            | Self::SetTimer(_)
            | Self::SetTimerAt(_)
            | Self::Send(_)
            | Self::Withdraw(_)
            | Self::OpenSubAccount
            | Self::ApproveAgent(_)
            | Self::Inbox(_)
            | Self::RevokeKey(_)
            | Self::Register(_)
            | Self::Revoke(_) => None,
        }
    }
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where to trade.
    pub market: MarketId,
    /// Buy or sell base.
    pub side: Side,
    /// How the order may meet the book.
    pub kind: OrderKind,
    /// The worst price the owner accepts.
    pub price: Ticks,
    /// How much base.
    pub quantity: BaseLots,
    /// The owner's label, unique among the account's open orders in the market.
    pub client_order_id: ClientOrderId,
    /// What to do on meeting an order of the same group of accounts.
    pub self_trade: SelfTrade,
    /// Wait for this before meeting the book.
    pub trigger: Option<Trigger>,
}

/// How an order may meet the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Crosses what it can at its price or better; the time in force says what becomes of the rest.
    Limit(TimeInForce),
    /// Crosses what it can down to its bound; nothing rests.
    Market(Immediate),
    /// Never takes.
    PostOnly(Crossing, Resting),
}

/// What becomes of the part of a limit order that does not fill at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// It rests: good till cancelled, or till a time.
    Rest(Resting),
    /// Nothing of it rests.
    Immediate(Immediate),
}

/// How an order fills that never rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Immediate {
    /// Immediate or cancel: what does not fill at once is cancelled.
    OrCancel,
    /// Fill or kill: unless all of it fills at once, nothing does.
    OrKill,
}

/// What a post-only order does if its price would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// It is rejected.
    Reject,
    /// It rests at the best price that does not take.
    Slide,
}

/// How the resting part of an order lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resting {
    /// Good till this logged time; zero: till cancelled.
    pub expires_at: LogTime,
    /// Iceberg: how much is shown at a time; zero: all of it.
    pub display: BaseLots,
    /// One cancels the other: the stop beside the order, in force while it rests.
    pub stop: Option<StopLeg>,
    /// Its fills count for market-maker protection, which pulls it when it trips.
    pub protected: bool,
}

/// The other way in which a resting order may fill: set off by the price, as a taker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopLeg {
    /// Beyond the order's own price: a bid waits for a trade at or above it, an ask at or below.
    pub trigger: Ticks,
    /// The worst price that the owner accepts then.
    pub limit: Ticks,
    /// What to do then on meeting an order of the same group.
    pub self_trade: SelfTrade,
}

impl OrderKind {
    /// Good till cancelled.
    pub const GTC: Self = Self::Limit(TimeInForce::Rest(Resting::PLAIN));
    /// Immediate or cancel.
    pub const IOC: Self = Self::Limit(TimeInForce::Immediate(Immediate::OrCancel));
    /// Fill or kill.
    pub const FOK: Self = Self::Limit(TimeInForce::Immediate(Immediate::OrKill));
    /// Rests in full or is rejected.
    pub const POST_ONLY: Self = Self::PostOnly(Crossing::Reject, Resting::PLAIN);

    /// How a remainder rests; `None`: it does not.
    pub const fn resting(self) -> Option<Resting> {
        match self {
            Self::Limit(TimeInForce::Rest(resting)) | Self::PostOnly(_, resting) => Some(resting),
            Self::Limit(TimeInForce::Immediate(_)) | Self::Market(_) => None,
        }
    }

    /// Whether all of it must fill at once.
    pub const fn all_or_nothing(self) -> bool {
        matches!(
            self,
            Self::Limit(TimeInForce::Immediate(Immediate::OrKill))
                | Self::Market(Immediate::OrKill)
        )
    }
}

impl Resting {
    /// Till cancelled, and shown in full.
    pub const PLAIN: Self = Self {
        expires_at: LogTime::ZERO,
        display: BaseLots::ZERO,
        stop: None,
        protected: false,
    };

    /// Whether there is nothing to say about it.
    pub const fn is_plain(&self) -> bool {
        self.expires_at.get() == 0
            && self.display.is_zero()
            && self.stop.is_none()
            && !self.protected
    }
}

/// What happens where a taker meets an order of its own group; the taker's setting decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow = 0,
    /// The rest of the taker is cancelled.
    CancelTaker = 1,
    /// The maker is cancelled, and the taker goes on.
    CancelMaker = 2,
    /// Both are cancelled.
    CancelBoth = 3,
    /// Both shrink by the smaller size without a trade; what reaches zero ends.
    Decrement = 4,
}

impl SelfTrade {
    /// The setting with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Allow,
            1 => Self::CancelTaker,
            2 => Self::CancelMaker,
            3 => Self::CancelBoth,
            4 => Self::Decrement,
            _ => return None,
        })
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::CancelTaker => "cancel_taker",
            Self::CancelMaker => "cancel_maker",
            Self::CancelBoth => "cancel_both",
            Self::Decrement => "decrement",
        }
    }
}

/// Keeps an order off the book until the market's last trade reaches a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Which way the price has to come.
    pub condition: TriggerCondition,
    /// The price.
    pub price: Ticks,
}

/// Which way the price has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TriggerCondition {
    /// Against the order: a bid at or above the price, an ask at or below.
    Stop = 1,
    /// In favour of the order: a bid at or below the price, an ask at or above.
    TakeProfit = 2,
}

/// A change of an open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    /// Which order.
    pub target: OrderTarget,
    /// Its new price.
    pub price: Ticks,
    /// Its new size, what has filled of it included.
    pub quantity: BaseLots,
    /// Whether it may take at its new price; if not and it would, the replace is rejected.
    pub may_take: bool,
    /// What to do on meeting an order of the same group, should it take.
    pub self_trade: SelfTrade,
}

/// All quotes of an account in one market. Those at a price that the set has too keep their place
/// unless they grow; all others go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteSet<'a> {
    /// Where.
    pub market: MarketId,
    /// Above the number of every earlier set of the account in the market.
    pub number: u64,
    /// Best first, each price once; at most [`crate::limits::QUOTE_LEVELS_MAX`].
    pub bids: &'a [QuoteLevel],
    /// Best first, each price once; at most as many.
    pub asks: &'a [QuoteLevel],
}

/// One quote: price in ticks u64, quantity in lots u64.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct QuoteLevel {
    price: U64,
    quantity: U64,
}

impl QuoteLevel {
    /// A quote.
    pub const fn new(price: Ticks, quantity: BaseLots) -> Self {
        Self {
            price: U64::new(price.get()),
            quantity: U64::new(quantity.get()),
        }
    }

    /// Its price.
    pub const fn price(&self) -> Ticks {
        Ticks::new(self.price.get())
    }

    /// Its size.
    pub const fn quantity(&self) -> BaseLots {
        BaseLots::new(self.quantity.get())
    }
}

/// One order, by our id or by its owner's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderTarget {
    /// By our id, which names the market too.
    Order(OrderId),
    /// By the owner's label, within its market.
    Client {
        /// The market that the order rests in.
        market: MarketId,
        /// The label.
        client_order_id: ClientOrderId,
    },
}

impl OrderTarget {
    /// The market that the order must be in.
    pub const fn market(self) -> MarketId {
        match self {
            Self::Order(order_id) => order_id.market(),
            Self::Client { market, .. } => market,
        }
    }
}

/// The end of one order. Only a label can be cancelled ahead of its order: ids are ours, and nobody
/// knows one before its order was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// By our id.
    Order(OrderId),
    /// By the owner's label, within its market.
    Client {
        /// The market that the order rests in.
        market: MarketId,
        /// The label.
        client_order_id: ClientOrderId,
        /// If the label is not open: refuse an order of that label that arrives until this logged
        /// time. Zero: do not remember.
        remember_until: LogTime,
    },
}

impl Cancel {
    /// Which order.
    pub const fn target(self) -> OrderTarget {
        match self {
            Self::Order(order_id) => OrderTarget::Order(order_id),
            Self::Client {
                market,
                client_order_id,
                ..
            } => OrderTarget::Client {
                market,
                client_order_id,
            },
        }
    }

    /// Until when to remember a label that is not open; zero: not at all.
    pub const fn remember_until(self) -> LogTime {
        match self {
            Self::Order(_) => LogTime::ZERO,
            Self::Client { remember_until, .. } => remember_until,
        }
    }
}

/// Which of the account's orders a [`Command::CancelAll`] touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelScope {
    /// One market, or all.
    pub market: Option<MarketId>,
    /// One side, or both.
    pub side: Option<Side>,
    /// A range of prices in one market, or all.
    pub prices: Option<PriceRange>,
}

impl CancelScope {
    /// Everything that the account has open.
    pub const EVERYTHING: Self = Self {
        market: None,
        side: None,
        prices: None,
    };
}

/// Prices from a lowest to a highest, both included. It may be empty; that is the transition's to
/// refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    low: Ticks,
    high: Ticks,
}

impl PriceRange {
    /// `None` if both ends are zero: no order has that price, and on the wire it says that there is
    /// no range.
    pub const fn new(low: Ticks, high: Ticks) -> Option<Self> {
        if low.get() == 0 && high.get() == 0 {
            None
        } else {
            Some(Self { low, high })
        }
    }

    /// The lowest price.
    pub const fn low(self) -> Ticks {
        self.low
    }

    /// The highest price.
    pub const fn high(self) -> Ticks {
        self.high
    }

    /// Whether there is no price in it.
    pub const fn is_empty(self) -> bool {
        self.high.get() < self.low.get()
    }
}

/// A movement of free funds between accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who receives.
    pub to: AccountId,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}

/// A movement of free funds to the main account of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Who receives.
    pub to: OwnerAddress,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}

/// A movement of free funds out of the ledger. It is added up in the account's leaf of the state tree,
/// against which the owner claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdraw {
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}

/// Another wallet, the agent, may sign what a key of the scope "trade" may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApproveAgent {
    /// Its address.
    pub agent: OwnerAddress,
    /// The owner's name for it, UTF-8 behind which are zeros. It replaces the agent of this name,
    /// no name being one too.
    pub name: [u8; 16],
    /// Logged time after which it may do nothing; zero: never.
    pub expires_at: LogTime,
}

/// What an account lets its quotes trade in a market, before they are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetProtection {
    /// Where.
    pub market: MarketId,
    /// Markets of one group share one count; 0: this market has a count of its own.
    pub group: u8,
    /// How much, for all markets of the group.
    pub limits: ProtectionLimits,
}

/// How much may trade within a window. A limit of zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtectionLimits {
    /// The window, in nanoseconds of logged time.
    pub window_ns: u64,
    /// Fills.
    pub fills: u64,
    /// The sum of their sizes.
    pub lots: BaseLots,
    /// The sum of their notionals, in quote atoms.
    pub notional: Atoms,
}

impl ProtectionLimits {
    /// No protection.
    pub const NONE: Self = Self {
        window_ns: 0,
        fills: 0,
        lots: BaseLots::ZERO,
        notional: Atoms::ZERO,
    };

    /// Whether there is a limit.
    pub const fn is_limit(&self) -> bool {
        self.fills > 0 || !self.lots.is_zero() || !self.notional.is_zero()
    }
}

/// What may happen in a market from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetMarketStatus {
    /// Which one.
    pub market: MarketId,
    /// What may happen.
    pub status: MarketStatus,
}

/// What may happen in a market. A cancel may always. Where it is told, it is what may happen indeed: of
/// the market's own status and the exchange's [phase](crate::phase) the stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum MarketStatus {
    /// Everything.
    #[default]
    Open = 0,
    /// Orders that do not take.
    PostOnly = 1,
    /// Orders come to rest without meeting anybody, until they are uncrossed at one price.
    Auction = 2,
    /// Orders may only become smaller.
    CancelOnly = 3,
    /// Nothing but cancels.
    Halted = 4,
}

impl MarketStatus {
    /// All of them, by number.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::PostOnly,
        Self::Auction,
        Self::CancelOnly,
        Self::Halted,
    ];

    /// The status with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Open),
            1 => Some(Self::PostOnly),
            2 => Some(Self::Auction),
            3 => Some(Self::CancelOnly),
            4 => Some(Self::Halted),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::PostOnly => "post_only",
            Self::Auction => "auction",
            Self::CancelOnly => "cancel_only",
            Self::Halted => "halted",
        }
    }
}
