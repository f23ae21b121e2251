//! A random walk over all calls, right ones and wrong ones, beside a small model of the ledger that
//! knows what each must answer. After every step, for every asset: what lies at the bridge is what
//! the ledger owes and what it has not consumed, to the last unit.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolError as _;
use anchor::contract::{Bridge, CANCEL_ALL, Checkpoint, WITHDRAW};
use anchor::proof::Funds;

use crate::bridge::contracts::{PlainToken, YesJudge};
use crate::bridge::{
    Accounts, BOND, CHAIN, FREEZE_AFTER, OPERATOR, PERIOD, SCALE, TOKEN_SCALE, WINDOW, World,
    checkpoint, deploy_plain, judged,
};
use crate::chain::{Chain, Revert};

const SEEDS: u64 = 40;
const STEPS: usize = 500;
const OWNERS: u64 = 5;
const ASSETS: usize = 2;

#[test]
fn funds_are_conserved_on_every_walk() {
    // One seed, or as many as there is time for: KEEL_SEED, KEEL_WALKS.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("KEEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("KEEL_WALKS").unwrap_or(SEEDS),
    };
    let mut frozen = 0;
    let mut paid = 0;
    let mut refused = 0;
    for seed in seeds.clone() {
        println!("KEEL_SEED={seed}");
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
            walk.assert_conserved();
        }
        walk.leave();
        frozen += u64::from(walk.frozen.is_some());
        paid += walk.paid_claims;
        refused += walk.refused;
    }
    println!("{frozen} frozen, {paid} claims paid, {refused} calls refused");
    // The walks go where they should.
    if seeds.end - seeds.start >= SEEDS {
        assert!(frozen * 2 >= seeds.end && paid >= 5 * seeds.end && refused >= 10 * seeds.end);
    }
}

/// What an account of the ledger has.
#[derive(Clone, Debug)]
struct Account {
    owner: Address,
    funds: [Funds; ASSETS],
}

/// The ledger, as far as the bridge can tell.
#[derive(Clone, Debug, Default)]
struct Ledger {
    accounts: BTreeMap<u32, Account>,
    consumed: usize,
}

impl Ledger {
    fn tree(&self) -> Accounts {
        let add = |all: Accounts, (id, it): (&u32, &Account)| {
            let funds: Vec<_> = (0..).zip(it.funds).collect();
            let some: Vec<_> = funds
                .into_iter()
                .filter(|(_, it)| *it != Funds::default())
                .collect();
            all.with(*id, it.owner, &some)
        };
        self.accounts.iter().fold(Accounts::default(), add)
    }
}

#[derive(Clone, Debug)]
struct Entry {
    kind: u8,
    owner: Address,
    account: u32,
    asset: usize,
    amount: u128,
    time: u64,
    is_reclaimed: bool,
}

