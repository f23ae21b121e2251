//! Other wallets, agents, may trade for an account.
//!
//! An agent is a registered key whose bytes stand for an address. It has the scope "trade", so it moves
//! no funds; what it signs are actions. An address that has an account acts for that, so it is nobody's
//! agent.

use types::auth::PublicKey;
use types::command::ApproveAgent;
use types::keys::{KeyGrant, KeyScope};
use types::outcome::EventRecord;
use types::{KeyId, RejectReason};

use super::absence;
use super::{Accepted, Context};
use crate::view::StateView;

/// From here on the agent may trade, and the one that had its name may not.
pub(super) fn approve<V: StateView>(
    view: &mut V,
    context: Context,
    approval: &ApproveAgent,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let account = context.account;
    let grant = KeyGrant {
        scope: KeyScope::Trade,
        expires_at: approval.expires_at,
        ..KeyGrant::OWNER
    };
    let agent = PublicKey::of_agent(&approval.agent);
    let ledger = view.ledger_mut();
    if ledger.account_at(&approval.agent).is_some() {
        return Err(RejectReason::KeyTaken);
    }
    let key = ledger.register_key(account, agent, &grant)?;
    let before = ledger.name_agent(account, approval.name, key);
    events.push(absence::key_changed(view, context, key, false));
    if let Some(before) = before.filter(|before| *before != key) {
        let revoked = absence::revoke(view, context, Some(before), events);
        revoked.expect("it is a key of the account that is not revoked");
    }
    Ok(accepted(key))
}

/// The receipt names the agent's key.
fn accepted(key: KeyId) -> Accepted {
    Accepted {
        affected: key.get(),
        ..Accepted::default()
    }
}
