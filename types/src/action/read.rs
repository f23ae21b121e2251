//! Which values are actions: a closed list, read strictly.
//!
//! A name that is not known here is refused and not passed over: nobody has signed it for nothing.

use super::Value;
use crate::decimal::bytes_from_hex;
use crate::genesis::OwnerAddress;
use crate::limits::COMMANDS_PER_FRAME_MAX;
use crate::{OrderId, Side};

/// Why a value is no action: what was expected, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {what} in {field}")]
pub struct Expected {
    what: &'static str,
    field: &'static str,
}

/// A trader's own label: 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cloid([u8; 16]);

impl Cloid {
    /// From `0x` and 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        bytes_from_hex(text.strip_prefix("0x")?).map(Self)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for Cloid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a trader may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the dialect's.
pub enum Action {
    /// Enter orders.
    Order {
        orders: Vec<WireOrder>,
        /// In tenths of a basis point, for somebody else.
        builder_fee: u64,
    },
    /// End orders.
    Cancel(Vec<CancelById>),
    /// The same, by label.
    CancelByCloid(Vec<CancelByLabel>),
    /// Change one order.
    Modify(Box<ModifyOrder>),
    /// Change orders.
    BatchModify(Vec<ModifyOrder>),
    /// Take all orders of the account off at this time, in milliseconds; `None`: never.
    ScheduleCancel(Option<u64>),
    /// Use a nonce up.
    Noop,
    /// Open another account.
    CreateSubAccount,
    /// Move "usd" between the main account and another of the owner's; in millionths.
    SubAccountTransfer {
        account: OwnerAddress,
        is_deposit: bool,
        usd: u64,
    },
    /// Move an asset the same way.
    SubAccountSpotTransfer {
        account: OwnerAddress,
        is_deposit: bool,
        token: String,
        amount: String,
    },
    /// Pay an asset to somebody; no token: "usd".
    Send {
        to: OwnerAddress,
        token: Option<String>,
        amount: String,
        from: Option<OwnerAddress>,
    },
    /// Take "usd" out.
    Withdraw { to: OwnerAddress, amount: String },
    /// Let another wallet trade.
    ApproveAgent { agent: OwnerAddress, name: String },
    /// What the dialect has and this exchange does not.
    NotHere(&'static str),
}

/// Time in force, in the dialect's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Tif {
    Gtc,
    Ioc,
    /// Add liquidity only.
    Alo,
    /// Fill or kill: ours, the dialect has none.
    Fok,
}

/// How an order is to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Terms<T> {
    Limit(Tif),
    Trigger(T),
}

/// An order as it is sent: numbers as text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct WireOrder {
    pub asset: u64,
    pub side: Side,
    pub price: String,
    pub size: String,
    pub reduce_only: bool,
    pub terms: Terms<WireTrigger>,
    pub cloid: Option<Cloid>,
}

/// What an order waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct WireTrigger {
    pub is_market: bool,
    pub price: String,
    pub is_take_profit: bool,
}

/// One order to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CancelById {
    pub asset: u64,
    pub order_id: OrderId,
}

/// One order to end, by its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CancelByLabel {
    pub asset: u64,
    pub cloid: Cloid,
}

/// Which order to change, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ModifyOrder {
    pub target: OrderRef,
    pub order: WireOrder,
}

/// An order, by number or label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OrderRef {
    Id(OrderId),
    Label(Cloid),
}

/// What the wallet shows with every action that it signs in full.
const SIGNED_IN_FULL: [&str; 2] = ["signatureChainId", "hyperliquidChain"];

impl Action {
    /// Reads one. What is not of this list, or has more or less than it should, is refused.
    pub fn read(value: &Value) -> Result<Self, Expected> {
        let kind = Fields {
            value,
            of: "action",
        }
        .text("type")?;
        let fields = |of| Fields { value, of };
        Ok(match kind {
            "order" => read_orders(fields("order"))?,
            "cancel" => {
                let fields = fields("cancel").only(&["type", "cancels"])?;
                Self::Cancel(fields.each("cancels", read_cancel)?)
            }
            "cancelByCloid" => {
                let fields = fields("cancelByCloid").only(&["type", "cancels"])?;
                Self::CancelByCloid(fields.each("cancels", read_cancel_by_label)?)
            }
            "modify" => {
                let fields = fields("modify").only(&["type", "oid", "order"])?;
                Self::Modify(Box::new(read_modify(fields)?))
            }
            "batchModify" => {
                let fields = fields("batchModify").only(&["type", "modifies"])?;
                Self::BatchModify(fields.each("modifies", |fields| {
                    read_modify(fields.only(&["oid", "order"])?)
                })?)
            }
            "scheduleCancel" => {
                let fields = fields("scheduleCancel").only(&["type", "time"])?;
                Self::ScheduleCancel(fields.optional("time", Fields::unsigned)?)
            }
            "noop" => {
                fields("noop").only(&["type"])?;
                Self::Noop
            }
            "createSubAccount" => {
                let fields = fields("createSubAccount").only(&["type", "name"])?;
                fields.text("name")?;
                Self::CreateSubAccount
            }
            "subAccountTransfer" => {
                let names = ["type", "subAccountUser", "isDeposit", "usd"];
                let fields = fields("subAccountTransfer").only(&names)?;
                Self::SubAccountTransfer {
                    account: fields.address("subAccountUser")?,
                    is_deposit: fields.bool("isDeposit")?,
                    usd: fields.unsigned("usd")?,
                }
            }
            "subAccountSpotTransfer" => {
                let names = ["type", "subAccountUser", "isDeposit", "token", "amount"];
                let fields = fields("subAccountSpotTransfer").only(&names)?;
                Self::SubAccountSpotTransfer {
                    account: fields.address("subAccountUser")?,
                    is_deposit: fields.bool("isDeposit")?,
                    token: fields.text("token")?.to_owned(),
                    amount: fields.text("amount")?.to_owned(),
                }
            }
            other => return read_signed_in_full(other, value),
        })
    }
}

