//! Free funds move from one account to another.

use types::command::Transfer;
use types::outcome::{EventRecord, Transferred};
use types::{Atoms, RejectReason};

use super::{Accepted, Context};
use crate::view::{Funds, StateView};

pub(super) fn transfer<V: StateView>(
    view: &mut V,
    context: Context,
    movement: &Transfer,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let funds = view.funds();
    if !funds.contains(movement.to) {
        return Err(RejectReason::UnknownAccount);
    }
    if !funds.lists(movement.asset) {
        return Err(RejectReason::UnknownAsset);
    }
    if movement.amount.is_zero() {
        return Err(RejectReason::ZeroQuantity);
    }
    if movement.amount > Atoms::MAX {
        return Err(RejectReason::QuantityTooLarge);
    }
    if !funds.covers(context.account, movement.asset, movement.amount) {
        return Err(RejectReason::InsufficientFunds);
    }
    if movement.to == context.account {
        return Err(RejectReason::SelfTransfer);
    }
    funds.transfer(
        context.account,
        movement.to,
        movement.asset,
        movement.amount,
    );
    events.push(EventRecord::from(&Transferred {
        sequence: context.sequence,
        from: context.account,
        to: movement.to,
        asset: movement.asset,
        amount: movement.amount,
    }));
    Ok(Accepted::default())
}
