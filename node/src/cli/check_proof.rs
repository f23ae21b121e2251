//! `keel check-proof`: whether a root really says what a proof claims. Needs no data directory.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Instant;

use ledger::encoding::{AccountRecord, decode_inbox};
use ledger::tree::DEPTH;
use ledger::{Claim, Holding, Proof};
use serde::Deserialize;
use types::AccountId;
use types::decimal::{bytes_from_hex, from_hex, to_hex};
use types::outcome::Digest;

use super::{Failure, print_line};

/// Options of `keel check-proof`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The proof, as `keel prove` prints it; `-` for standard input.
    #[arg(value_name = "F")]
    file: PathBuf,
    /// The root, from somebody whom you trust: 64 hexadecimal digits.
    #[arg(long, value_name = "R", value_parser = parse_root)]
    root: Digest,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
    /// Tell on standard error how long the check took, the file being read.
    #[arg(long)]
    timing: bool,
}

fn parse_root(text: &str) -> Result<Digest, String> {
    digest(text).ok_or_else(|| "not 64 hexadecimal digits".to_owned())
}

fn digest(text: &str) -> Option<Digest> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    bytes_from_hex(digits).map(Digest::new)
}

/// What of a proof's file is looked at. The rest, root included, is its maker's word.
#[derive(Deserialize)]
struct File {
    account: u32,
    record: Option<String>,
    siblings: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let what = options.file.display().to_string();
    let text = read(options).map_err(|error| Failure::failed(&what, error))?;
    let started = Instant::now();
    let proof = parse(&text).map_err(|error| Failure::failed(&what, error))?;
    let root = proof.root();
    if options.timing {
        eprintln!("keel: checked in {} us", started.elapsed().as_micros());
    }
    let is_valid = root == options.root;
    if options.json {
        print_line(&json(&proof, is_valid).to_string());
    }
    if !is_valid {
        return Err(Failure::Failed(format!(
            "{what}: not proven: it leads to root {root}, not to {}",
            options.root
        )));
    }
    if !options.json {
        print_line(&describe(&proof.claim));
    }
    Ok(())
}

fn read(options: &Options) -> std::io::Result<String> {
    if options.file.as_os_str() != "-" {
        return std::fs::read_to_string(&options.file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Result<Proof, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let claim = match &file.record {
        None => Claim::Absent(AccountId::new(file.account)),
        Some(record) => {
            let bytes = from_hex(record).ok_or("the record is not hexadecimal")?;
            let inbox = decode_inbox(&bytes).map(Claim::Inbox);
            let account = || AccountRecord::decode(&bytes).map(Claim::Has);
            let claim = inbox
                .or_else(account)
                .ok_or("the record is not canonical")?;
            if claim.account().get() != file.account {
                return Err(format!("the record is of account {}", claim.account()));
            }
            claim
        }
    };
    let siblings: Option<Vec<Digest>> = file.siblings.iter().map(|text| digest(text)).collect();
    let siblings = siblings.ok_or("a sibling is not 64 hexadecimal digits")?;
    let siblings: [Digest; DEPTH] = siblings
        .try_into()
        .map_err(|_| format!("not {DEPTH} siblings"))?;
    Ok(Proof { claim, siblings })
}

fn describe(claim: &Claim) -> String {
    let mut lines = vec!["proven".to_owned()];
    match claim {
        Claim::Absent(account) => lines.push(format!("account {account} does not exist")),
        Claim::Has(record) => {
            let owner = to_hex(&record.owner);
            lines.push(format!("account {} of 0x{owner}", record.account));
            lines.extend(record.balances.iter().map(|(asset, holding)| {
                let Holding {
                    free,
                    held,
                    withdrawn,
                } = holding;
                format!("asset {asset}: {free} atoms free, {held} held, {withdrawn} withdrawn")
            }));
        }
        Claim::Inbox(inbox) => {
            let (count, hash) = (inbox.count, to_hex(&inbox.hash));
            lines.push(format!(
                "{count} entries of the inbox consumed, hash {hash}"
            ));
        }
    }
    lines.join("\n")
}

fn json(proof: &Proof, is_valid: bool) -> serde_json::Value {
    let account = proof.claim.account().get();
    let record = match &proof.claim {
        Claim::Has(record) => record,
        Claim::Absent(_) => {
            return serde_json::json!({"proven": is_valid, "account": account, "exists": false});
        }
        Claim::Inbox(inbox) => {
            return serde_json::json!({
                "proven": is_valid,
                "account": account,
                "exists": true,
                "inbox_count": inbox.count,
                "inbox_hash": to_hex(&inbox.hash),
            });
        }
    };
    let owner = to_hex(&record.owner);
    let balances = record.balances.iter().map(|(asset, balance)| {
        serde_json::json!({
            "asset": asset.get(),
            "free": balance.free.to_string(),
            "held": balance.held.to_string(),
            "withdrawn": balance.withdrawn.to_string(),
        })
    });
    serde_json::json!({
        "proven": is_valid,
        "account": account,
        "exists": true,
        "owner": format!("0x{owner}"),
        "balances": balances.collect::<Vec<_>>(),
    })
}
