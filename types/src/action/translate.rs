//! An action and the genesis to commands.
//!
//! Spot markets have the numbers from [`ASSET_SPOT_FIRST`] on, in the genesis' order; "usd" is the
//! asset in which the first market is priced. What an action leaves open is decided here, once:
//! orders cancel what they meet of their own group, and a modified order keeps its number.

use super::{
    Action, CancelById, CancelByLabel, Cloid, Envelope, ModifyOrder, OrderRef, Terms, Tif,
    WireOrder,
};
use crate::command::{
    ApproveAgent, Cancel, CancelScope, OrderKind, OrderTarget, Place, PriceRange, Replace,
    SelfTrade, Send, Transfer, Trigger, TriggerCondition, Withdraw,
};
use crate::decimal;
use crate::genesis::{AssetSpec, Genesis, MarketSpec, OwnerAddress};
use crate::limits::SLOTS_PER_FRAME_MAX;
use crate::wire::command::slots_needed;
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId, Ticks,
};

/// The number of the first spot market.
pub const ASSET_SPOT_FIRST: u64 = 10_000;

/// Decimals of an amount of "usd" that is a whole number.
const USD_DECIMALS: u8 = 6;
/// Nanoseconds of a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;
/// What an agent's name may end with: a time in milliseconds follows.
const VALID_UNTIL: &str = " valid_until ";

/// What an action comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// The account that acts, if not the signer's own or that for which the agent trades.
    pub account: Option<OwnerAddress>,
    /// At least one. They fit into a frame.
    pub commands: Vec<Command<'static>>,
}

/// Why an action comes to nothing. The words are those that clients of the dialect know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum Untranslatable {
    #[error("Unknown asset {0}.")]
    Asset(u64),
    #[error("Unknown token {0}.")]
    Token(String),
    #[error("Price must be divisible by tick size. asset={0}")]
    Price(u64),
    #[error("Order has invalid size. asset={0}")]
    Size(u64),
    #[error("Invalid TP/SL price. asset={0}")]
    Trigger(u64),
    #[error("Amount is not a number with at most {0} decimals.")]
    Amount(u8),
    #[error("Reduce only order would increase position. asset={0}")]
    ReduceOnly(u64),
    #[error("Builder fee has not been approved.")]
    BuilderFee,
    #[error("Order was never placed, already canceled, or filled. asset={0}")]
    OtherMarket(u64),
    #[error("A modified order rests: its time in force is Gtc or Alo.")]
    Modify,
    #[error("Too many orders in one action.")]
    TooMany,
    #[error("The time is beyond what a clock shows.")]
    Time,
    #[error("Sub-account does not exist.")]
    NoAccount,
    #[error("Withdrawals go to the owner's own address.")]
    Destination,
    #[error("An agent's name has at most 16 bytes.")]
    AgentName,
    #[error("{0}")]
    NotHere(&'static str),
}

/// Translates an action that this address has signed. `account_at` is the main account of an owner, or
/// another account of that address.
pub fn translate(
    action: &Action,
    envelope: &Envelope,
    signer: &OwnerAddress,
    genesis: &Genesis,
    account_at: impl Fn(&OwnerAddress) -> Option<AccountId>,
) -> Result<Commands, Untranslatable> {
    let spec = Spec { genesis };
    let one = |command| Ok(vec![command]);
    let traded: Result<Vec<Command<'static>>, Untranslatable> = match action {
        Action::Order { builder_fee, .. } if *builder_fee > 0 => Err(Untranslatable::BuilderFee),
        Action::Order { orders, .. } => orders.iter().map(|order| spec.place(order)).collect(),
        Action::Cancel(cancels) => cancels.iter().map(|it| spec.cancel(it)).collect(),
        Action::CancelByCloid(cancels) => cancels.iter().map(|it| spec.cancel_label(it)).collect(),
        Action::Modify(modify) => spec.replace(modify).and_then(one),
        Action::BatchModify(modifies) => modifies.iter().map(|it| spec.replace(it)).collect(),
        Action::ScheduleCancel(time) => {
            let time = log_time(time.unwrap_or(0))?;
            one(Command::SetTimerAt(time))
        }
        Action::Noop => one(Command::CancelAll(NOTHING)),
        Action::CreateSubAccount => one(Command::OpenSubAccount),
        Action::NotHere(reason) => Err(Untranslatable::NotHere(reason)),
        Action::SubAccountTransfer { .. }
        | Action::SubAccountSpotTransfer { .. }
        | Action::Send { .. }
        | Action::Withdraw { .. }
        | Action::ApproveAgent { .. } => {
            let (account, command) = spec.of_owner(action, signer, account_at)?;
            let account = account.or(envelope.vault);
            let commands = vec![command];
            return Ok(Commands { account, commands });
        }
    };
    let commands = traded?;
    let slots: usize = commands.iter().map(slots_needed).sum();
    if slots > SLOTS_PER_FRAME_MAX {
        return Err(Untranslatable::TooMany);
    }
    let account = envelope.vault;
    Ok(Commands { account, commands })
}

