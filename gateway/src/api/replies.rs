//! What is answered to a signed action, in the words that clients of the dialect know.
//!
//! Clients look for parts of these texts and for their shape, so a change breaks somebody.

use serde_json::{Value as Json, json};
use types::action::{Action, Cloid, ModifyOrder, OrderRef, WireOrder};
use types::genesis::{Genesis, OwnerAddress};
use types::{MarketId, OrderId, RejectReason};

use super::model::{CommandAnswer, FrameAnswer};
use super::names::{address_text, average};

/// How an action is answered.
pub(super) enum Kind {
    /// A status for each order.
    Orders(Vec<Asked>),
    /// A status for each cancel: its market.
    Cancels(Vec<u64>),
    /// Whether the one order was modified.
    Modify(u64),
    /// With the address of what was opened.
    Opened,
    /// Nothing to say.
    Plain,
    /// Nothing to say, not even what the engine said.
    Noop,
}

/// One order that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    asset: u64,
    cloid: Option<Cloid>,
    /// The order that was to be modified, if it was named by number.
    modified: Option<OrderId>,
    is_new: bool,
}

impl Kind {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::Order { orders, .. } => {
                let asked = |order: &WireOrder| Asked {
                    asset: order.asset,
                    cloid: order.cloid,
                    modified: None,
                    is_new: true,
                };
                Self::Orders(orders.iter().map(asked).collect())
            }
            Action::BatchModify(modifies) => {
                let asked = |modify: &ModifyOrder| Asked {
                    asset: modify.order.asset,
                    cloid: modify.order.cloid,
                    modified: match modify.target {
                        OrderRef::Id(id) => Some(id),
                        OrderRef::Label(_) => None,
                    },
                    is_new: false,
                };
                Self::Orders(modifies.iter().map(asked).collect())
            }
            Action::Modify(modify) => Self::Modify(modify.order.asset),
            Action::Cancel(cancels) => Self::Cancels(cancels.iter().map(|it| it.asset).collect()),
            Action::CancelByCloid(cancels) => {
                Self::Cancels(cancels.iter().map(|it| it.asset).collect())
            }
            Action::CreateSubAccount => Self::Opened,
            Action::Noop => Self::Noop,
            Action::ScheduleCancel(_)
            | Action::SubAccountTransfer { .. }
            | Action::SubAccountSpotTransfer { .. }
            | Action::Send { .. }
            | Action::Withdraw { .. }
            | Action::ApproveAgent { .. }
            | Action::NotHere(_) => Self::Plain,
        }
    }
}

/// The whole action was refused.
pub(super) fn error(words: &str) -> Json {
    json!({ "status": "err", "response": words })
}

fn plain() -> Json {
    json!({ "status": "ok", "response": { "type": "default" } })
}

fn statuses(kind: &str, statuses: Vec<Json>) -> Json {
    json!({ "status": "ok", "response": { "type": kind, "data": { "statuses": statuses } } })
}

/// An action that comes to nothing, because of what one of its parts asks: then none of it happens, and
/// each part says so.
pub(super) fn refused(kind: &Kind, words: &str) -> Json {
    let all = |count: usize| vec![json!({ "error": words }); count];
    match kind {
        Kind::Orders(orders) => statuses("order", all(orders.len())),
        Kind::Cancels(cancels) => statuses("cancel", all(cancels.len())),
        Kind::Modify(_) | Kind::Opened | Kind::Plain | Kind::Noop => error(words),
    }
}

/// What the engine has decided.
pub(super) fn answered(kind: &Kind, answer: &FrameAnswer, genesis: &Genesis) -> Json {
    match kind {
        Kind::Orders(orders) => {
            let answers = orders.iter().zip(&answer.commands);
            let status = |(asked, answer)| order_status(asked, answer, genesis);
            statuses("order", answers.map(status).collect())
        }
        Kind::Cancels(cancels) => {
            let answers = cancels.iter().zip(&answer.commands);
            let status = |(asset, answer): (&u64, &CommandAnswer)| match answer.rejected {
                None => json!("success"),
                Some(reason) => json!({ "error": words(reason, *asset) }),
            };
            statuses("cancel", answers.map(status).collect())
        }
        Kind::Noop => plain(),
        Kind::Modify(asset) => rejection(answer).map_or_else(plain, |it| error(&words(it, *asset))),
        Kind::Plain => rejection(answer).map_or_else(plain, |it| error(&words(it, 0))),
        Kind::Opened => match (rejection(answer), answer.opened) {
            (None, Some(address)) => json!({
                "status": "ok",
                "response": { "type": "createSubAccount", "data": address_text(&address) },
            }),
            (reason, _) => error(&words(reason.unwrap_or(RejectReason::TooManyAccounts), 0)),
        },
    }
}

