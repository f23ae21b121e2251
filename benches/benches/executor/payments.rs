//! The workload of the Block-STM paper: payments between two distinct random accounts.
//!
//! A transaction reads the records of sender and receiver, does its work, and writes both: two reads
//! and two writes, which is what the paper's payments conflict by (its Aptos payment reads 8 and
//! writes 5; the others are static, or of the sender alone). A record is a balance, a sequence number
//! and a digest of everything that has happened to it, in order, so that a state in the wrong order is
//! a wrong state.

use benches::matching::Random;
use engine::parallel::simulation::Costs;
use engine::parallel::workers::Workers;
use engine::parallel::{Access, Counts, Estimate, Executor, Order, Storage, Transaction, Unheard};

use crate::clock::{Clock, Inside};
use crate::timing::{Spent, Subject, thread_cpu};
use crate::work::work;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    balance: u64,
    sequence: u64,
    digest: u64,
}

const GENESIS: Account = Account {
    balance: 1_000,
    sequence: 0,
    digest: 0,
};

#[derive(Clone, Copy, Debug)]
struct Payment {
    from: u32,
    to: u32,
    amount: u64,
    /// Steps of work.
    steps: u32,
}

impl Payment {
    /// What it makes of sender and receiver.
    fn apply(&self, [mut from, mut to]: [Account; 2]) -> [Account; 2] {
        let digest = work(
            from.digest ^ to.digest.rotate_left(1) ^ self.amount,
            self.steps,
        );
        from.sequence += 1;
        if self.amount <= from.balance {
            from.balance -= self.amount;
            to.balance += self.amount;
        }
        from.digest = digest;
        to.digest = !digest;
        [from, to]
    }
}

#[derive(Debug)]
struct Accounts(Vec<Account>);

impl Storage for Accounts {
    type Value = Account;

    fn value(&self, location: u32) -> Account {
        self.0[location as usize]
    }

    fn amount(&self, _: u32) -> i128 {
        unreachable!("there are no amounts")
    }
}

impl Transaction for Payment {
    type Storage = Accounts;
    type Output = ();

    fn execute(&self, access: &mut Access<'_, Accounts>) -> Result<(), Estimate> {
        let before = [access.read(self.from)?, access.read(self.to)?];
        let [from, to] = self.apply(before);
        access.write(self.from, from);
        access.write(self.to, to);
        Ok(())
    }
}

/// A block of payments.
pub struct Payments {
    block: Vec<Payment>,
    expected: Vec<Account>,
    accounts: Accounts,
    executor: Executor<Account>,
}

impl Payments {
    pub fn new(block: usize, accounts: u32, steps: u32) -> Self {
        let mut random = Random::new(u64::from(accounts));
        let block: Vec<_> = (0..block)
            .map(|_| {
                let from = random.below(accounts);
                let other = random.below(accounts - 1);
                Payment {
                    from,
                    to: if other < from { other } else { other + 1 },
                    amount: u64::from(random.below(100)),
                    steps,
                }
            })
            .collect();
        let accounts = accounts as usize;
        let mut expected = vec![GENESIS; accounts];
        execute(&block, &mut expected);
        Self {
            block,
            expected,
            accounts: Accounts(vec![GENESIS; accounts]),
            executor: Executor::new(accounts, 0),
        }
    }

    /// The state is what it must be; back to the beginning.
    fn check(&mut self) {
        assert!(
            self.accounts.0 == self.expected,
            "not as one after the other"
        );
        self.accounts.0.fill(GENESIS);
    }
}

fn execute(block: &[Payment], accounts: &mut [Account]) {
    for payment in block {
        let places = [payment.from as usize, payment.to as usize];
        let after = payment.apply(places.map(|place| accounts[place]));
        for (place, after) in places.into_iter().zip(after) {
            accounts[place] = after;
        }
    }
}

impl Subject for Payments {
    fn transactions(&self) -> usize {
        self.block.len()
    }

    fn critical_path(&self) -> (f64, f64) {
        let mut depths = vec![0; self.expected.len()];
        let mut longest = 0;
        for payment in &self.block {
            let places = [payment.from as usize, payment.to as usize];
            let depth = 1 + places
                .map(|place| depths[place])
                .into_iter()
                .fold(0, u32::max);
            for place in places {
                depths[place] = depth;
            }
            longest = longest.max(depth);
        }
        (self.block.len() as f64, f64::from(longest))
    }

    fn sequential(&mut self) -> Spent {
        let ((), spent) = Spent::on(|| execute(&self.block, &mut self.accounts.0));
        self.check();
        spent
    }

    fn parallel(&mut self, workers: &dyn Workers) -> (Spent, Counts) {
        let (counts, spent) = Spent::on(|| {
            let order = Order::plain(self.block.len() as u32);
            let block = (self.block.as_slice(), &order);
            let place = (workers, None);
            let counts = self.executor.run(block, &self.accounts, Unheard, place);
            drain(&mut self.executor, &mut self.accounts);
            counts
        });
        self.check();
        (spent, counts)
    }

    fn simulated(&mut self, workers: usize, clock: &mut Clock) -> (Spent, Counts) {
        let began = thread_cpu();
        let order = Order::plain(self.block.len() as u32);
        let block = (self.block.as_slice(), &order);
        let mut inside = Inside::new(clock);
        let place = (workers, &mut inside as &mut dyn Costs, None);
        let (counts, simulated) = self
            .executor
            .simulate(block, &self.accounts, Unheard, place);
        let before = inside.began() - began;
        let done = thread_cpu();
        drain(&mut self.executor, &mut self.accounts);
        let around = before + (thread_cpu() - done);
        self.check();
        (Spent::simulated(simulated, around), counts)
    }
}

fn drain(executor: &mut Executor<Account>, accounts: &mut Accounts) {
    executor.drain(
        |_, _, _| {},
        |location, account| accounts.0[location as usize] = account,
    );
}
