//! A command, before it is known at which position it comes: orders are found by how long ago they
//! were placed, or by label.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::draw;
use types::command::{
    Cancel, CancelScope, MarketStatus, OrderKind, OrderTarget, Place, PriceRange, ProtectionLimits,
    QuoteLevel, QuoteSet, Replace, SelfTrade, SetMarketStatus, SetProtection, Transfer, Trigger,
};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId,
    SequenceNumber, Side, Ticks,
};

/// A command, with levels of its own.
#[derive(Clone, Debug, Arbitrary)]
pub(crate) enum Request {
    Place(Order),
    Replace {
        target: Target,
        #[arbitrary(with = draw::any_price)]
        price: Ticks,
        #[arbitrary(with = draw::any_lots)]
        quantity: BaseLots,
        may_take: bool,
        #[arbitrary(with = draw::self_trade)]
        self_trade: SelfTrade,
    },
    QuoteSet {
        #[arbitrary(with = market)]
        market: MarketId,
        number: u8,
        #[arbitrary(with = |source: &mut Unstructured<'_>| draw::quotes(source, Side::Bid))]
        bids: Vec<QuoteLevel>,
        #[arbitrary(with = |source: &mut Unstructured<'_>| draw::quotes(source, Side::Ask))]
        asks: Vec<QuoteLevel>,
    },
    Cancel {
        target: Target,
        #[arbitrary(with = draw::time_or_never)]
        remember_until: LogTime,
    },
    CancelAll {
        #[arbitrary(with = market)]
        market: MarketId,
        is_in_one_market: bool,
        #[arbitrary(with = draw::sides)]
        side: Option<Side>,
        #[arbitrary(with = draw::prices)]
        prices: Option<(Ticks, Ticks)>,
    },
    Transfer {
        to: u8,
        asset: u8,
        amount: Amount,
    },
    SetProtection {
        #[arbitrary(with = market)]
        market: MarketId,
        group: u8,
        #[arbitrary(with = draw::protection)]
        limits: ProtectionLimits,
    },
    SetMarketStatus {
        #[arbitrary(with = market)]
        market: MarketId,
        #[arbitrary(with = draw::status)]
        status: MarketStatus,
    },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) struct Order {
    #[arbitrary(with = market)]
    market: MarketId,
    #[arbitrary(with = draw::side)]
    side: Side,
    #[arbitrary(with = draw::kind)]
    kind: OrderKind,
    #[arbitrary(with = draw::any_price)]
    price: Ticks,
    #[arbitrary(with = draw::any_lots)]
    quantity: BaseLots,
    #[arbitrary(with = draw::label)]
    label: ClientOrderId,
    #[arbitrary(with = draw::self_trade)]
    self_trade: SelfTrade,
    #[arbitrary(with = trigger)]
    trigger: Option<Trigger>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Target {
    /// The order of a command so many positions ago; of a quote set, with this index.
    Recent {
        #[arbitrary(with = market)]
        market: MarketId,
        ago: u8,
        index: u8,
    },
    Label {
        #[arbitrary(with = market)]
        market: MarketId,
        #[arbitrary(with = draw::label)]
        label: ClientOrderId,
    },
    /// Whatever number.
    Any(u64),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Amount {
    Some(u16),
    Any(u128),
}

impl Request {
    /// `last`: the last position before the command's frame.
    pub(crate) fn command(&self, last: SequenceNumber) -> Command<'_> {
        match *self {
            Self::Place(order) => Command::Place(order.place()),
            Self::Replace {
                target,
                price,
                quantity,
                may_take,
                self_trade,
            } => Command::Replace(Replace {
                target: target.order(last),
                price,
                quantity,
                may_take,
                self_trade,
            }),
            Self::QuoteSet {
                market,
                number,
                ref bids,
                ref asks,
            } => Command::QuoteSet(QuoteSet {
                market,
                number: number.into(),
                bids,
                asks,
            }),
            Self::Cancel {
                target,
                remember_until,
            } => Command::Cancel(target.cancel(last, remember_until)),
            Self::CancelAll {
                market,
                is_in_one_market,
                side,
                prices,
            } => Command::CancelAll(CancelScope {
                market: is_in_one_market.then_some(market),
                side,
                prices: prices.and_then(|(low, high)| PriceRange::new(low, high)),
            }),
            Self::Transfer { to, asset, amount } => Command::Transfer(Transfer {
                to: AccountId::new((to % 6).into()),
                asset: AssetId::new((asset % 4).into()),
                amount: Atoms::new(match amount {
                    Amount::Some(amount) => amount.into(),
                    Amount::Any(amount) => amount,
                }),
            }),
            Self::SetProtection {
                market,
                group,
                limits,
            } => Command::SetProtection(SetProtection {
                market,
                group: group % 3,
                limits,
            }),
            Self::SetMarketStatus { market, status } => {
                Command::SetMarketStatus(SetMarketStatus { market, status })
            }
        }
    }
}

impl Order {
    const fn place(self) -> Place {
        Place {
            market: self.market,
            side: self.side,
            kind: self.kind,
            price: self.price,
            quantity: self.quantity,
            client_order_id: self.label,
            self_trade: self.self_trade,
            trigger: self.trigger,
        }
    }
}

impl Target {
    fn cancel(self, last: SequenceNumber, remember_until: LogTime) -> Cancel {
        match self.order(last) {
            OrderTarget::Order(order_id) => Cancel::Order(order_id),
            OrderTarget::Client {
                market,
                client_order_id,
            } => Cancel::Client {
                market,
                client_order_id,
                remember_until,
            },
        }
    }

    fn order(self, last: SequenceNumber) -> OrderTarget {
        match self {
            Self::Recent { market, ago, index } => {
                let sequence = last.get().saturating_sub(u64::from(ago) % 32);
                let sequence = SequenceNumber::new(sequence);
                OrderTarget::Order(OrderId::new_at(sequence, market, u64::from(index % 64)))
            }
            Self::Label { market, label } => OrderTarget::Client {
                market,
                client_order_id: label,
            },
            Self::Any(id) => OrderTarget::Order(OrderId::new(id)),
        }
    }
}

/// Two markets, and seldom one that does not exist.
fn market(source: &mut Unstructured<'_>) -> Result<MarketId> {
    Ok(MarketId::new(match u8::arbitrary(source)? {
        0..200 => 0,
        200..250 => 1,
        byte => u16::from(byte),
    }))
}

fn trigger(source: &mut Unstructured<'_>) -> Result<Option<Trigger>> {
    match u8::arbitrary(source)? {
        0..192 => Ok(None),
        _ => draw::trigger(source).map(Some),
    }
}