/// Those whose every field the wallet shows.
fn read_signed_in_full(kind: &str, value: &Value) -> Result<Action, Expected> {
    let fields = |of, names: &[&str]| {
        let names = [&["type"], &SIGNED_IN_FULL[..], names].concat();
        Fields { value, of }.only(&names)
    };
    Ok(match kind {
        "usdSend" => {
            let fields = fields("usdSend", &["destination", "amount", "time"])?;
            Action::Send {
                to: fields.address("destination")?,
                token: None,
                amount: fields.text("amount")?.to_owned(),
                from: None,
            }
        }
        "spotSend" => {
            let fields = fields("spotSend", &["destination", "token", "amount", "time"])?;
            Action::Send {
                to: fields.address("destination")?,
                token: Some(fields.text("token")?.to_owned()),
                amount: fields.text("amount")?.to_owned(),
                from: None,
            }
        }
        "sendAsset" => read_send_asset(value)?,
        "withdraw3" => {
            let fields = fields("withdraw3", &["destination", "amount", "time"])?;
            Action::Withdraw {
                to: fields.address("destination")?,
                amount: fields.text("amount")?.to_owned(),
            }
        }
        "approveAgent" => {
            let fields = fields("approveAgent", &["agentAddress", "agentName", "nonce"])?;
            let name = fields.optional("agentName", |fields, name| fields.text(name))?;
            Action::ApproveAgent {
                agent: fields.address("agentAddress")?,
                name: name.unwrap_or_default().to_owned(),
            }
        }
        "approveBuilderFee" => Action::NotHere("Builder fees are not paid here."),
        "setReferrer" => Action::NotHere("Referral codes are not used here."),
        "usdClassTransfer" => Action::NotHere("There is one balance for all markets here."),
        "updateLeverage" | "updateIsolatedMargin" => {
            Action::NotHere("There are no perpetuals here.")
        }
        "twapOrder" | "twapCancel" => Action::NotHere("There are no TWAP orders here."),
        "vaultTransfer" | "multiSig" => Action::NotHere("There is no such action here."),
        _ => {
            return Err(Expected {
                what: "an action of this exchange",
                field: "type",
            });
        }
    })
}

fn read_send_asset(value: &Value) -> Result<Action, Expected> {
    let names = [
        "type",
        "signatureChainId",
        "hyperliquidChain",
        "destination",
        "sourceDex",
        "destinationDex",
        "token",
        "amount",
        "fromSubAccount",
        "nonce",
    ];
    let of = "sendAsset";
    let fields = Fields { value, of }.only(&names)?;
    for dex in ["sourceDex", "destinationDex"] {
        if fields.text(dex)? != "spot" {
            return Err(fields.expected("\"spot\""));
        }
    }
    let from = match fields.text("fromSubAccount")? {
        "" => None,
        _ => Some(fields.address("fromSubAccount")?),
    };
    Ok(Action::Send {
        to: fields.address("destination")?,
        token: Some(fields.text("token")?.to_owned()),
        amount: fields.text("amount")?.to_owned(),
        from,
    })
}

fn read_orders(fields: Fields<'_>) -> Result<Action, Expected> {
    let fields = fields.only(&["type", "orders", "grouping", "builder"])?;
    if fields.text("grouping")? != "na" {
        return Err(fields.expected("grouping \"na\""));
    }
    let builder_fee = fields.optional("builder", |fields, name| {
        let builder = fields.map(name, "builder")?.only(&["b", "f"])?;
        builder.address("b")?;
        builder.unsigned("f")
    })?;
    Ok(Action::Order {
        orders: fields.each("orders", read_order)?,
        builder_fee: builder_fee.unwrap_or(0),
    })
}

fn read_order(fields: Fields<'_>) -> Result<WireOrder, Expected> {
    let fields = fields.only(&["a", "b", "p", "s", "r", "t", "c"])?;
    Ok(WireOrder {
        asset: fields.unsigned("a")?,
        side: if fields.bool("b")? {
            Side::Bid
        } else {
            Side::Ask
        },
        price: fields.text("p")?.to_owned(),
        size: fields.text("s")?.to_owned(),
        reduce_only: fields.bool("r")?,
        terms: read_terms(fields.map("t", "t")?)?,
        cloid: fields.optional("c", Fields::cloid)?,
    })
}

