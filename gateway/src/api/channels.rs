//! What a socket may subscribe to, and what it is told then.
//!
//! *Conflated* channels tell what is the case: of what changes faster than the interval only the latest
//! is told. *Complete* channels tell everything that happens while the socket is open.

use serde_json::{Value as Json, json};
use types::MarketId;
use types::action::Value;
use types::genesis::OwnerAddress;

use super::Shared;
use super::info::{self, Ask, Grouping};
use super::model::{Model, Notes, interval};
use super::names::{address_text, parse_address};

/// One subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    AllMids,
    L2Book(MarketId, Grouping),
    Bbo(MarketId),
    /// The position of its interval in the table of intervals.
    Candle(MarketId, usize),
    ActiveAssetContext(MarketId),
    ClearinghouseState(OwnerAddress),
    SpotState(OwnerAddress),
    Trades(MarketId),
    OrderUpdates(OwnerAddress),
    UserFills(OwnerAddress),
    UserEvents(OwnerAddress),
}

impl Channel {
    /// Reads a subscription; `None`: there is no such.
    pub(super) fn read(shared: &Shared, subscription: &Value) -> Option<Self> {
        let text = |name| subscription.field(name).and_then(Value::as_text);
        let market = || shared.names.market(text("coin")?);
        let user = || parse_address(text("user")?);
        Some(match text("type")? {
            "allMids" => Self::AllMids,
            "l2Book" => Self::L2Book(market()?, Grouping::read(subscription).ok()?),
            "bbo" => Self::Bbo(market()?),
            "candle" => Self::Candle(market()?, interval(text("interval")?)?),
            "activeAssetCtx" => Self::ActiveAssetContext(market()?),
            "clearinghouseState" => Self::ClearinghouseState(user()?),
            "spotState" => Self::SpotState(user()?),
            "trades" => Self::Trades(market()?),
            "orderUpdates" => Self::OrderUpdates(user()?),
            "userFills" => Self::UserFills(user()?),
            "userEvents" => Self::UserEvents(user()?),
            _ => return None,
        })
    }

    /// Of a conflated channel: a number that changes with what it tells.
    pub(super) fn version(&self, model: &Model) -> Option<u64> {
        let of = |market: MarketId| {
            let market = model.market(market);
            market.book.version().wrapping_add(market.traded)
        };
        Some(match self {
            Self::AllMids => {
                let count = model.genesis().markets().len();
                let ids = (0..u16::try_from(count).unwrap_or(u16::MAX)).map(MarketId::new);
                ids.map(of).fold(0, u64::wrapping_add)
            }
            Self::L2Book(market, _) | Self::Bbo(market) => model.market(*market).book.version(),
            Self::Candle(market, _) => model.market(*market).traded,
            Self::ActiveAssetContext(market) => of(*market),
            Self::ClearinghouseState(_) => 0,
            Self::SpotState(user) => model.account_at(user).map_or(0, |(_, it)| it.version),
            Self::Trades(_) | Self::OrderUpdates(_) | Self::UserFills(_) | Self::UserEvents(_) => {
                return None;
            }
        })
    }

    /// What there is to tell at present: of a conflated channel, or to begin with.
    pub(super) fn now(&self, shared: &Shared, model: &Model) -> Option<Json> {
        let nothing = Value::Null;
        let ask = Ask {
            model,
            names: &shared.names,
            question: &nothing,
        };
        Some(match self {
            Self::AllMids => message("allMids", &json!({ "mids": info::all_mids(&ask) })),
            Self::L2Book(market, grouping) => {
                message("l2Book", &info::l2_book(&ask, *market, *grouping))
            }
            Self::Bbo(market) => message("bbo", &info::bbo(&ask, *market)),
            Self::Candle(market, interval) => {
                let last = model.market(*market).candles.of(*interval).back()?;
                message("candle", &info::candle(&ask, *market, *interval, last))
            }
            Self::ActiveAssetContext(market) => {
                let context = info::active_asset_context(&ask, *market);
                message("activeSpotAssetCtx", &context)
            }
            Self::ClearinghouseState(user) => message(
                "clearinghouseState",
                &json!({
                    "dex": "",
                    "user": address_text(user),
                    "clearinghouseState": info::clearinghouse_state(model),
                }),
            ),
            Self::SpotState(user) => message(
                "spotState",
                &json!({
                    "user": address_text(user),
                    "spotState": info::spot_clearinghouse_state(&ask, user),
                }),
            ),
            Self::UserFills(user) => {
                let account = model.account_at(user);
                let fills = account.map_or(json!([]), |(_, it)| info::fills_of(&ask, it));
                message(
                    "userFills",
                    &json!({ "isSnapshot": true, "user": address_text(user), "fills": fills }),
                )
            }
            Self::Trades(_) | Self::OrderUpdates(_) | Self::UserEvents(_) => return None,
        })
    }

    /// Of a complete channel: what a block tells.
    pub(super) fn note(&self, shared: &Shared, model: &Model, notes: &Notes) -> Option<Json> {
        let names = &shared.names;
        let fills = |user: &OwnerAddress| -> Option<Vec<Json>> {
            let (id, account) = model.account_at(user)?;
            let own = notes.fills.iter().filter(|(owner, _)| *owner == id);
            let fills: Vec<Json> = own
                .map(|(_, fill)| info::own_fill(model, names, account, fill))
                .collect();
            (!fills.is_empty()).then_some(fills)
        };
        Some(match self {
            Self::Trades(market) => {
                let spec = &model.genesis().markets()[market.index()];
                let trades = notes.trades.iter().filter(|trade| trade.market == *market);
                let trades: Vec<Json> = trades.map(|it| info::trade(names, spec, it)).collect();
                if trades.is_empty() {
                    return None;
                }
                message("trades", &json!(trades))
            }
            Self::OrderUpdates(user) => {
                let (id, account) = model.account_at(user)?;
                let own = notes.orders.iter().filter(|(owner, _)| *owner == id);
                let updates: Vec<Json> = own
                    .map(|(_, order)| info::order_update(model, names, account, order))
                    .collect();
                if updates.is_empty() {
                    return None;
                }
                message("orderUpdates", &json!(updates))
            }
            Self::UserFills(user) => message(
                "userFills",
                &json!({ "user": address_text(user), "fills": fills(user)? }),
            ),
            Self::UserEvents(user) => message("user", &json!({ "fills": fills(user)? })),
            _ => return None,
        })
    }
}

/// A message of a channel.
pub(super) fn message(channel: &str, data: &Json) -> Json {
    json!({ "channel": channel, "data": data })
}
