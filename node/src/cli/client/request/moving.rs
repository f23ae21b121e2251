//! Movements: funds go to another account, to an address, or out; accounts are opened; what a chain
//! says.

use types::command::{ApproveAgent, Send, Transfer, Withdraw};
use types::decimal::bytes_from_hex;
use types::genesis::{AssetSpec, OwnerAddress, development_names};
use types::inbox::{InboxEntry, InboxKind};
use types::{AccountId, AssetId, Atoms, LogTime, RejectReason};

use super::super::line::{
    AccountText, ApproveAgentLine, InboxKindText, InboxLine, SendLine, TransferLine, WithdrawLine,
};
use super::{Reader, Refusal};

/// Bytes of an agent's name.
const NAME_LENGTH: usize = 16;

impl Reader<'_> {
    pub(super) fn transfer(&self, line: &TransferLine) -> Result<Transfer, Refusal> {
        let (asset, amount) = self.funds(&line.asset, &line.amount)?;
        Ok(Transfer {
            to: account(&line.to)?,
            asset,
            amount,
        })
    }

    pub(super) fn send(&self, line: &SendLine) -> Result<Send, Refusal> {
        let (asset, amount) = self.funds(&line.asset, &line.amount)?;
        Ok(Send {
            to: address("to", &line.to)?,
            asset,
            amount,
        })
    }

    pub(super) fn withdraw(&self, line: &WithdrawLine) -> Result<Withdraw, Refusal> {
        let (asset, amount) = self.funds(&line.asset, &line.amount)?;
        Ok(Withdraw { asset, amount })
    }

    pub(super) fn approve_agent(&self, line: &ApproveAgentLine) -> Result<ApproveAgent, Refusal> {
        let text = line.name.as_bytes();
        let mut name = [0; NAME_LENGTH];
        let place = name.get_mut(..text.len());
        let place = place.ok_or_else(|| {
            Refusal::malformed(format!("name: at most {NAME_LENGTH} bytes of UTF-8"))
        })?;
        place.copy_from_slice(text);
        let names = ["expires_at", "expires_in_ms"];
        let expires_at = self.moment(names, line.expires_at, line.expires_in_ms)?;
        Ok(ApproveAgent {
            agent: address("agent", &line.agent)?,
            name,
            expires_at: expires_at.unwrap_or(LogTime::ZERO),
        })
    }

    pub(super) fn inbox(&self, line: &InboxLine) -> Result<InboxEntry, Refusal> {
        let (asset, amount) = match (&line.asset, &line.amount) {
            (Some(asset), Some(amount)) => self.funds(asset, amount)?,
            (None, None) => (AssetId::new(0), Atoms::ZERO),
            _ => return Err(Refusal::malformed("give asset and amount, or neither")),
        };
        let account = line.account.as_ref().map(account).transpose()?;
        Ok(InboxEntry {
            index: line.index,
            kind: line.kind.into(),
            owner: address("owner", &line.owner)?,
            account: account.unwrap_or(AccountId::NOBODY),
            asset,
            amount,
        })
    }

    /// An amount of a named asset.
    fn funds(&self, asset: &str, amount: &str) -> Result<(AssetId, Atoms), Refusal> {
        let (id, spec) = self.asset(asset)?;
        let amount = spec.parse(amount);
        let amount = amount
            .map_err(|error| Refusal::decimal("amount", error, RejectReason::QuantityTooLarge))?;
        Ok((id, amount))
    }

    fn asset(&self, name: &str) -> Result<(AssetId, &AssetSpec), Refusal> {
        let mut assets = self.reference.assets.iter().zip(0..);
        assets
            .find(|(spec, _)| spec.symbol.as_str() == name)
            .map(|(spec, id)| (AssetId::new(id), spec))
            .ok_or_else(|| {
                let detail = format!("there is no asset {name}");
                Refusal::new(RejectReason::UnknownAsset, detail)
            })
    }
}

fn account(text: &AccountText) -> Result<AccountId, Refusal> {
    let number = match text {
        AccountText::Number(number) => *number,
        AccountText::Name(name) => development_names()
            .zip(0..)
            .find_map(|(known, number)| (known == *name).then_some(number))
            .ok_or_else(|| {
                let detail = format!("there is no account {name}");
                Refusal::new(RejectReason::UnknownAccount, detail)
            })?,
    };
    Ok(AccountId::new(number))
}

fn address(what: &str, text: &str) -> Result<OwnerAddress, Refusal> {
    let digits = text.strip_prefix("0x").and_then(bytes_from_hex);
    digits.ok_or_else(|| {
        Refusal::malformed(format!(
            "{what}: an address is 0x and 40 hexadecimal digits"
        ))
    })
}

