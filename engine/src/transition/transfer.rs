//! Free funds move from one account to another.

use types::command::Transfer;
use types::outcome::{EventRecord, Transferred};
use types::{AccountId, AssetId, Atoms, RejectReason};

use super::{Accepted, Context};
use crate::view::{Funds, StateView};

pub(super) fn transfer<V: StateView>(
    view: &mut V,
    context: Context,
    movement: &Transfer,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let Transfer { to, asset, amount } = *movement;
    let funds = view.funds();
    if !funds.contains(to) {
        return Err(RejectReason::UnknownAccount);
    }
    check_covered(funds, context.account, (asset, amount))?;
    if to == context.account {
        return Err(RejectReason::SelfTransfer);
    }
    move_free(funds, context, to, (asset, amount), events);
    Ok(Accepted::default())
}

/// Whether this is an amount of an asset.
pub(super) fn check_amount<F: Funds>(
    funds: &F,
    (asset, amount): (AssetId, Atoms),
) -> Result<(), RejectReason> {
    if !funds.lists(asset) {
        return Err(RejectReason::UnknownAsset);
    }
    if amount.is_zero() {
        return Err(RejectReason::ZeroQuantity);
    }
    if amount > Atoms::MAX {
        return Err(RejectReason::QuantityTooLarge);
    }
    Ok(())
}

/// The same, and whether the account has it free.
pub(super) fn check_covered<F: Funds>(
    funds: &mut F,
    account: AccountId,
    (asset, amount): (AssetId, Atoms),
) -> Result<(), RejectReason> {
    check_amount(funds, (asset, amount))?;
    if !funds.covers(account, asset, amount) {
        return Err(RejectReason::InsufficientFunds);
    }
    Ok(())
}

/// Moves what was checked to be free, and tells of it.
pub(super) fn move_free<F: Funds>(
    funds: &mut F,
    context: Context,
    to: AccountId,
    (asset, amount): (AssetId, Atoms),
    events: &mut Vec<EventRecord>,
) {
    let from = context.account;
    funds.transfer(from, to, asset, amount);
    events.push(EventRecord::from(&Transferred {
        sequence: context.sequence,
        from,
        to,
        asset,
        amount,
    }));
}
