//! What fills say about balances.

use types::wire::ack::FillReport;
use types::wire::query::Reference;
use types::{AssetId, Side};

use super::report::Problems;
use crate::record::{BalancesRecord, ClientRecord};

/// What one account's fills come to, by asset.
#[derive(Debug)]
pub(super) struct Movements<'a> {
    reference: &'a Reference,
    atoms: Vec<i128>,
}

impl<'a> Movements<'a> {
    pub(super) fn new(reference: &'a Reference) -> Self {
        Self {
            atoms: vec![0; reference.assets.len()],
            reference,
        }
    }

    /// The buyer gets base and pays price times size, and the seller the other way round. A fee is
    /// taken from what is received; a rebate comes in what the taker receives, which is what its maker
    /// pays.
    pub(super) fn add(&mut self, report: &FillReport) -> Result<(), String> {
        let market = self.reference.markets.get(report.market().index());
        let market =
            market.ok_or_else(|| format!("it has a fill on market {}", report.market()))?;
        let base = signed(market.factors.base(report.quantity()).get())?;
        let notional = market.factors.notional(report.price(), report.quantity());
        let quote = signed(notional.get())?;
        let [received, paid] = match report.side() {
            Side::Bid => [(market.base, base), (market.quote, quote)],
            Side::Ask => [(market.quote, quote), (market.base, base)],
        };
        let fee = report.fee();
        self.move_by(received.0, received.1 - fee.max(0));
        self.move_by(paid.0, -paid.1 - fee.min(0));
        Ok(())
    }

    /// Whether balances before and after differ by this and nothing else.
    pub(super) fn explain(
        &self,
        record: &ClientRecord,
        after: &BalancesRecord,
        problems: &mut Problems,
    ) -> Result<(), String> {
        for (asset, moved) in (0..).map(AssetId::new).zip(&self.atoms) {
            let sum = |balances: &BalancesRecord| {
                let amounts = balances
                    .amounts(asset)
                    .and_then(|[free, held]| free.checked_add(held));
                signed(amounts.ok_or("a balance of it is no number")?)
            };
            let (before, after) = (sum(&record.before)?, sum(after)?);
            if after - before != *moved {
                let (name, symbol) = (&record.name, self.reference.assets[asset.index()].symbol);
                problems.add(format!(
                    "{name}: {symbol} changed by {} atoms, its fills explain {moved}",
                    after - before
                ));
            }
        }
        Ok(())
    }

    fn move_by(&mut self, asset: AssetId, atoms: i128) {
        // Far more fills than a record can hold make no sum beyond this.
        self.atoms[asset.index()] = self.atoms[asset.index()].saturating_add(atoms);
    }
}

fn signed(amount: u128) -> Result<i128, String> {
    i128::try_from(amount).map_err(|_| format!("{amount} atoms cannot be"))
}
