//! Which commands of two sessions may overtake each other without changing any trade.
//!
//! A bid-side command is a bid that enters, or the cancel of one; so for asks. A bid-side command
//! at price b touches only asks at b or below and bids at b; an ask-side command at price a
//! touches only bids at a or above and asks at a. So if b < a, neither sees what the other does,
//! and the book and all trades are the same in either order. Commands of one side never overtake
//! each other: they travel in one session.

use types::Side;

use super::recording::Dollars;

/// Whether the order of a command and of unanswered commands of the other side matters.
/// `other_reach` is how far those reach; `None`: there are none.
pub(super) fn must_wait(side: Side, price: Dollars, other_reach: Option<Dollars>) -> bool {
    other_reach.is_some_and(|reach| match side {
        Side::Bid => price >= reach,
        Side::Ask => price <= reach,
    })
}

/// How far commands at `a` and at `b` of one side reach together: the highest bid, the lowest ask.
pub(super) fn reach(side: Side, a: Dollars, b: Dollars) -> Dollars {
    match side {
        Side::Bid => a.max(b),
        Side::Ask => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use types::{BaseLots, ClientOrderId};

    use super::*;
    use crate::replay::recording::{RecordedAction, RecordedCommand};
    use crate::workload::Random;

    #[test]
    fn only_crossing_prices_wait() {
        for (side, price, other, expected) in [
            (Side::Bid, 100, None, false),
            (Side::Bid, 100, Some(101), false),
            (Side::Bid, 100, Some(100), true),
            (Side::Bid, 100, Some(99), true),
            (Side::Ask, 100, Some(99), false),
            (Side::Ask, 100, Some(100), true),
            (Side::Ask, 100, Some(101), true),
        ] {
            let waits = must_wait(side, Dollars::new(price), other.map(Dollars::new));
            assert_eq!(waits, expected, "{side:?} {price} {other:?}");
        }
        let (low, high) = (Dollars::new(1), Dollars::new(2));
        assert_eq!(reach(Side::Bid, low, high), high);
        assert_eq!(reach(Side::Ask, low, high), low);
    }

    /// Price-time priority in the plainest way.
    #[derive(Default)]
    struct NaiveBook {
        resting: Vec<(RecordedCommand, u64)>,
    }

    /// Taker, maker and lots.
    type Trade = (ClientOrderId, ClientOrderId, u64);

    impl NaiveBook {
        fn apply(&mut self, command: &RecordedCommand, trades: &mut Vec<Trade>) {
            let id = command.client_order_id;
            let RecordedAction::Place(quantity) = command.action else {
                self.resting
                    .retain(|(order, _)| order.client_order_id != id);
                return;
            };
            let mut left = quantity.get();
            while left > 0 {
                let opposite = self.resting.iter_mut().filter(|(order, _)| {
                    order.side != command.side
                        && must_wait(command.side, command.price, Some(order.price))
                });
                let best = match command.side {
                    Side::Bid => opposite.min_by_key(|(order, _)| order.price),
                    // The first of the highest: `rev` would take the last.
                    Side::Ask => opposite.min_by_key(|(order, _)| std::cmp::Reverse(order.price)),
                };
                let Some((maker, lots)) = best else { break };
                let traded = left.min(*lots);
                trades.push((id, maker.client_order_id, traded));
                left -= traded;
                *lots -= traded;
                self.resting.retain(|(_, lots)| *lots > 0);
            }
            if left > 0 {
                self.resting.push((*command, left));
            }
        }
    }

    fn random_commands(random: &mut Random) -> Vec<RecordedCommand> {
        let mut placed = Vec::new();
        let mut next = |id| {
            if !placed.is_empty() && random.below(3) == 0 {
                let cancelled: &RecordedCommand =
                    &placed[random.below(placed.len() as u64) as usize];
                return RecordedCommand {
                    action: RecordedAction::Cancel,
                    ..*cancelled
                };
            }
            let command = RecordedCommand {
                side: Side::BOTH[random.below(2) as usize],
                price: Dollars::new(95 + random.below(10)),
                client_order_id: ClientOrderId::new(id),
                action: RecordedAction::Place(BaseLots::new(1 + random.below(9))),
            };
            placed.push(command);
            command
        };
        (1..200).map(&mut next).collect()
    }

    /// Two sessions, each in order, but one may run ahead of the other as far as the rule allows.
    #[test]
    fn no_trade_depends_on_who_is_faster() {
        for seed in 0..200 {
            let mut random = Random::new(seed, 0);
            let commands = random_commands(&mut random);
            let mut expected = Vec::new();
            let mut book = NaiveBook::default();
            for command in &commands {
                book.apply(command, &mut expected);
            }

            let mut trades = Vec::new();
            let mut book = NaiveBook::default();
            let mut sent: [VecDeque<RecordedCommand>; 2] = Default::default();
            for command in commands {
                // Any of what was sent may have arrived meanwhile.
                while random.below(3) > 0 {
                    let arrived = sent[random.below(2) as usize].pop_front();
                    if let Some(arrived) = arrived {
                        book.apply(&arrived, &mut trades);
                    }
                }
                let other = command.side.opposite();
                let others = &mut sent[other as usize];
                let prices = others.iter().map(|sent| sent.price);
                let far = prices.reduce(|a, b| reach(other, a, b));
                if must_wait(command.side, command.price, far) {
                    for arrived in others.drain(..) {
                        book.apply(&arrived, &mut trades);
                    }
                }
                sent[command.side as usize].push_back(command);
            }
            for arrived in sent.iter_mut().flat_map(|sent| sent.drain(..)) {
                book.apply(&arrived, &mut trades);
            }
            expected.sort_unstable();
            trades.sort_unstable();
            assert_eq!(trades, expected, "seed {seed}");
        }
    }
}
