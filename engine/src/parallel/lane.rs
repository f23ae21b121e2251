//! Lanes: markets whose commands are executed in order by one worker at a time, and slices of them,
//! which are the transactions of order flow.
//!
//! A book is too large to have versions. It is changed in place by its lane, and what was changed is
//! remembered, so that a slice that is executed again finds it exactly as it was before.
//!
//! ```text
//!   commands   1 2 3 4 5 6 7 8 │ 9 ...        in the total order; the bar ends a window
//!   lane A     a   a a     a   │ a            slice (window 1, A) = commands 1 3 4 7
//!   lane B       b     b       │   ...        slice (window 1, B) = commands 2 5
//!   lane C               c   c │              slice (window 1, C) = commands 6 8
//! ```

use ledger::{KeyStatus, Ledger};
use types::genesis::{MarketSpec, OwnerAddress};
use types::outcome::BlockOutcome;
use types::phase::Phase;
use types::{AccountId, Command, GroupId, KeyId, MarketId, RejectReason};

use super::access::Access;
use super::funds::{Balances, SliceFunds};
use super::mv_memory::Estimate;
use super::run::Transaction;
use super::sync::Mutex;
use crate::market::{MarketState, UndoMark};
use crate::protection::Protections;
use crate::sessions::Sessions;
use crate::transition::{self, Context};
use crate::view::{MarketView, StateView};

/// A command with its place in the total order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned<'b> {
    pub(crate) context: Context,
    pub(crate) command: Command<'b>,
    /// The lane that executes it.
    pub(crate) lane: u32,
}

/// Where a market is to be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) lane: u32,
    /// Its place among the markets of its lane.
    pub(crate) market: u32,
    /// The place of its protections among those of its lane.
    pub(crate) protections: u32,
}

/// What all slices may know.
#[derive(Debug)]
pub(crate) struct Venue<'s> {
    pub(crate) groups: &'s [GroupId],
    pub(crate) operators: &'s [AccountId],
    /// Whose keys these are, and what they may do. Balances are not to be read here.
    pub(crate) ledger: &'s Ledger,
    pub(crate) sessions: &'s Sessions,
    pub(crate) phase: Phase,
    /// By market. Those of markets that no slice may touch have no meaning.
    pub(crate) seats: &'s [Seat],
}

/// A market, in its lane.
#[derive(Debug)]
pub(crate) struct LaneMarket<'s> {
    pub(crate) spec: &'s MarketSpec,
    pub(crate) state: &'s mut MarketState,
    /// The turn in which it was marked last; 0: never.
    marked: u64,
}

#[derive(Debug)]
struct LaneProtections<'s> {
    protections: &'s mut Protections,
    marked: u64,
}

/// Some markets, and how to go back.
#[derive(Debug, Default)]
pub(crate) struct Lane<'s> {
    number: u32,
    markets: Vec<LaneMarket<'s>>,
    protections: Vec<LaneProtections<'s>>,
    /// By slice that stands executed, in order, where everything was that it touched.
    marks: Vec<SliceMark>,
    /// Counts executions of slices.
    turn: u64,
}

#[derive(Debug)]
struct SliceMark {
    transaction: u32,
    markets: Vec<(usize, UndoMark)>,
    protections: Vec<(usize, usize)>,
}

impl<'s> Lane<'s> {
    /// A lane without markets.
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Adds a market; returns its place.
    pub(crate) fn add_market(&mut self, spec: &'s MarketSpec, state: &'s mut MarketState) -> u32 {
        self.markets.push(LaneMarket {
            spec,
            state,
            marked: 0,
        });
        self.markets.len() as u32 - 1
    }

    /// Adds the protections of a cluster; returns their place.
    pub(crate) fn add_protections(&mut self, protections: &'s mut Protections) -> u32 {
        self.protections.push(LaneProtections {
            protections,
            marked: 0,
        });
        self.protections.len() as u32 - 1
    }

    /// Everything is as it was before this slice, from which the lane goes on.
    fn begin(&mut self, transaction: u32) {
        while let Some(mark) = self.marks.pop_if(|mark| transaction <= mark.transaction) {
            for (place, mark) in &mark.markets {
                self.markets[*place].state.undo_to(mark);
            }
            for (place, mark) in &mark.protections {
                self.protections[*place].protections.undo_to(*mark);
            }
        }
        self.turn += 1;
        self.marks.push(SliceMark {
            transaction,
            markets: Vec::new(),
            protections: Vec::new(),
        });
    }

    /// Everything stays as it is.
    pub(crate) fn end(&mut self) {
        for market in self.markets.iter_mut().filter(|it| it.marked > 0) {
            market.state.end_undo();
        }
        for protections in self.protections.iter_mut().filter(|it| it.marked > 0) {
            protections.protections.end_undo();
        }
    }

    /// The slice at work is about to touch a market and the protections of its cluster.
    #[inline]
    fn touch(&mut self, seat: Seat) {
        assert_eq!(seat.lane, self.number, "a slice stays in its lane");
        if self.markets[seat.market as usize].marked != self.turn {
            self.mark_market(seat.market as usize);
            self.mark_protections(seat.protections as usize);
        }
    }