/// A range of prices with nothing in it: the command is rejected, and the nonce is used up.
const NOTHING: CancelScope = CancelScope {
    market: Some(MarketId::new(0)),
    side: None,
    prices: PriceRange::new(Ticks::new(2), Ticks::new(1)),
};

/// Our label for a trader's own: the first 8 bytes of its BLAKE3 hash, little-endian, and 1 where that
/// is zero.
pub fn label_of(cloid: &Cloid) -> ClientOrderId {
    let hash = blake3::hash(cloid.as_bytes());
    let first = hash.as_bytes().first_chunk().expect("32 bytes have 8");
    ClientOrderId::new(u64::from_le_bytes(*first).max(1))
}

/// The number that traders know a market by.
pub fn asset_number(market: MarketId) -> u64 {
    ASSET_SPOT_FIRST + u64::from(market.get())
}

/// Decimals of sizes in a market: as many as are whole lots whatever the digits.
pub fn size_decimals(market: &MarketSpec) -> u8 {
    let units = market.lot.units;
    let fits = |decimals: &u8| {
        let shift = u32::from(market.lot.decimals - decimals);
        10u64
            .checked_pow(shift)
            .is_some_and(|step| step.is_multiple_of(units))
    };
    (0..=market.lot.decimals).rev().find(fits).unwrap_or(0)
}

#[derive(Clone, Copy)]
struct Spec<'a> {
    genesis: &'a Genesis,
}

