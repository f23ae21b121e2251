//! One line of input as it is written: names and texts, nothing checked against a market.
//!
//! Unknown fields are refused, so that a misspelled option never goes unnoticed.

use serde::Deserialize;

/// One line of input.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Place(PlaceLine),
    Replace(ReplaceLine),
    QuoteSet(QuoteSetLine),
    Cancel(CancelLine),
    CancelAll(CancelAllLine),
    Transfer(TransferLine),
    SetProtection(SetProtectionLine),
    SetMarketStatus(SetMarketStatusLine),
    SetSessionPolicy(SetSessionPolicyLine),
    SetTimer(SetTimerLine),
    SetTimerAt(SetTimerAtLine),
    RevokeKey(RevokeKeyLine),
    Send(SendLine),
    Withdraw(WithdrawLine),
    OpenSubAccount { nonce: Option<u64> },
    ApproveAgent(ApproveAgentLine),
    Inbox(InboxLine),
    Balances {},
    Orders {},
    Markets {},
    Market { market: String },
    Query { nonce: u64, market: Option<String> },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceLine {
    pub(super) market: String,
    pub(super) side: SideText,
    pub(super) price: String,
    pub(super) quantity: String,
    #[serde(default)]
    pub(super) kind: KindText,
    pub(super) tif: Option<TimeInForceText>,
    pub(super) expires_at: Option<u64>,
    pub(super) expires_in_ms: Option<u64>,
    pub(super) display: Option<String>,
    pub(super) trigger: Option<TriggerText>,
    pub(super) stop: Option<StopText>,
    #[serde(default)]
    pub(super) protected: bool,
    #[serde(default)]
    pub(super) stp: SelfTradeText,
    #[serde(default)]
    pub(super) client_order_id: u64,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceLine {
    pub(super) order_id: Option<u64>,
    pub(super) market: Option<String>,
    pub(super) client_order_id: Option<u64>,
    pub(super) price: String,
    pub(super) quantity: String,
    #[serde(default = "yes")]
    pub(super) may_take: bool,
    #[serde(default)]
    pub(super) stp: SelfTradeText,
    pub(super) nonce: Option<u64>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuoteSetLine {
    pub(super) market: String,
    pub(super) number: u64,
    /// Price and quantity.
    pub(super) bids: Vec<(String, String)>,
    pub(super) asks: Vec<(String, String)>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelLine {
    pub(super) order_id: Option<u64>,
    pub(super) market: Option<String>,
    pub(super) client_order_id: Option<u64>,
    pub(super) remember_until: Option<u64>,
    pub(super) remember_for_ms: Option<u64>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelAllLine {
    pub(super) market: Option<String>,
    pub(super) side: Option<SideText>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferLine {
    pub(super) to: AccountText,
    pub(super) asset: String,
    pub(super) amount: String,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendLine {
    pub(super) to: String,
    pub(super) asset: String,
    pub(super) amount: String,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithdrawLine {
    pub(super) asset: String,
    pub(super) amount: String,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveAgentLine {
    pub(super) agent: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) expires_at: Option<u64>,
    pub(super) expires_in_ms: Option<u64>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxLine {
    pub(super) index: u64,
    pub(super) kind: InboxKindText,
    pub(super) owner: String,
    pub(super) account: Option<AccountText>,
    pub(super) asset: Option<String>,
    pub(super) amount: Option<String>,
    pub(super) nonce: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InboxKindText {
    Deposit,
    Withdraw,
    CancelAll,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetProtectionLine {
    pub(super) market: String,
    #[serde(default)]
    pub(super) group: u8,
    pub(super) window_ms: Option<u64>,
    pub(super) max_fills: Option<u64>,
    pub(super) max_quantity: Option<String>,
    pub(super) max_notional: Option<String>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetMarketStatusLine {
    pub(super) market: String,
    pub(super) status: StatusText,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetSessionPolicyLine {
    pub(super) silence_ms: Option<u64>,
    #[serde(default)]
    pub(super) good_till_cancelled: bool,
    #[serde(default)]
    pub(super) whole_account: bool,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetTimerLine {
    pub(super) after_ms: Option<u64>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetTimerAtLine {
    pub(super) at: Option<u64>,
    pub(super) after_ms: Option<u64>,
    pub(super) nonce: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeKeyLine {
    pub(super) key: u32,
    pub(super) nonce: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SideText {
    #[serde(alias = "buy")]
    Bid,
    #[serde(alias = "sell")]
    Ask,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindText {
    #[default]
    Limit,
    Market,
    PostOnly,
    PostOnlySlide,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeInForceText {
    Gtc,
    Gtt,
    Ioc,
    Fok,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TriggerText {
    pub(super) condition: ConditionText,
    pub(super) price: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConditionText {
    Stop,
    TakeProfit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StopText {
    pub(super) trigger: String,
    pub(super) limit: String,
    #[serde(default)]
    pub(super) stp: SelfTradeText,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusText {
    Open,
    PostOnly,
    Auction,
    CancelOnly,
    Halted,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SelfTradeText {
    #[default]
    Allow,
    CancelTaker,
    CancelMaker,
    CancelBoth,
    Decrement,
}

/// An account by number, or by its development name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum AccountText {
    Number(u32),
    Name(String),
}
