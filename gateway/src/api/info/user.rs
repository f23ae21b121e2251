//! What is known of an address. Somebody without an account has nothing, and that is no error.

use serde_json::{Value as Json, json};
use types::AccountId;
use types::action::{Cloid, Value, label_of};
use types::genesis::OwnerAddress;
use types::{FeeRate, OrderId};

use super::super::Shared;
use super::super::model::{Account, Model, Order, OwnFill, Status};
use super::super::names::{Names, address_text, parse_address};
use super::market::side_text;
use super::{Ask, NoAnswer};

/// Fills in one answer.
const FILLS: usize = 2_000;

impl<'a> Ask<'a> {
    /// The address that the question names.
    fn user(&self) -> Result<OwnerAddress, NoAnswer> {
        let user = self.question.field("user").and_then(Value::as_text);
        user.and_then(parse_address).ok_or(NoAnswer::Malformed)
    }

    fn account(&self) -> Result<Option<(AccountId, &'a Account)>, NoAnswer> {
        Ok(self.model.account_at(&self.user()?))
    }

    pub(super) fn about_user(&self, kind: &str, shared: &Shared) -> Result<Json, NoAnswer> {
        match kind {
            "openOrders" => self.open_orders(false),
            "frontendOpenOrders" => self.open_orders(true),
            "orderStatus" => self.order_status(),
            "historicalOrders" => self.historical_orders(),
            "userFills" => self.user_fills(None),
            "userFillsByTime" => self.user_fills(Some(self.span()?)),
            "clearinghouseState" => Ok(clearinghouse_state(self.model)),
            "spotClearinghouseState" => Ok(spot_clearinghouse_state(self, &self.user()?)),
            "userFees" => Ok(self.user_fees()),
            "userRole" => self.user_role(),
            "userRateLimit" => {
                let _ = self.user()?;
                Ok(json!({
                    "cumVlm": "0.0",
                    "nRequestsUsed": 0,
                    "nRequestsCap": shared.config.commands_burst,
                }))
            }
            "userAbstraction" => Ok(json!("disabled")),
            "extraAgents" => self.extra_agents(),
            "subAccounts" => self.sub_accounts(),
            "userFunding"
            | "fundingHistory"
            | "userNonFundingLedgerUpdates"
            | "userTwapSliceFills"
            | "userVaultEquities"
            | "delegations" => Ok(json!([])),
            _ => Err(NoAnswer::Malformed),
        }
    }

    /// From when to when, in milliseconds.
    fn span(&self) -> Result<(u64, u64), NoAnswer> {
        let time = |name| self.question.field(name).and_then(Value::as_unsigned);
        let from = time("startTime").ok_or(NoAnswer::Malformed)?;
        Ok((from, time("endTime").unwrap_or(u64::MAX)))
    }

    fn open_orders(&self, in_full: bool) -> Result<Json, NoAnswer> {
        let Some((_, account)) = self.account()? else {
            return Ok(json!([]));
        };
        let order = |order: &Order| {
            if in_full {
                full_order(self, account, order)
            } else {
                order_text(self.model, self.names, account, order)
            }
        };
        Ok(account.open_orders().map(order).collect())
    }

    fn order_status(&self) -> Result<Json, NoAnswer> {
        let unknown = json!({ "status": "unknownOid" });
        let Some((_, account)) = self.account()? else {
            return Ok(unknown);
        };
        let found = match self.question.field("oid") {
            Some(Value::Unsigned(id)) => account.order(OrderId::new(*id)),
            Some(Value::Text(text)) => {
                let cloid = Cloid::parse(text).ok_or(NoAnswer::Malformed)?;
                account.order_labelled(label_of(&cloid))
            }
            _ => return Err(NoAnswer::Malformed),
        };
        Ok(found.map_or(
            unknown,
            |order| json!({ "status": "order", "order": with_status(self, account, order) }),
        ))
    }

    fn historical_orders(&self) -> Result<Json, NoAnswer> {
        let Some((_, account)) = self.account()? else {
            return Ok(json!([]));
        };
        let orders = account.orders.values().chain(&account.ended);
        let mut orders: Vec<&Order> = orders.collect();
        orders.sort_by_key(|order| std::cmp::Reverse((order.status_at, order.id)));
        let orders = orders.into_iter().take(FILLS);
        Ok(orders
            .map(|order| with_status(self, account, order))
            .collect())
    }