impl Spec<'_> {
    /// What an owner does and no agent: the account that acts, if not his main one, and its command.
    fn of_owner(
        &self,
        action: &Action,
        signer: &OwnerAddress,
        account_at: impl Fn(&OwnerAddress) -> Option<AccountId>,
    ) -> Result<(Option<OwnerAddress>, Command<'static>), Untranslatable> {
        let between = |sub: &OwnerAddress, is_deposit: bool, (asset, amount)| {
            let (from, to) = if is_deposit {
                (None, sub)
            } else {
                (Some(*sub), signer)
            };
            let to = account_at(to).ok_or(Untranslatable::NoAccount)?;
            Ok((from, Command::Transfer(Transfer { to, asset, amount })))
        };
        match action {
            Action::SubAccountTransfer {
                account,
                is_deposit,
                usd,
            } => {
                let usd = decimal::format((*usd).into(), USD_DECIMALS);
                between(account, *is_deposit, self.amount(None, &usd)?)
            }
            Action::SubAccountSpotTransfer {
                account,
                is_deposit,
                token,
                amount,
            } => between(account, *is_deposit, self.amount(Some(token), amount)?),
            Action::Send {
                to,
                token,
                amount,
                from,
            } => {
                let (asset, amount) = self.amount(token.as_deref(), amount)?;
                let to = *to;
                Ok((*from, Command::Send(Send { to, asset, amount })))
            }
            Action::Withdraw { to, .. } if to != signer => Err(Untranslatable::Destination),
            Action::Withdraw { amount, .. } => {
                let (asset, amount) = self.amount(None, amount)?;
                Ok((None, Command::Withdraw(Withdraw { asset, amount })))
            }
            Action::ApproveAgent { agent, name } => {
                let (name, expires_at) = agent_name(name)?;
                let approval = ApproveAgent {
                    agent: *agent,
                    name,
                    expires_at,
                };
                Ok((None, Command::ApproveAgent(approval)))
            }
            _ => Err(Untranslatable::NotHere("There is no such action here.")),
        }
    }

    fn market(&self, asset: u64) -> Result<(MarketId, &MarketSpec), Untranslatable> {
        let id = asset.checked_sub(ASSET_SPOT_FIRST);
        let id = id
            .and_then(|index| u16::try_from(index).ok())
            .map(MarketId::new);
        let found = id.and_then(|id| Some((id, self.genesis.market(id)?)));
        found.ok_or(Untranslatable::Asset(asset))
    }

    fn usd(&self) -> Option<(AssetId, &AssetSpec)> {
        let asset = self.genesis.markets().first()?.quote;
        Some((asset, self.genesis.asset(asset)?))
    }

    /// No token: "usd". A token is a name, with or without `:` and its id.
    fn amount(&self, token: Option<&str>, text: &str) -> Result<(AssetId, Atoms), Untranslatable> {
        let found = match token {
            None => self.usd(),
            Some(token) => {
                let name = token.split_once(':').map_or(token, |(name, _)| name);
                self.genesis.asset_named(name)
            }
        };
        let unknown = || Untranslatable::Token(token.unwrap_or("usd").to_owned());
        let (asset, spec) = found.ok_or_else(unknown)?;
        let amount = spec.parse(text);
        Ok((
            asset,
            amount.map_err(|_| Untranslatable::Amount(spec.decimals))?,
        ))
    }

    fn price_and_size(
        &self,
        order: &WireOrder,
    ) -> Result<(MarketId, Ticks, BaseLots), Untranslatable> {
        let (id, market) = self.market(order.asset)?;
        if order.reduce_only {
            return Err(Untranslatable::ReduceOnly(order.asset));
        }
        let price = market.parse_price(&order.price);
        let size = market.parse_quantity(&order.size);
        Ok((
            id,
            price.map_err(|_| Untranslatable::Price(order.asset))?,
            size.map_err(|_| Untranslatable::Size(order.asset))?,
        ))
    }

    fn place(&self, order: &WireOrder) -> Result<Command<'static>, Untranslatable> {
        let (market, price, quantity) = self.price_and_size(order)?;
        let (kind, trigger) = match &order.terms {
            Terms::Limit(Tif::Gtc) => (OrderKind::GTC, None),
            Terms::Limit(Tif::Ioc) => (OrderKind::IOC, None),
            Terms::Limit(Tif::Alo) => (OrderKind::POST_ONLY, None),
            Terms::Limit(Tif::Fok) => (OrderKind::FOK, None),
            Terms::Trigger(trigger) => {
                let (_, spec) = self.market(order.asset)?;
                let at = spec.parse_price(&trigger.price);
                let price = at.map_err(|_| Untranslatable::Trigger(order.asset))?;
                let condition = if trigger.is_take_profit {
                    TriggerCondition::TakeProfit
                } else {
                    TriggerCondition::Stop
                };
                let kind = if trigger.is_market {
                    OrderKind::IOC
                } else {
                    OrderKind::GTC
                };
                (kind, Some(Trigger { condition, price }))
            }
        };
        Ok(Command::Place(Place {
            market,
            side: order.side,
            kind,
            price,
            quantity,
            client_order_id: order.cloid.as_ref().map_or(ClientOrderId::NONE, label_of),
            self_trade: SelfTrade::CancelMaker,
            trigger,
        }))
    }

    fn cancel(&self, cancel: &CancelById) -> Result<Command<'static>, Untranslatable> {
        self.is_of(cancel.asset, cancel.order_id)?;
        Ok(Command::Cancel(Cancel::Order(cancel.order_id)))
    }

    fn is_of(&self, asset: u64, order_id: OrderId) -> Result<(), Untranslatable> {
        let (market, _) = self.market(asset)?;
        if order_id.market() == market {
            Ok(())
        } else {
            Err(Untranslatable::OtherMarket(asset))
        }
    }

    fn cancel_label(&self, cancel: &CancelByLabel) -> Result<Command<'static>, Untranslatable> {
        let (market, _) = self.market(cancel.asset)?;
        Ok(Command::Cancel(Cancel::Client {
            market,
            client_order_id: label_of(&cancel.cloid),
            remember_until: LogTime::ZERO,
        }))
    }

    fn replace(&self, modify: &ModifyOrder) -> Result<Command<'static>, Untranslatable> {
        let (market, price, quantity) = self.price_and_size(&modify.order)?;
        let may_take = match modify.order.terms {
            Terms::Limit(Tif::Gtc) => true,
            Terms::Limit(Tif::Alo) => false,
            Terms::Limit(Tif::Ioc | Tif::Fok) | Terms::Trigger(_) => {
                return Err(Untranslatable::Modify);
            }
        };
        let target = match &modify.target {
            OrderRef::Id(order_id) => {
                self.is_of(modify.order.asset, *order_id)?;
                OrderTarget::Order(*order_id)
            }
            OrderRef::Label(cloid) => OrderTarget::Client {
                market,
                client_order_id: label_of(cloid),
            },
        };
        Ok(Command::Replace(Replace {
            target,
            price,
            quantity,
            may_take,
            self_trade: SelfTrade::CancelMaker,
        }))
    }
}

fn log_time(millis: u64) -> Result<LogTime, Untranslatable> {
    let nanos = millis.checked_mul(NANOS_PER_MILLI);
    nanos.map(LogTime::new).ok_or(Untranslatable::Time)
}

/// The name, padded, and when the agent ends.
fn agent_name(text: &str) -> Result<([u8; 16], LogTime), Untranslatable> {
    let (name, until) = match text.rsplit_once(VALID_UNTIL) {
        Some((name, until)) => (name, until.parse().map_err(|_| Untranslatable::Time)?),
        None => (text, 0),
    };
    let mut padded = [0; 16];
    let fits = name.len() <= padded.len() && !name.contains('\0');
    let place = padded.get_mut(..name.len()).filter(|_| fits);
    let place = place.ok_or(Untranslatable::AgentName)?;
    place.copy_from_slice(name.as_bytes());
    Ok((padded, log_time(until)?))
}