fn rejection(answer: &FrameAnswer) -> Option<RejectReason> {
    answer.commands.iter().find_map(|it| it.rejected)
}

fn order_status(asked: &Asked, answer: &CommandAnswer, genesis: &Genesis) -> Json {
    let Asked { asset, cloid, .. } = *asked;
    if let Some(reason) = answer.rejected {
        return json!({ "error": words(reason, asset) });
    }
    let oid = answer.order.or(asked.modified).map_or(0, OrderId::get);
    // A modification without an event has left everything as it was.
    let rests = answer.rests || !asked.is_new && answer.lots == 0;
    let mut status = if rests {
        json!({ "resting": { "oid": oid } })
    } else if answer.lots > 0 {
        let market = answer.order.map_or(MarketId::new(0), OrderId::market);
        let spec = &genesis.markets()[market.index()];
        json!({ "filled": {
            "totalSz": spec.format_volume(answer.lots),
            "avgPx": average(spec, answer.tick_lots, answer.lots),
            "oid": oid,
        } })
    } else {
        let words = "Order could not immediately match against any resting orders.";
        return json!({ "error": format!("{words} asset={asset}") });
    };
    if let (Some(cloid), Some(fields)) = (cloid, status.as_object_mut()) {
        fields
            .values_mut()
            .for_each(|it| it["cloid"] = json!(cloid.to_string()));
    }
    status
}

/// Nobody has registered the address that a signature leads to; most often something else was signed.
pub(super) fn unknown_signer(address: &OwnerAddress) -> String {
    format!(
        "User or API Wallet {} does not exist.",
        address_text(address)
    )
}

/// Why a whole frame was refused.
pub(super) fn frame_words(reason: RejectReason, signer: &OwnerAddress, nonce: u64) -> String {
    match reason {
        RejectReason::NonceReused => format!("Invalid nonce: duplicate nonce {nonce}"),
        RejectReason::NonceTooOld => format!("Invalid nonce: nonce {nonce} is too low"),
        RejectReason::NonceTooHigh => format!("Invalid nonce: nonce {nonce} is too far ahead"),
        RejectReason::Expired => "Action expired: its expiresAfter has passed.".to_owned(),
        RejectReason::KeyRevoked
        | RejectReason::KeyExpired
        | RejectReason::StaleEpoch
        | RejectReason::UnknownKey
        | RejectReason::WrongAccount
        | RejectReason::WrongWallet => unknown_signer(signer),
        other => words(other, 0),
    }
}

/// Why a command was rejected.
pub(super) fn words(reason: RejectReason, asset: u64) -> String {
    let known = match reason {
        RejectReason::WouldCross => {
            "Post only order would have immediately matched, bbo was crossed."
        }
        RejectReason::NotFillable => "Fill or kill order could not fill completely.",
        RejectReason::InsufficientFunds => "Insufficient spot balance",
        RejectReason::OrderNotFound | RejectReason::AlreadyFilled => {
            "Order was never placed, already canceled, or filled."
        }
        RejectReason::ZeroQuantity => "Order has zero size.",
        RejectReason::QuantityTooLarge => "Order has invalid size.",
        RejectReason::ZeroPrice | RejectReason::PriceTooHigh => {
            "Price must be divisible by tick size."
        }
        RejectReason::NotionalTooSmall => "Order must have minimum value of the market.",
        RejectReason::InvalidTrigger => "Invalid TP/SL price.",
        RejectReason::PriceOutOfBand => "Order price is too far from the reference price.",
        RejectReason::DuplicateClientOrderId => "Duplicate cloid.",
        RejectReason::TooManyOpenOrders => "Too many open orders.",
        RejectReason::MarketStatus => "Trading is halted.",
        RejectReason::KeyTaken => "Another account has this agent, or its address has an account.",
        RejectReason::KeyScope | RejectReason::KeyMarket => "An agent may only trade.",
        RejectReason::InvalidPolicy => {
            "Cannot set scheduled cancel time: it must be in the future."
        }
        other => return format!("{} asset={asset}", other.name()),
    };
    format!("{known} asset={asset}")
}
