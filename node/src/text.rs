//! State as canonical text: one record a line, fields by spaces, lines sorted by byte, amounts as
//! decimals without needless zeros.

use engine::State;
use types::genesis::{AssetSpec, Genesis};
use types::{AccountId, AssetId, Atoms, Side};

/// `account asset free held`, for every balance that is not zero. The system accounts are called
/// `fees` and `dust`.
pub(crate) fn balances(state: &State, genesis: &Genesis) -> Vec<String> {
    let ledger = state.ledger();
    let mut lines = Vec::new();
    for (asset, spec) in genesis
        .assets()
        .iter()
        .zip(0..)
        .map(|(s, id)| (AssetId::new(id), s))
    {
        for account in (0..ledger.account_count()).map(AccountId::new) {
            let balance = ledger.balance(account, asset);
            push_balance(
                &mut lines,
                &account.to_string(),
                spec,
                balance.free,
                balance.held,
            );
        }
        push_balance(&mut lines, "fees", spec, ledger.fees(asset), Atoms::ZERO);
        push_balance(&mut lines, "dust", spec, ledger.dust(asset), Atoms::ZERO);
    }
    lines.sort_unstable();
    lines
}

fn push_balance(lines: &mut Vec<String>, who: &str, spec: &AssetSpec, free: Atoms, held: Atoms) {
    if !free.is_zero() || !held.is_zero() {
        let (free, held) = (spec.format(free), spec.format(held));
        lines.push(format!("{who} {} {free} {held}", spec.symbol));
    }
}

/// `order_id account market side price remaining client_order_id`, for every open order, armed ones
/// included.
pub(crate) fn orders(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, spec, market) in state.market_states() {
        let resting = Side::BOTH
            .into_iter()
            .flat_map(|side| market.book.orders(side))
            .map(|order| {
                let owner = (order.order_id, order.account, order.client_order_id);
                (owner, order.side, order.price, order.remaining)
            });
        let armed = market.triggers.orders().map(|order| {
            let owner = (order.order_id, order.account, order.client_order_id);
            (owner, order.side, order.price, order.quantity)
        });
        for ((order_id, account, label), side, price, remaining) in resting.chain(armed) {
            lines.push(format!(
                "{order_id} {account} {} {} {} {} {label}",
                spec.symbol,
                side.name(),
                spec.format_price(price),
                spec.format_quantity(remaining),
            ));
        }
    }
    lines.sort_unstable();
    lines
}

/// `account key base window`, for every key that has used a nonce; the window as 256 hexadecimal
/// digits, highest nonce first.
pub(crate) fn nonces(state: &State) -> Vec<String> {
    let mut lines: Vec<String> = state
        .ledger()
        .nonces()
        .map(|(key, account, window)| {
            let bits: String = window
                .bits()
                .iter()
                .rev()
                .map(|w| format!("{w:016x}"))
                .collect();
            format!("{account} {key} {} {bits}", window.base())
        })
        .collect();
    lines.sort_unstable();
    lines
}