struct Walk {
    world: World,
    judge: Address,
    random: u64,
    ledger: Ledger,
    /// By checkpoint.
    published: Vec<Ledger>,
    entries: Vec<Entry>,
    paid: BTreeMap<(u32, usize), u128>,
    sales: BTreeMap<(Address, u32, usize), (Address, u128)>,
    received: BTreeMap<(Address, usize), u128>,
    last_time: u64,
    /// The checkpoint that the freeze left.
    frozen: Option<usize>,
    paid_claims: u64,
    refused: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut chain = Chain::new(CHAIN);
        let token = deploy_plain(&mut chain, &PlainToken::BYTECODE);
        let judge = deploy_plain(&mut chain, &YesJudge::BYTECODE);
        let judge = if seed.is_multiple_of(2) {
            judge
        } else {
            Address::ZERO
        };
        let world = World::with(chain, token, judge);
        let last_time = world.chain.now();
        Self {
            world,
            judge,
            random: seed,
            ledger: Ledger::default(),
            published: vec![Ledger::default()],
            entries: Vec::new(),
            paid: BTreeMap::new(),
            sales: BTreeMap::new(),
            received: BTreeMap::new(),
            last_time,
            frozen: None,
            paid_claims: 0,
            refused: 0,
        }
    }

    fn step(&mut self) {
        match self.below(26) {
            0..=3 => self.deposit(),
            4 => self.force(),
            5..=8 => self.consume(),
            9 | 10 => self.trade(),
            11 | 12 => self.withdraw(),
            13 | 14 => self.publish(),
            15..=18 => self.claim(),
            19 => self.sell(),
            20 => self.reclaim(),
            21 => match self.below(4) {
                0 => self.remove(),
                _ => self.freeze(),
            },
            22 => self.pass(),
            // Most of the time a ledger does as it should.
            23 => {
                (0..64).for_each(|_| self.consume());
                self.publish();
                self.world.chain.pass(WINDOW + 1);
            }
            24 => self.withdraw(),
            _ => self.claim(),
        }
    }

    fn deposit(&mut self) {
        let (owner, asset) = (self.owner(), self.asset());
        // From dust to as much as fits; seldom nothing, which is refused.
        let amount = u128::from(self.next()) >> self.below(64);
        let expected = if self.frozen.is_some() {
            Err(Bridge::IsFrozen::SELECTOR)
        } else if amount == 0 {
            Err(Bridge::BadAmount::SELECTOR)
        } else {
            Ok(())
        };
        // What a refused deposit would have cost stays with its owner.
        let before = self.balance(owner, asset);
        let result = self.world.deposit(asset as u16, amount, owner);
        let units = self.balance(owner, asset) - before;
        self.spend(owner, asset, units);
        if self.answer(result, expected) {
            self.enter(1, owner, u32::MAX, asset, amount);
        }
    }

    fn force(&mut self) {
        let (owner, account) = (self.owner(), self.below(8) as u32);
        let is_cancel = self.below(2) == 0;
        let (kind, asset, amount) = if is_cancel {
            (CANCEL_ALL, 0, 0)
        } else {
            (WITHDRAW, self.asset(), u128::from(self.next()) + 1)
        };
        let expected = self.unless_frozen();
        let before = self.balance(owner, 0);
        let result = self.world.force(owner, kind, account, asset as u16, amount);
        let left = self.balance(owner, 0) - before;
        self.spend(owner, 0, left);
        if self.answer(result, expected) {
            self.enter(kind, owner, account, asset, amount);
        }
    }

    /// The ledger takes the next entry, as it must be taken.
    fn consume(&mut self) {
        let Some(entry) = self.entries.get(self.ledger.consumed).cloned() else {
            return;
        };
        if self.frozen.is_some() {
            return;
        }
        self.ledger.consumed += 1;
        let accounts = &mut self.ledger.accounts;
        if entry.kind == 1 {
            let found = accounts.iter().find(|(_, it)| it.owner == entry.owner);
            let id = found.map_or(accounts.len() as u32, |(id, _)| *id);
            let account = accounts.entry(id).or_insert(Account {
                owner: entry.owner,
                funds: Default::default(),
            });
            account.funds[entry.asset].free += entry.amount;
            return;
        }
        let Some(account) = accounts.get_mut(&entry.account) else {
            return;
        };
        if account.owner != entry.owner {
            return;
        }
        for funds in &mut account.funds {
            funds.free += std::mem::take(&mut funds.held);
        }
        if entry.kind == WITHDRAW {
            let funds = &mut account.funds[entry.asset];
            let taken = entry.amount.min(funds.free);
            funds.free -= taken;
            funds.withdrawn += taken;
        }
    }

    /// Something moves from one account's free funds to another's orders.
    fn trade(&mut self) {
        let (asset, share) = (self.asset(), u128::from(self.below(5)));
        let Some((from, to)) = self.account().zip(self.account()) else {
            return;
        };
        let accounts = &mut self.ledger.accounts;
        let source = &mut accounts.get_mut(&from).expect("it was found").funds[asset];
        let amount = source.free / 4 * share;
        source.free -= amount;
        accounts.get_mut(&to).expect("it was found").funds[asset].held += amount;
    }

    fn withdraw(&mut self) {
        let (asset, share) = (self.asset(), u128::from(self.below(5)));
        if let Some(account) = self.account() {
            let account = self.ledger.accounts.get_mut(&account);
            let funds = &mut account.expect("it was found").funds[asset];
            let amount = funds.free / 4 * share;
            funds.free -= amount;
            funds.withdrawn += amount;
        }
    }

    fn publish(&mut self) {
        let root = self.ledger.tree().root();
        let expected = self.unless_frozen();
        let result = self.world.publish(root, self.ledger.consumed as u64);
        if self.answer(result.map(|_| ()), expected) {
            self.published.push(self.ledger.clone());
            self.last_time = self.world.chain.now();
        }
    }

    /// Any account under any checkpoint: what is due is paid to the unit, all else is refused.
    fn claim(&mut self) {
        // Mostly of late.
        let last = self.published.len() as u64 - 1;
        let index = (last - self.below(last + 1).min(self.below(last + 1))) as usize;
        let snapshot = self.published[index].clone();
        let ids: Vec<u32> = snapshot.accounts.keys().copied().collect();
        let Some(account) = self.pick(&ids) else {
            return;
        };
        let places = self.below(4);
        let is_tampered = self.below(8) == 0;
        let checkpoint = self.world.checkpoints[index].clone();
        let mut call = snapshot.tree().claim(&checkpoint, account, places);
        if is_tampered {
            let level = self.below(32) as usize;
            call.siblings[level].0[0] ^= 1;
        }
        let record = call.record.clone();
        let places: Vec<usize> = (0..ASSETS)
            .filter(|place| places >> place & 1 != 0)
            .collect();
        let in_record: Vec<usize> = (0..ASSETS)
            .filter(|asset| snapshot.accounts[&account].funds[*asset] != Funds::default())
            .collect();
        let is_open = match self.frozen {
            Some(frozen) => frozen == index,
            None => checkpoint.time + WINDOW < self.world.chain.now(),
        };
        let due: Option<Vec<_>> = places
            .iter()
            .map(|place| self.due(&snapshot, account, *in_record.get(*place)?))
            .collect();
        let expected = match &due {
            _ if !is_open => Err(Bridge::NotFinal::SELECTOR),
            _ if is_tampered => Err(Bridge::WrongProof::SELECTOR),
            Some(due) if !due.is_empty() => Ok(()),
            _ => Err(Bridge::NothingDue::SELECTOR),
        };
        let caller = self.owner();
        let result = self.world.act(caller, &call).map(|_| ());
        if self.answer(result, expected) {
            for (asset, total) in due.expect("it was paid") {
                self.count_paid(record.owner, account, asset, total);
            }
            self.paid_claims += 1;
        }
    }

    /// What an account would have been paid in all, if that is more than now.
    fn due(&self, snapshot: &Ledger, account: u32, asset: usize) -> Option<(usize, u128)> {
        let funds = snapshot.accounts.get(&account)?.funds[asset];
        let total = funds.total(self.frozen.is_some());
        let before = self
            .paid
            .get(&(account, asset))
            .copied()
            .unwrap_or_default();
        (total > before).then_some((asset, total))
    }

    fn count_paid(&mut self, owner: Address, account: u32, asset: usize, total: u128) {
        let before = self
            .paid
            .insert((account, asset), total)
            .unwrap_or_default();
        let sale = self.sales.get(&(owner, account, asset)).copied();
        let (buyer, up_to) = sale.unwrap_or_default();
        let sold = total.min(up_to).saturating_sub(before);
        if sold != 0 {
            *self.received.entry((buyer, asset)).or_default() += sold;
        }
        *self.received.entry((owner, asset)).or_default() += total - before - sold;
    }

    fn sell(&mut self) {
        let Some(account) = self.account() else {
            return;
        };
        let (seller, buyer, asset) = (self.owner(), self.owner(), self.asset());
        let up_to = u128::from(self.next()) >> self.below(64);
        let before = self
            .paid
            .get(&(account, asset))
            .copied()
            .unwrap_or_default();
        let sale = self.sales.get(&(seller, account, asset));
        let expected = if sale.is_some_and(|(_, sold)| *sold > before) {
            Err(Bridge::AlreadySold::SELECTOR)
        } else if up_to <= before {
            Err(Bridge::NothingDue::SELECTOR)
        } else {
            Ok(())
        };
        let call = Bridge::sellCall {
            account,
            asset: asset as u16,
            upTo: up_to,
            to: buyer,
        };
        let result = self.world.act(seller, &call).map(|_| ());
        if self.answer(result, expected) {
            self.sales.insert((seller, account, asset), (buyer, up_to));
        }
    }

    fn reclaim(&mut self) {
        let index = self.below(self.entries.len() as u64 + 1) as usize;
        let Some(entry) = self.entries.get(index).cloned() else {
            return;
        };
        let is_consumed = index < self.ledger.consumed;
        let expected = if self.frozen.is_none() {
            Err(Bridge::NotFrozen::SELECTOR)
        } else if entry.is_reclaimed {
            Err(Bridge::AlreadyReclaimed::SELECTOR)
        } else if is_consumed || entry.kind != 1 {
            Err(Bridge::WrongEntry::SELECTOR)
        } else {
            Ok(())
        };
        let call = Bridge::reclaimCall {
            index: index as u64,
            owner: entry.owner,
            asset: entry.asset as u16,
            amount: entry.amount,
        };
        let caller = self.owner();
        let result = self.world.act(caller, &call).map(|_| ());
        if self.answer(result, expected) {
            self.entries[index].is_reclaimed = true;
            *self.received.entry((entry.owner, entry.asset)).or_default() += entry.amount;
        }
    }

    fn freeze(&mut self) {
        let now = self.world.chain.now();
        let consumed = self
            .published
            .last()
            .expect("the genesis is there")
            .consumed;
        let head = self.entries.get(consumed);
        let is_late = head.is_some_and(|entry| entry.time + PERIOD < now);
        let expected = if self.frozen.is_some() {
            Err(Bridge::IsFrozen::SELECTOR)
        } else if is_late || self.last_time + FREEZE_AFTER < now {
            Ok(())
        } else {
            Err(Bridge::NotOverdue::SELECTOR)
        };
        let result = self.world.freeze();
        if self.answer(result, expected) {
            let is_final = |it: &Checkpoint| it.time + WINDOW < now;
            let last = self.world.checkpoints.iter().rposition(is_final);
            let last = last.expect("the genesis is final");
            // From here on the ledger is what that checkpoint says.
            self.ledger = self.published[last].clone();
            self.frozen = Some(last);
        }
    }

    /// The judge finds fault with the last checkpoint.
    fn remove(&mut self) {
        if self.judge.is_zero() {
            return;
        }
        let index = self.published.len() - 1;
        let wrong = self.world.checkpoints[index].clone();
        let before = match index {
            0 => checkpoint(),
            _ => self.world.checkpoints[index - 1].clone(),
        };
        let expected = if self.frozen.is_some() {
            Err(Bridge::IsFrozen::SELECTOR)
        } else if index == 0 {
            Err(Bridge::BadCheckpoint::SELECTOR)
        } else if wrong.time + WINDOW < self.world.chain.now() {
            Err(Bridge::IsFinal::SELECTOR)
        } else {
            Ok(())
        };
        let call = YesJudge::removeCall {
            bridge: self.world.bridge,
            wrong: judged(&wrong),
            before: judged(&before),
            challenger: Address::repeat_byte(0xcc),
        };
        let judge = self.judge;
        let result = self.world.chain.send(OPERATOR, judge, U256::ZERO, &call);
        if self.answer(result.map(|_| ()), expected) {
            self.world.checkpoints.pop();
            self.published.pop();
            if before.index != 0 {
                self.last_time = before.time;
            }
            // The operator buys himself in again.
            self.world.bond(OPERATOR);
        }
    }

    fn pass(&mut self) {
        let seconds = match self.below(30) {
            0 => FREEZE_AFTER,
            1 => PERIOD,
            2..=14 => WINDOW,
            _ => 1,
        };
        let more = self.below(3);
        self.world.chain.pass(seconds - 1 + more);
    }

    /// The end of every walk: the operator is gone, all accounts leave, and nothing stays behind.
    fn leave(&mut self) {
        if self.frozen.is_none() {
            self.world.chain.pass(FREEZE_AFTER + WINDOW);
            self.freeze();
        }
        let index = self.frozen.expect("a silence always freezes");
        let snapshot = self.published[index].clone();
        let checkpoint = self.world.checkpoints[index].clone();
        let tree = snapshot.tree();
        for (id, account) in &snapshot.accounts {
            let some = account.funds.iter().enumerate();
            let some = some.filter(|(_, funds)| **funds != Funds::default());
            for (place, (asset, _)) in some.enumerate() {
                if let Some((_, total)) = self.due(&snapshot, *id, asset) {
                    self.world
                        .claim(&checkpoint, &tree, *id, 1 << place)
                        .unwrap();
                    self.count_paid(account.owner, *id, asset, total);
                }
            }
        }
        for index in self.ledger.consumed..self.entries.len() {
            let entry = self.entries[index].clone();
            if entry.kind == 1 && !entry.is_reclaimed {
                let call = Bridge::reclaimCall {
                    index: index as u64,
                    owner: entry.owner,
                    asset: entry.asset as u16,
                    amount: entry.amount,
                };
                self.world.act(OPERATOR, &call).unwrap();
                self.entries[index].is_reclaimed = true;
                *self.received.entry((entry.owner, entry.asset)).or_default() += entry.amount;
            }
        }
        self.assert_conserved();
        for asset in 0..ASSETS {
            assert_eq!(self.held(asset), U256::ZERO, "something stays behind");
        }
    }

    fn assert_conserved(&mut self) {
        for asset in 0..ASSETS {
            let accounts = self.ledger.accounts.iter();
            let owed: u128 = accounts.map(|(_, it)| it.funds[asset].total(true)).sum();
            let paid: u128 = (self.paid.iter())
                .filter(|((_, it), _)| *it == asset)
                .map(|(_, amount)| amount)
                .sum();
            let waiting: u128 = (self.entries.iter().skip(self.ledger.consumed))
                .filter(|it| it.kind == 1 && it.asset == asset && !it.is_reclaimed)
                .map(|it| it.amount)
                .sum();
            let expected = U256::from(owed - paid + waiting) * scale(asset);
            assert_eq!(self.held(asset), expected, "asset {asset} at the bridge");
            for (who, it) in self.received.clone().into_keys() {
                if it == asset {
                    let received = self.received[&(who, asset)];
                    let has = self.balance(who, asset);
                    assert_eq!(has, U256::from(received) * scale(asset), "of {who}");
                }
            }
        }
        let bonds = self.world.ask(&Bridge::bondsTotalCall {});
        assert_eq!(bonds, U256::from(BOND));
    }

    /// What lies at the bridge for the ledger.
    fn held(&mut self, asset: usize) -> U256 {
        let bridge = self.world.bridge;
        match asset {
            0 => self.world.chain.balance(bridge) - U256::from(BOND),
            _ => self.world.tokens(bridge),
        }
    }

    fn balance(&mut self, who: Address, asset: usize) -> U256 {
        match asset {
            0 => self.world.chain.balance(who),
            _ => self.world.tokens(who),
        }
    }

    /// What was made for a call that was refused goes away again.
    fn spend(&mut self, who: Address, asset: usize, units: U256) {
        if asset == 0 {
            self.world.chain.take(who, units);
        } else {
            let token = self.world.token;
            let to = Address::repeat_byte(0x51);
            let call = PlainToken::transferCall { to, value: units };
            self.world
                .chain
                .send(who, token, U256::ZERO, &call)
                .unwrap();
        }
    }

    /// Whether it was accepted; it must be as expected.
    fn answer(&mut self, result: Result<(), Revert>, expected: Result<(), [u8; 4]>) -> bool {
        assert_eq!(result, expected.map_err(Revert));
        self.refused += u64::from(expected.is_err());
        expected.is_ok()
    }

    fn unless_frozen(&self) -> Result<(), [u8; 4]> {
        match self.frozen {
            Some(_) => Err(Bridge::IsFrozen::SELECTOR),
            None => Ok(()),
        }
    }

    fn enter(&mut self, kind: u8, owner: Address, account: u32, asset: usize, amount: u128) {
        let time = self.world.chain.now();
        self.entries.push(Entry {
            kind,
            owner,
            account,
            asset,
            amount,
            time,
            is_reclaimed: false,
        });
    }

    fn owner(&mut self) -> Address {
        let number = 0xacc0_u64 + self.below(OWNERS);
        Address::left_padding_from(&number.to_be_bytes())
    }

    fn asset(&mut self) -> usize {
        self.below(ASSETS as u64) as usize
    }

    /// Some account that the ledger has; a frozen one moves nothing.
    fn account(&mut self) -> Option<u32> {
        let ids: Vec<u32> = self.ledger.accounts.keys().copied().collect();
        self.pick(&ids).filter(|_| self.frozen.is_none())
    }

    fn pick(&mut self, from: &[u32]) -> Option<u32> {
        let index = self.below(from.len().max(1) as u64) as usize;
        from.get(index).copied()
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

fn scale(asset: usize) -> U256 {
    U256::from([SCALE, TOKEN_SCALE][asset])
}