    fn mark_market(&mut self, place: usize) {
        let market = &mut self.markets[place];
        if market.marked == 0 {
            market.state.begin_undo();
        }
        market.marked = self.turn;
        let mark = self.marks.last_mut().expect("a slice is at work");
        mark.markets.push((place, market.state.undo_mark()));
    }

    /// Markets of one cluster share them, so they may be marked already.
    fn mark_protections(&mut self, place: usize) {
        let protections = &mut self.protections[place];
        if protections.marked != self.turn {
            if protections.marked == 0 {
                protections.protections.begin_undo();
            }
            protections.marked = self.turn;
            let mark = self.marks.last_mut().expect("a slice is at work");
            let at = protections.protections.undo_mark();
            mark.protections.push((place, at));
        }
    }
}

/// The state as one slice sees it: its lane's markets, and the accounts.
struct LaneView<'v, 's, F> {
    venue: &'v Venue<'s>,
    lane: &'v mut Lane<'s>,
    funds: F,
}

impl<F: crate::view::Funds> StateView for LaneView<'_, '_, F> {
    type Funds = F;

    fn funds(&mut self) -> &mut F {
        &mut self.funds
    }

    fn market(&mut self, market: MarketId) -> Option<MarketView<'_, F>> {
        let seat = *self.venue.seats.get(market.index())?;
        self.lane.touch(seat);
        let LaneMarket { spec, state, .. } = &mut self.lane.markets[seat.market as usize];
        let protections = &mut self.lane.protections[seat.protections as usize];
        Some(MarketView {
            spec,
            groups: self.venue.groups,
            phase: self.venue.phase,
            state,
            protections: protections.protections,
            funds: &mut self.funds,
        })
    }

    fn market_count(&self) -> u16 {
        u16::try_from(self.venue.seats.len()).expect("limited by the genesis")
    }

    fn is_operator(&self, account: AccountId) -> bool {
        self.venue.operators.binary_search(&account).is_ok()
    }

    fn protections(&mut self, market: MarketId) -> &mut Protections {
        let seat = self.venue.seats[market.index()];
        self.lane.touch(seat);
        self.lane.protections[seat.protections as usize].protections
    }

    fn protect(&mut self, account: AccountId, set: &types::command::SetProtection) {
        assert!(set.group == 0, "what joins markets is not for a lane");
        self.protections(set.market).set(account, set);
    }

    fn key_status(&self, key: KeyId) -> Option<&KeyStatus> {
        self.venue.ledger.key_status(key)
    }

    fn key_owner(&self, key: KeyId) -> Option<AccountId> {
        self.venue.ledger.key(key).map(|key| key.account)
    }

    fn sessions(&self) -> &Sessions {
        self.venue.sessions
    }

    fn phase(&self) -> Phase {
        self.venue.phase
    }

    fn watches(&self) -> bool {
        !self.venue.ledger.has_only_owners() || !self.venue.sessions.is_empty()
    }

    fn sessions_mut(&mut self) -> &mut Sessions {
        unreachable!("what changes sessions is a barrier");
    }

    fn set_phase(&mut self, _: Phase) {
        unreachable!("a phase is a barrier");
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        unreachable!("what changes keys is a barrier");
    }

    fn open_account(&mut self, _: OwnerAddress) -> Result<AccountId, RejectReason> {
        unreachable!("what opens accounts is a barrier");
    }

    fn open_sub_account(&mut self, _: AccountId) -> Result<AccountId, RejectReason> {
        unreachable!("what opens accounts is a barrier");
    }
}

/// What a slice yields.
#[derive(Debug, Default)]
pub(crate) struct Yield {
    /// Its receipts and events.
    pub(crate) outcome: BlockOutcome,
    /// By command, how many events there were with it.
    pub(crate) ends: Vec<u32>,
}

/// Commands of one lane within a window.
#[derive(Debug)]
pub(crate) struct Slice<'p, 's> {
    pub(crate) venue: &'p Venue<'s>,
    pub(crate) lane: &'p Mutex<Lane<'s>>,
    pub(crate) commands: &'p [Planned<'p>],
    /// Which of the commands.
    pub(crate) members: &'p [u32],
    /// Buffers to use again.
    pub(crate) buffers: &'p Mutex<Vec<Yield>>,
}

impl<'s> Transaction for Slice<'_, 's> {
    type Storage = Balances<'s>;
    type Output = Yield;

    fn execute(&self, access: &mut Access<'_, Balances<'s>>) -> Result<Yield, Estimate> {
        let mut yielded = self.buffers.lock().pop().unwrap_or_default();
        let Yield { outcome, ends } = &mut yielded;
        outcome.clear(types::Height::ZERO);
        ends.clear();
        let mut lane = self.lane.lock();
        lane.begin(access.version().transaction);
        let mut view = LaneView {
            venue: self.venue,
            lane: &mut lane,
            funds: SliceFunds::new(access),
        };
        for member in self.members {
            let Planned {
                context, command, ..
            } = &self.commands[*member as usize];
            view.funds.access.at(*member);
            transition::apply(&mut view, *context, command, outcome);
            ends.push(outcome.events.len() as u32);
        }
        view.funds.finish();
        Ok(yielded)
    }
}