fn read_terms(fields: Fields<'_>) -> Result<Terms<WireTrigger>, Expected> {
    if fields.value.field("limit").is_some() {
        let limit = fields.only(&["limit"])?.map("limit", "limit")?;
        return Ok(Terms::Limit(match limit.only(&["tif"])?.text("tif")? {
            "Gtc" => Tif::Gtc,
            "Ioc" | "FrontendMarket" => Tif::Ioc,
            "Alo" => Tif::Alo,
            "Fok" => Tif::Fok,
            _ => return Err(limit.expected("Gtc, Ioc, Alo or Fok")),
        }));
    }
    let trigger = fields.only(&["trigger"])?.map("trigger", "trigger")?;
    let trigger = trigger.only(&["isMarket", "triggerPx", "tpsl"])?;
    Ok(Terms::Trigger(WireTrigger {
        is_market: trigger.bool("isMarket")?,
        price: trigger.text("triggerPx")?.to_owned(),
        is_take_profit: match trigger.text("tpsl")? {
            "tp" => true,
            "sl" => false,
            _ => return Err(trigger.expected("tp or sl")),
        },
    }))
}

fn read_cancel(fields: Fields<'_>) -> Result<CancelById, Expected> {
    let fields = fields.only(&["a", "o"])?;
    Ok(CancelById {
        asset: fields.unsigned("a")?,
        order_id: OrderId::new(fields.unsigned("o")?),
    })
}

fn read_cancel_by_label(fields: Fields<'_>) -> Result<CancelByLabel, Expected> {
    let fields = fields.only(&["asset", "cloid"])?;
    Ok(CancelByLabel {
        asset: fields.unsigned("asset")?,
        cloid: fields.cloid("cloid")?,
    })
}

fn read_modify(fields: Fields<'_>) -> Result<ModifyOrder, Expected> {
    let target = match fields.value.field("oid") {
        Some(Value::Unsigned(id)) => OrderRef::Id(OrderId::new(*id)),
        _ => OrderRef::Label(fields.cloid("oid")?),
    };
    Ok(ModifyOrder {
        target,
        order: read_order(fields.map("order", "order")?)?,
    })
}

/// A map that is read, and what it is of.
#[derive(Clone, Copy)]
struct Fields<'a> {
    value: &'a Value,
    of: &'static str,
}

impl<'a> Fields<'a> {
    const fn expected(&self, what: &'static str) -> Expected {
        Expected {
            what,
            field: self.of,
        }
    }

    /// Refuses a map with any other name.
    fn only(self, names: &[&str]) -> Result<Self, Expected> {
        match self.value {
            Value::Map(fields) if fields.iter().all(|(key, _)| names.contains(&key.as_str())) => {
                Ok(self)
            }
            _ => Err(self.expected("no other fields")),
        }
    }

    fn text(&self, name: &str) -> Result<&'a str, Expected> {
        let text = self.value.field(name).and_then(Value::as_text);
        text.ok_or_else(|| self.expected("a text"))
    }

    fn unsigned(&self, name: &str) -> Result<u64, Expected> {
        let number = self.value.field(name).and_then(Value::as_unsigned);
        number.ok_or_else(|| self.expected("a whole number"))
    }

    fn bool(&self, name: &str) -> Result<bool, Expected> {
        match self.value.field(name) {
            Some(Value::Bool(yes)) => Ok(*yes),
            _ => Err(self.expected("true or false")),
        }
    }

    fn address(&self, name: &str) -> Result<OwnerAddress, Expected> {
        let digits = self.text(name)?.strip_prefix("0x");
        let address = digits.and_then(bytes_from_hex);
        address.ok_or_else(|| self.expected("an address"))
    }

    fn cloid(&self, name: &str) -> Result<Cloid, Expected> {
        Cloid::parse(self.text(name)?).ok_or_else(|| self.expected("0x and 32 digits"))
    }

    fn map(&self, name: &str, of: &'static str) -> Result<Self, Expected> {
        let value = self.value.field(name);
        let value = value.ok_or_else(|| self.expected("a map"))?;
        Ok(Self { value, of })
    }

    /// What is not there, or nothing, is `None`.
    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Expected>,
    ) -> Result<Option<T>, Expected> {
        match self.value.field(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => read(self, name).map(Some),
        }
    }

    /// A list of 1 to 256.
    fn each<T>(
        &self,
        name: &str,
        read: impl Fn(Self) -> Result<T, Expected>,
    ) -> Result<Vec<T>, Expected> {
        match self.value.field(name) {
            Some(Value::List(items)) if (1..=COMMANDS_PER_FRAME_MAX).contains(&items.len()) => {
                let fields = |value| Fields { value, of: self.of };
                items.iter().map(|value| read(fields(value))).collect()
            }
            _ => Err(self.expected("a list of 1 to 256")),
        }
    }
}