impl From<InboxKindText> for InboxKind {
    fn from(text: InboxKindText) -> Self {
        match text {
            InboxKindText::Deposit => Self::Deposit,
            InboxKindText::Withdraw => Self::Withdraw,
            InboxKindText::CancelAll => Self::CancelAll,
        }
    }
}

#[cfg(test)]
mod tests {
    use types::Command;

    use super::super::tests::{check, check_refused};
    use super::*;

    const ADDRESS: &str = "0x4444444444444444444444444444444444444444";

    #[test]
    fn a_transfer_names_an_account_by_number_or_name() {
        let line = r#"{"op":"transfer","to":"dev-5","asset":"USD","amount":"0.5"}"#;
        let transfer = Command::Transfer(Transfer {
            to: AccountId::new(5),
            asset: AssetId::new(2),
            amount: Atoms::new(50_000_000),
        });
        check(line, transfer);
        check(&line.replacen(r#""dev-5""#, "5", 1), transfer);
        let to_operator = Command::Transfer(Transfer {
            to: AccountId::new(64),
            asset: AssetId::new(2),
            amount: Atoms::new(50_000_000),
        });
        check(&line.replacen("dev-5", "dev-operator", 1), to_operator);
        for (from, to, expected) in [
            ("dev-5", "fees", "there is no account fees"),
            ("dev-5", "dev-64", "there is no account dev-64"),
            ("USD", "EUR", "there is no asset EUR"),
            ("0.5", "0.000000001", "amount: finer"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn addresses_are_written_out() {
        let line = format!(r#"{{"op":"send","to":"{ADDRESS}","asset":"USD","amount":"0.5"}}"#);
        let sent = Send {
            to: [0x44; 20],
            asset: AssetId::new(2),
            amount: Atoms::new(50_000_000),
        };
        check(&line, Command::Send(sent));
        for wrong in ["dev-1", "0x44", &ADDRESS[2..], &format!("{ADDRESS}44")] {
            check_refused(&line.replace(ADDRESS, wrong), "an address is 0x");
        }
    }

    #[test]
    fn an_agent_has_a_short_name_or_none() {
        let line = format!(r#"{{"op":"approve_agent","agent":"{ADDRESS}","name":"phone"}}"#);
        let approval = ApproveAgent {
            agent: [0x44; 20],
            name: *b"phone\0\0\0\0\0\0\0\0\0\0\0",
            expires_at: LogTime::ZERO,
        };
        check(&line, Command::ApproveAgent(approval));
        let unnamed = ApproveAgent {
            name: [0; NAME_LENGTH],
            ..approval
        };
        let line_unnamed = line.replace(r#","name":"phone""#, "");
        check(&line_unnamed, Command::ApproveAgent(unnamed));
        let long = line.replace("phone", "seventeen letters");
        check_refused(&long, "at most 16 bytes");
    }

    #[test]
    fn an_entry_of_the_inbox_says_what_its_kind_needs() {
        let deposit = format!(
            r#"{{"op":"inbox","index":3,"kind":"deposit","owner":"{ADDRESS}","asset":"ETH","amount":"1"}}"#
        );
        let entry = InboxEntry {
            index: 3,
            kind: InboxKind::Deposit,
            owner: [0x44; 20],
            account: AccountId::NOBODY,
            asset: AssetId::new(1),
            amount: Atoms::new(100_000_000),
        };
        check(&deposit, Command::Inbox(entry));
        let cancel = format!(
            r#"{{"op":"inbox","index":4,"kind":"cancel_all","owner":"{ADDRESS}","account":"dev-3"}}"#
        );
        let cancel_all = InboxEntry {
            index: 4,
            kind: InboxKind::CancelAll,
            account: AccountId::new(3),
            asset: AssetId::new(0),
            amount: Atoms::ZERO,
            ..entry
        };
        check(&cancel, Command::Inbox(cancel_all));
        let half = deposit.replace(r#","amount":"1""#, "");
        check_refused(&half, "asset and amount");
    }

    #[test]
    fn the_others_are_short() {
        check(r#"{"op":"open_sub_account"}"#, Command::OpenSubAccount);
        let withdrawn = Withdraw {
            asset: AssetId::new(0),
            amount: Atoms::new(1),
        };
        let line = r#"{"op":"withdraw","asset":"BTC","amount":"0.00000001"}"#;
        check(line, Command::Withdraw(withdrawn));
        let at = Command::SetTimerAt(LogTime::new(5));
        check(r#"{"op":"set_timer_at","at":5}"#, at);
        let never = Command::SetTimerAt(LogTime::ZERO);
        check(r#"{"op":"set_timer_at"}"#, never);
    }
}