    fn user_fills(&self, span: Option<(u64, u64)>) -> Result<Json, NoAnswer> {
        let Some((_, account)) = self.account()? else {
            return Ok(json!([]));
        };
        Ok(match span {
            None => fills_of(self, account),
            // By time they go forward.
            Some((from, to)) => {
                let fills = account.fills.iter();
                let fills = fills.filter(|fill| (from..=to).contains(&fill.time));
                let fills = fills.take(FILLS);
                let fills = fills.map(|fill| own_fill(self.model, self.names, account, fill));
                fills.collect()
            }
        })
    }

    fn user_fees(&self) -> Json {
        let market = self.model.genesis().markets().first();
        let rate = |rate: FeeRate| {
            let sign = if rate.is_rebate() { "-" } else { "" };
            let magnitude = types::decimal::format(rate.get().unsigned_abs().into(), 6);
            format!("{sign}{magnitude}")
        };
        let add = market.map_or("0".to_owned(), |market| rate(market.maker_fee));
        let cross = market.map_or("0".to_owned(), |market| rate(market.taker_fee));
        json!({
            "dailyUserVlm": [],
            "feeSchedule": {
                "cross": cross, "add": add, "spotCross": cross, "spotAdd": add,
                "tiers": { "vip": [], "mm": [] },
                "referralDiscount": "0.0",
                "stakingDiscountTiers": [],
            },
            "userCrossRate": cross,
            "userAddRate": add,
            "userSpotCrossRate": cross,
            "userSpotAddRate": add,
            "activeReferralDiscount": "0.0",
            "trial": null,
            "feeTrialReward": "0.0",
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": null,
            "stakingLink": null,
            "activeStakingDiscount": { "bpsOfMaxSupply": "0.0", "discount": "0.0" },
        })
    }

    fn user_role(&self) -> Result<Json, NoAnswer> {
        let user = self.user()?;
        if let Some((_, account)) = self.model.account_at(&user) {
            return Ok(match account.main {
                None => json!({ "role": "user" }),
                Some(main) => json!({
                    "role": "subAccount",
                    "data": { "master": address_text(&self.model.account(main).address) },
                }),
            });
        }
        Ok(match self.model.signer(&user) {
            Some(signer) => json!({
                "role": "agent",
                "data": { "user": address_text(&self.model.account(signer.account).address) },
            }),
            None => json!({ "role": "missing" }),
        })
    }

    fn extra_agents(&self) -> Result<Json, NoAnswer> {
        let Some((id, _)) = self.account()? else {
            return Ok(json!([]));
        };
        let agents = self.model.agents_of(id);
        let named = agents.filter(|agent| agent.name != [0; 16]);
        let agent = |agent: &super::super::ports::AgentRow| {
            let name = String::from_utf8_lossy(&agent.name);
            json!({
                "name": name.trim_end_matches('\0'),
                "address": address_text(&agent.agent),
                "validUntil": agent.expires_at.get() / 1_000_000,
            })
        };
        Ok(named.map(agent).collect())
    }

    fn sub_accounts(&self) -> Result<Json, NoAnswer> {
        let Some((id, account)) = self.account()? else {
            return Ok(Json::Null);
        };
        let sub = |(index, sub): (usize, &Account)| {
            json!({
                "name": format!("sub-{}", index + 1),
                "subAccountUser": address_text(&sub.address),
                "master": address_text(&account.address),
                "clearinghouseState": clearinghouse_state(self.model),
                "spotState": spot_clearinghouse_state(self, &sub.address),
            })
        };
        let subs: Vec<Json> = self.model.sub_accounts(id).enumerate().map(sub).collect();
        // An owner without others has none, and not an empty list.
        Ok(if subs.is_empty() {
            Json::Null
        } else {
            json!(subs)
        })
    }
}

/// The last fills of an account, latest first.
pub(in super::super) fn fills_of(ask: &Ask<'_>, account: &Account) -> Json {
    let fills = account.fills.iter().rev().take(FILLS);
    fills
        .map(|fill| own_fill(ask.model, ask.names, account, fill))
        .collect()
}

