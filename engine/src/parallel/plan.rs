//! From a run of commands to lanes, windows and slices.

use std::ops::Range;

use types::MarketId;
use types::planted::{Bug, is_planted};

use super::lane::{Lane, Planned, Seat};
use super::scheduler::Order;
use crate::clusters::Clusters;
use crate::state::Market;

/// How commands are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many lanes there are at most.
    pub lanes_max: u32,
    /// How many commands a slice has, on the average over all lanes.
    pub commands_per_slice: u32,
}

impl Cut {
    /// What suits so many workers: enough lanes that nobody waits for the last one, and slices of
    /// twenty microseconds and more.
    pub fn of(workers: usize) -> Self {
        Self {
            lanes_max: match workers {
                1 => 1,
                _ => 4 * u32::try_from(workers).expect("workers are few"),
            },
            commands_per_slice: 128,
        }
    }
}

/// Who executes what, in which order. Keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By market.
    pub(crate) seats: Vec<Seat>,
    /// By lane, how many commands.
    pub(crate) loads: Vec<u32>,
    /// Commands by slice, slices by transaction.
    pub(crate) members: Vec<u32>,
    /// By transaction.
    pub(crate) slices: Vec<PlannedSlice>,
    pub(crate) order: Order,
    /// Commands by cluster. A lane has the markets of those that have any.
    counts: Vec<u32>,
    /// Scratch: clusters that have commands.
    busy: Vec<MarketId>,
    /// Scratch: by lane, its last transaction.
    last: Vec<Option<u32>>,
}

/// A slice, before it can be executed.
#[derive(Clone, Debug)]
pub(crate) struct PlannedSlice {
    pub(crate) lane: u32,
    pub(crate) members: Range<u32>,
}

impl Plan {
    /// Seats clusters in lanes, the largest first and each where there is least to do; says of every
    /// command which lane is its own.
    pub(crate) fn seat(&mut self, commands: &mut [Planned<'_>], clusters: &Clusters, cut: Cut) {
        let markets = clusters.market_count();
        self.counts.clear();
        self.counts.resize(markets, 0);
        self.busy.clear();
        for planned in commands.iter() {
            if let Some(market) = named(planned, markets) {
                let name = clusters.name_of(market);
                if self.counts[name.index()] == 0 {
                    self.busy.push(name);
                }
                self.counts[name.index()] += 1;
            }
        }
        let counts = &self.counts;
        self.busy
            .sort_unstable_by_key(|name| (std::cmp::Reverse(counts[name.index()]), *name));
        let lanes = self.busy.len().clamp(1, cut.lanes_max as usize);
        self.loads.clear();
        self.loads.resize(lanes, 0);
        self.seats.clear();
        self.seats.resize(markets, Seat::default());
        for name in &self.busy {
            let lanes = self.loads.iter().enumerate();
            let (lane, _) = lanes.min_by_key(|(_, load)| **load).expect("there is one");
            self.loads[lane] += self.counts[name.index()];
            self.seats[name.index()].lane = lane as u32;
        }
        for market in (0..markets as u16).map(MarketId::new) {
            let name = clusters.name_of(market);
            self.seats[market.index()].lane = self.seats[name.index()].lane;
        }
        for planned in commands {
            planned.lane = match named(planned, markets) {
                Some(market) => self.seats[market.index()].lane,
                // It touches nothing but funds: any lane will do.
                None => planned.context.account.get() % lanes as u32,
            };
        }
    }

    /// Cuts windows, and slices within them.
    pub(crate) fn cut(&mut self, commands: &[Planned<'_>], cut: Cut) {
        let lanes = self.loads.len();
        let size = lanes * cut.commands_per_slice as usize;
        self.members.clear();
        self.slices.clear();
        self.order.clear();
        self.last.clear();
        self.last.resize(lanes, None);
        for start in (0..commands.len()).step_by(size) {
            let end = commands.len().min(start + size);
            self.loads.fill(0);
            for planned in &commands[start..end] {
                self.loads[planned.lane as usize] += 1;
            }
            let mut next = self.members.len() as u32;
            for (lane, load) in self.loads.iter_mut().enumerate() {
                let members = next..next + *load;
                next = members.end;
                *load = members.start;
                if !members.is_empty() {
                    let last = &mut self.last[lane];
                    *last = Some(self.order.push(*last));
                    let lane = lane as u32;
                    self.slices.push(PlannedSlice { lane, members });
                }
            }
            self.order.end_window();
            self.members.resize(next as usize, 0);
            for (number, planned) in (start as u32..).zip(&commands[start..end]) {
                let at = &mut self.loads[planned.lane as usize];
                self.members[*at as usize] = number;
                *at += 1;
            }
            if is_planted(Bug::DependentsSwapped) {
                let slice = self.slices.last().expect("no window is empty");
                let members = slice.members.start as usize..slice.members.end as usize;
                self.members[members].reverse();
            }
        }
    }

    /// Lends every lane the markets that are seated in it, and the protections of their clusters.
    pub(crate) fn fill_lanes<'s>(
        &mut self,
        markets: &'s mut [Market],
        clusters: &'s mut Clusters,
    ) -> Vec<Lane<'s>> {
        let lanes = self.loads.len() as u32;
        let mut lanes: Vec<_> = (0..lanes).map(Lane::new).collect();
        let (names, protections) = clusters.split();
        for (market, (it, protections)) in markets.iter_mut().zip(protections).enumerate() {
            let name = names[market].index();
            if self.counts[name] == 0 {
                continue;
            }
            let lane = &mut lanes[self.seats[market].lane as usize];
            // A cluster is named after its first market, so that is seated first.
            self.seats[market].protections = if name == market {
                lane.add_protections(protections)
            } else {
                self.seats[name].protections
            };
            self.seats[market].market = lane.add_market(&it.spec, &mut it.state);
        }
        lanes
    }

    /// What one worker has to do at least, of all: the share of the busiest lane, in thousandths.
    pub(crate) fn critical_share(&self) -> u32 {
        let all: u64 = self.loads.iter().map(|load| u64::from(*load)).sum();
        let most = self.loads.iter().copied().max().map_or(0, u64::from);
        u32::try_from(most * 1_000 / all.max(1)).expect("at most a thousand")
    }
}

/// The market that a command names, if there is such a market.
fn named(planned: &Planned<'_>, markets: usize) -> Option<MarketId> {
    let market = planned.command.market();
    market.filter(|market| market.index() < markets)
}
