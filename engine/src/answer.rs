//! What a state answers when it is asked about orders and markets.
//!
//! Nobody asks the state that commands wait for: a node keeps a second one for this.

use types::AccountId;
use types::wire::query::{IndicativePrice, MarketState, OpenOrder};

use crate::state::State;

impl State {
    /// An account's open orders, resting and armed, oldest first.
    pub fn open_orders(&self, account: AccountId) -> Vec<OpenOrder> {
        let mut orders = Vec::new();
        for (market, _, state) in self.market_states() {
            orders.extend(state.book.orders_of(account).map(|order| OpenOrder {
                order_id: order.order_id,
                client_order_id: order.client_order_id,
                market,
                side: order.side,
                price: order.price,
                remaining: order.remaining,
                resting: order.resting(),
                trigger: None,
            }));
            orders.extend(state.triggers.orders_of(account).map(|order| OpenOrder {
                order_id: order.order_id,
                client_order_id: order.client_order_id,
                market,
                side: order.side,
                price: order.price,
                remaining: order.quantity,
                resting: order.kind.resting().unwrap_or_default(),
                trigger: Some(order.trigger),
            }));
        }
        orders.sort_unstable_by_key(|order| order.order_id);
        orders
    }

    /// What the markets are like, by id.
    pub fn markets(&self) -> impl Iterator<Item = MarketState> {
        self.market_states().map(|(market, _, state)| MarketState {
            market,
            status: self.phase().effective(state.status),
            last: state.last_trade,
            indicative: state.indicative.published.map(|it| IndicativePrice {
                price: it.price,
                volume: it.volume,
                surplus: it.surplus,
            }),
        })
    }
}