/// One side of a trade.
pub(in super::super) fn own_fill(
    model: &Model,
    names: &Names,
    account: &Account,
    fill: &OwnFill,
) -> Json {
    let spec = &model.genesis().markets()[fill.market.index()];
    let asset = &model.genesis().assets()[fill.fee_asset.index()];
    let fee = types::decimal::format(fill.fee.unsigned_abs(), asset.decimals);
    let sign = if fill.fee < 0 { "-" } else { "" };
    let mut text = json!({
        "coin": names.coin(fill.market),
        "px": spec.format_price(fill.price),
        "sz": spec.format_quantity(fill.lots),
        "side": side_text(fill.side),
        "time": fill.time,
        "startPosition": "0.0",
        "dir": if side_text(fill.side) == "B" { "Buy" } else { "Sell" },
        "closedPnl": "0.0",
        "hash": format!("0x{}", fill.record),
        "oid": fill.order.get(),
        "crossed": fill.is_taker,
        "fee": format!("{sign}{fee}"),
        "feeToken": asset.symbol.as_str(),
        "tid": fill.trade,
        "twapId": null,
    });
    if let Some(cloid) = account.cloid(fill.label) {
        text["cloid"] = json!(cloid.to_string());
    }
    text
}

/// An order, in few words.
fn order_text(model: &Model, names: &Names, account: &Account, order: &Order) -> Json {
    let spec = &model.genesis().markets()[order.market.index()];
    let mut text = json!({
        "coin": names.coin(order.market),
        "side": side_text(order.side),
        "limitPx": spec.format_price(order.price),
        "sz": spec.format_quantity(order.remaining),
        "oid": order.id.get(),
        "timestamp": order.placed_at,
        "origSz": spec.format_quantity(order.size),
    });
    if let Some(cloid) = account.cloid(order.label) {
        text["cloid"] = json!(cloid.to_string());
    }
    text
}

/// An order, in full.
fn full_order(ask: &Ask<'_>, account: &Account, order: &Order) -> Json {
    let spec = &ask.model.genesis().markets()[order.market.index()];
    let mut text = order_text(ask.model, ask.names, account, order);
    let trigger = order.trigger.map(|trigger| {
        let price = spec.format_price(trigger.price);
        let is_stop = trigger.condition == types::command::TriggerCondition::Stop;
        let kind = match (is_stop, order.tif) {
            (true, "Ioc") => "Stop Market",
            (true, _) => "Stop Limit",
            (false, "Ioc") => "Take Profit Market",
            (false, _) => "Take Profit Limit",
        };
        (kind, format!("Price reaches {price}"), price)
    });
    let is_trigger = trigger.is_some();
    let plain = || ("Limit", "N/A".to_owned(), "0.0".to_owned());
    let (kind, condition, price) = trigger.unwrap_or_else(plain);
    text["triggerCondition"] = json!(condition);
    text["isTrigger"] = json!(is_trigger);
    text["triggerPx"] = json!(price);
    text["children"] = json!([]);
    text["isPositionTpsl"] = json!(false);
    text["reduceOnly"] = json!(false);
    text["orderType"] = json!(kind);
    text["tif"] = json!(order.tif);
    if text.get("cloid").is_none() {
        text["cloid"] = Json::Null;
    }
    text
}

fn with_status(ask: &Ask<'_>, account: &Account, order: &Order) -> Json {
    json!({
        "order": full_order(ask, account, order),
        "status": order.status.name(),
        "statusTimestamp": order.status_at,
    })
}

/// What sockets are told of an order.
pub(in super::super) fn order_update(
    model: &Model,
    names: &Names,
    account: &Account,
    order: &Order,
) -> Json {
    let status = match order.status {
        Status::Entering => Status::Open,
        status => status,
    };
    json!({
        "order": order_text(model, names, account, order),
        "status": status.name(),
        "statusTimestamp": order.status_at,
    })
}

/// There are no perpetuals, so there is nothing in them.
pub(in super::super) fn clearinghouse_state(model: &Model) -> Json {
    let nothing = json!({
        "accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0",
    });
    json!({
        "marginSummary": nothing,
        "crossMarginSummary": nothing,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "0.0",
        "assetPositions": [],
        "time": model.time(),
    })
}

/// What an address has.
pub(in super::super) fn spot_clearinghouse_state(ask: &Ask<'_>, user: &OwnerAddress) -> Json {
    let account = ask.model.account_at(user);
    let balances = account
        .into_iter()
        .flat_map(|(_, account)| &account.balances);
    let balance = |(asset, (free, held)): (&types::AssetId, &(types::Atoms, types::Atoms))| {
        let spec = &ask.model.genesis().assets()[asset.index()];
        json!({
            "coin": spec.symbol.as_str(),
            "token": asset.get(),
            "total": spec.format(*free + *held),
            "hold": spec.format(*held),
            "entryNtl": "0.0",
        })
    };
    let balances: Vec<Json> = balances.map(balance).collect();
    json!({ "balances": balances })
}
