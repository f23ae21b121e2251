//! What crosses the edge of the ledger: accounts are opened, funds come in from a chain and leave for
//! it, and owners force what an operator would not do.

use types::command::{CancelScope, Send, Withdraw};
use types::inbox::{InboxEntry, InboxKind};
use types::outcome::{AccountOpened, Deposited, DoneReason, EventRecord, Withdrawn};
use types::{AccountId, AssetId, Atoms, RejectReason};

use super::cancel::cancel_all_for;
use super::transfer::{check_amount, check_covered, move_free};
use super::{Accepted, Context};
use crate::view::{Funds, StateView};

/// Free funds leave the ledger for good: the owner claims them on the chain.
pub(super) fn withdraw<V: StateView>(
    view: &mut V,
    context: Context,
    withdraw: Withdraw,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let Withdraw { asset, amount } = withdraw;
    check_covered(view.funds(), context.account, (asset, amount))?;
    take_out(view, context, (asset, amount), events);
    Ok(Accepted::default())
}

/// Free funds move to the main account of an address, which is opened if there is none.
pub(super) fn send<V: StateView>(
    view: &mut V,
    context: Context,
    send: &Send,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let Send { to, asset, amount } = *send;
    let known = view.ledger_mut().account_at(&to);
    if to == [0; 20] {
        return Err(RejectReason::UnknownAccount);
    }
    check_covered(view.funds(), context.account, (asset, amount))?;
    let to = match known {
        Some(account) if account == context.account => return Err(RejectReason::SelfTransfer),
        Some(account) => account,
        None => {
            let opened = view.open_account(to)?;
            tell_opened(view, context, opened, events);
            opened
        }
    };
    move_free(view.funds(), context, to, (asset, amount), events);
    Ok(accepted(to))
}

/// The owner opens another account.
pub(super) fn open_sub_account<V: StateView>(
    view: &mut V,
    context: Context,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let opened = view.open_sub_account(context.account)?;
    tell_opened(view, context, opened, events);
    Ok(accepted(opened))
}

/// The next entry of the inbox. What it asks for of an account that is not its owner's, or of an asset
/// that there is not, has no effect, but it is consumed: the chain has said it. A deposit that cannot be
/// credited is refused, so that it is not lost.
pub(super) fn inbox<V: StateView>(
    view: &mut V,
    context: Context,
    entry: &InboxEntry,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    if !view.is_operator(context.account) {
        return Err(RejectReason::NotOperator);
    }
    let ledger = view.ledger_mut();
    if entry.index != ledger.edge().inbox().count {
        return Err(RejectReason::InboxOutOfOrder);
    }
    let account = entry.account;
    let is_own = ledger.contains(account) && ledger.owner(account) == entry.owner;
    let done = match entry.kind {
        InboxKind::Deposit => deposit(view, context, entry, events)?,
        InboxKind::CancelAll | InboxKind::Withdraw if !is_own => Accepted::default(),
        InboxKind::CancelAll => force_cancel(view, context, account, events)?,
        InboxKind::Withdraw => {
            let done = force_cancel(view, context, account, events)?;
            force_withdrawal(view, context, entry, events);
            done
        }
    };
    let consumed = view.ledger_mut().consume(entry);
    consumed.expect("it was the next one a moment ago");
    Ok(done)
}

fn deposit<V: StateView>(
    view: &mut V,
    context: Context,
    entry: &InboxEntry,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let InboxEntry { asset, amount, .. } = *entry;
    check_amount(view.funds(), (asset, amount))?;
    let ledger = view.ledger_mut();
    ledger.check_supply(asset, amount)?;
    let account = match ledger.account_at(&entry.owner) {
        Some(account) => account,
        None => {
            let opened = view.open_account(entry.owner)?;
            tell_opened(view, context, opened, events);
            opened
        }
    };
    let deposited = view.ledger_mut().deposit(account, asset, amount);
    deposited.expect("the supply was compared a moment ago");
    events.push(EventRecord::from(&Deposited {
        sequence: context.sequence,
        account,
        asset,
        amount,
    }));
    Ok(accepted(account))
}

fn force_cancel<V: StateView>(
    view: &mut V,
    context: Context,
    account: AccountId,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let of_account = Context { account, ..context };
    let everything = CancelScope::EVERYTHING;
    cancel_all_for(view, of_account, everything, DoneReason::Forced, events)
}

/// As much of the amount as is free.
fn force_withdrawal<V: StateView>(
    view: &mut V,
    context: Context,
    entry: &InboxEntry,
    events: &mut Vec<EventRecord>,
) {
    let InboxEntry { account, asset, .. } = *entry;
    if !view.funds().lists(asset) {
        return;
    }
    let free = view.ledger_mut().balance(account, asset).free;
    let amount = entry.amount.min(free);
    if !amount.is_zero() {
        let of_account = Context { account, ..context };
        take_out(view, of_account, (asset, amount), events);
    }
}

fn take_out<V: StateView>(
    view: &mut V,
    context: Context,
    (asset, amount): (AssetId, Atoms),
    events: &mut Vec<EventRecord>,
) {
    let account = context.account;
    let withdrawn = view.ledger_mut().withdraw(account, asset, amount);
    withdrawn.expect("it was compared with what is free");
    events.push(EventRecord::from(&Withdrawn {
        sequence: context.sequence,
        account,
        asset,
        amount,
    }));
}

fn tell_opened<V: StateView>(
    view: &mut V,
    context: Context,
    account: AccountId,
    events: &mut Vec<EventRecord>,
) {
    let ledger = view.ledger_mut();
    events.push(EventRecord::from(&AccountOpened {
        sequence: context.sequence,
        account,
        group: ledger.group(account),
        owner: ledger.owner(account),
    }));
}

/// The receipt names the account that it was about.
fn accepted(account: AccountId) -> Accepted {
    Accepted {
        affected: account.get(),
        ..Accepted::default()
    }
}
