//! Commands in the words of a trader: prices and sizes as decimal text, exact and never rounded.

use types::command::{Cancel, CancelScope, OrderKind, Place, QuoteLevel, SelfTrade};
use types::decimal::DecimalError;
use types::genesis::MarketSpec;
use types::wire::query::Reference;
use types::{ClientOrderId, Command, MarketId, Side};

/// One market of a network.
#[derive(Clone, Copy, Debug)]
pub struct Market {
    /// Its number.
    pub id: MarketId,
    /// Its steps, fees and limits.
    pub spec: MarketSpec,
}

impl Market {
    /// The market of this name, if there is one.
    pub fn named(reference: &Reference, symbol: &str) -> Option<Self> {
        let is_named = |spec: &MarketSpec| spec.symbol.as_str() == symbol;
        let index = reference.markets.iter().position(is_named)?;
        Some(Self {
            id: MarketId::new(u16::try_from(index).ok()?),
            spec: reference.markets[index],
        })
    }

    /// An order; `kind` is one of the constants of [`OrderKind`], or says more. On meeting an order
    /// of its own group it cancels that.
    pub fn place(
        &self,
        side: Side,
        kind: OrderKind,
        price: &str,
        quantity: &str,
    ) -> Result<Place, DecimalError> {
        Ok(Place {
            market: self.id,
            side,
            kind,
            price: self.spec.parse_price(price)?,
            quantity: self.spec.parse_quantity(quantity)?,
            client_order_id: ClientOrderId::NONE,
            self_trade: SelfTrade::CancelMaker,
            trigger: None,
        })
    }

    /// One level of a quote set.
    pub fn level(&self, price: &str, quantity: &str) -> Result<QuoteLevel, DecimalError> {
        let price = self.spec.parse_price(price)?;
        let quantity = self.spec.parse_quantity(quantity)?;
        Ok(QuoteLevel::new(price, quantity))
    }

    /// The end of the order of this label.
    pub const fn cancel(&self, client_order_id: ClientOrderId) -> Command<'static> {
        Command::Cancel(Cancel::Client {
            market: self.id,
            client_order_id,
            remember_until: types::LogTime::ZERO,
        })
    }

    /// The end of all orders in this market.
    pub fn cancel_all(&self) -> Command<'static> {
        Command::CancelAll(CancelScope {
            market: Some(self.id),
            ..CancelScope::EVERYTHING
        })
    }
}
