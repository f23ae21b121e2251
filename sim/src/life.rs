//! A life: parts turn in a drawn order while clients send and time goes, until power fails, the node
//! ends by itself, or it is told to stop.

use node::grace::Grace;
use node::recovery::Recovered;
use store::disk::{Fault, Refusal};
use types::auth::AuthenticFrame;
use types::block::{Origin, SequencedFrame};
use types::outcome::{Digest, FrameVerdict};
use types::{Height, KeyId, SessionId};

use crate::clients::chance;
use crate::commands::Sight;
use crate::node::Node;
use crate::plan::Harm;
use crate::reopening::{Reopening, draw_grace};
use crate::run::{Oracle, Violation, World};
use crate::trace::folders;
use crate::truth::{Answer, Written};

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Power failed.
    Power,
    /// The process ended, by itself or not; the machine went on.
    Killed,
    /// It was told to stop, and did.
    Stopped,
}

/// What was seen from outside and is not in the truth yet.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Up to where outcomes have left the node.
    pub(crate) released: Height,
    /// Blocks that left the node.
    pub(crate) blocks: Vec<Written>,
    /// Their outcome hashes.
    pub(crate) outcomes: Vec<(Height, Digest)>,
    /// Answers that left the node, each with its block and the sequence number of its frame.
    pub(crate) answers: Vec<(Height, u64, Answer)>,
    /// Digests of states that were executed, all of released blocks.
    pub(crate) digests: Vec<(&'static str, Height, Digest)>,
    /// What the last start came to.
    pub(crate) started_at: u64,
    /// What it owes its clients.
    pub(crate) reopening: Reopening,
    pub(crate) refused_orders: u64,
    pub(crate) is_full: bool,
}

impl World {
    /// One life. What left the node is in the watch then.
    pub(crate) fn live(&mut self, recovered: Recovered) -> Result<End, Violation> {
        self.watch.started_at = recovered.state.position().sequence.get();
        self.watch.released = recovered.state.position().height;
        self.set_machine_clock();
        let folders = folders(&self.disk, &self.trace);
        let grace_ns = draw_grace(&mut self.graces, self.plan.grace_ns);
        let grace = Grace::after(&recovered.state, grace_ns);
        self.watch.reopening = Reopening::of(grace);
        let recovered = (recovered, grace);
        let mut node = Node::start(recovered, &folders, &self.plan, self.identity, &self.now);
        self.clients.disconnect();
        let crash_at = self.draw_crash();
        self.inject_harm();
        let mut end = None;
        for _ in 0..self.plan.turns {
            end = self.turn(&mut node)?;
            if crash_at.is_some_and(|at| at <= self.disk.operations()) {
                end = Some(End::Power);
            }
            if end.is_some() {
                break;
            }
            self.fill_or_clear_disk();
        }
        let end = match end {
            Some(end) => end,
            None => self.end_in_peace(&mut node)?,
        };
        // What is in the ring has left the gate: it must last.
        self.take_released(&mut node)?;
        if self.watch.reopening.is_closed() {
            self.trace.reach("a life ended while cancel-only");
        }
        if end != End::Power {
            self.look_at(&node)?;
        }
        Ok(end)
    }

    fn draw_crash(&mut self) -> Option<u64> {
        let at = self.disk.operations() + 1 + self.random.below(self.plan.operations);
        let fails = chance(&mut self.random, 80);
        fails.then(|| self.disk.inject(Fault::PowerLoss { at }));
        let at = fails.then_some(at);
        self.trace.expect_crash(at);
        at
    }

    fn inject_harm(&mut self) {
        self.disk.set_awkward(self.plan.awkward);
        let faults = match self.plan.harm {
            Harm::Failures => 1 + self.random.below(3),
            Harm::Lost | Harm::Misdirected if self.lives > 1 => 1,
            _ => 0,
        };
        for _ in 0..faults {
            let at = self.disk.operations() + 1 + self.random.below(self.plan.operations);
            let fault = match self.plan.harm {
                Harm::Lost => Fault::LostWrite { at },
                Harm::Misdirected => {
                    let pages = 1 + self.random.below(3);
                    Fault::MisdirectedWrite { at, pages }
                }
                _ if self.random.below(4) == 0 => Fault::FailRead {
                    at: self.disk.reads() + 1 + self.random.below(8),
                },
                _ => Fault::Fail {
                    at,
                    refusal: self.random.choose(&[Refusal::Io, Refusal::Full]),
                },
            };
            self.disk.inject(fault);
        }
    }

    /// One part does what it has to do. An end, if that was the end.
    fn turn(&mut self, node: &mut Node) -> Result<Option<End>, Violation> {
        match self.random.below(12) {
            0 | 1 => self.let_clients_send(node),
            2 | 3 => self.deliver(node),
            4 | 5 => drop(node.pipeline.turn()),
            6 | 7 => return self.turn_journal(node),
            8 => {
                node.feeds.turn();
                let turned = node.shadow.turn();
                turned.map_err(|diverged| Violation::new(Oracle::Replay, diverged.to_string()))?;
            }
            9 => self.write_checkpoint(node),
            10 => self.take_released(node)?,
            _ => self.let_time_go(),
        }
        Ok(None)
    }

    fn let_clients_send(&mut self, node: &mut Node) {
        let state = node.pipeline.state();
        let sight = Sight {
            now: self.clock(),
            sequence: state.position().sequence.next().get(),
            keys: state.ledger().key_count(),
        };
        if chance(&mut self.random, self.plan.silent) {
            let key = KeyId::new(self.random.below(sight.keys.into()) as u32);
            self.trace.note("silent", "", &key.get().to_le_bytes());
            // Without room nobody is told: the gateway would look again later.
            let _ = node.silences.push(key);
        }
        self.clients
            .send(&mut self.random, &self.plan, state.ledger(), sight);
    }

    fn deliver(&mut self, node: &mut Node) {
        if let Some(frame) = self.clients.arrive() {
            self.trace.note("frame", "", frame.frame().bytes());
            self.push(node, frame);
        }
    }

    fn push(&self, node: &mut Node, frame: AuthenticFrame) {
        let origin = Some(Origin {
            session: SessionId::new(self.lives),
            received_at: self.clock(),
            arrival: 0,
        });
        if node.frames.push(SequencedFrame { frame, origin }).is_err() {
            self.trace.reach("a full ring refused a frame");
        }
    }

    fn turn_journal(&mut self, node: &mut Node) -> Result<Option<End>, Violation> {
        let Err(error) = node.journal.turn() else {
            return Ok(None);
        };
        self.trace.note("journal failed", &error.to_string(), &[]);
        let faults = self.disk.triggered();
        let is_expected = match self.plan.harm {
            Harm::None | Harm::Rot => false,
            Harm::Full => true,
            _ => !faults.is_empty(),
        };
        let has_power = !faults
            .iter()
            .any(|fault| matches!(fault, Fault::PowerLoss { .. }));
        Violation::unless(is_expected || !has_power, Oracle::Progress, || {
            format!("the journal failed without a fault: {error}")
        })?;
        if has_power {
            self.trace.reach("a failed write or sync stopped the node");
        }
        Ok(Some(End::Killed))
    }

    fn write_checkpoint(&self, node: &mut Node) {
        match node.write_checkpoint() {
            Some(Ok(meta)) => {
                self.trace
                    .note("checkpoint", "", meta.state_root.as_bytes());
            }
            Some(Err(error)) => {
                self.trace.note("no checkpoint", &error.to_string(), &[]);
                self.trace.reach("a failed checkpoint stopped nothing");
            }
            None => {}
        }
    }

    /// A node's clock never runs backwards while it lives (`node::threads::Clock`).
    fn let_time_go(&mut self) {
        let step = match chance(&mut self.random, self.plan.jumps) {
            true => DAY_NS,
            false => self.random.below(self.plan.pace_ns + 1),
        };
        let next = self.clock() + step;
        self.trace.note("time", "", &next.to_le_bytes());
        self.set_clock(next);
    }

    /// Between two lives the machine's clock can be set to anything.
    fn set_machine_clock(&mut self) {
        let now = self.clock();
        if chance(&mut self.random, 2 * self.plan.jumps) {
            self.trace.reach("the clock jumped a day");
            let ahead = self.random.coin();
            self.set_clock(if ahead { now + DAY_NS } else { now - DAY_NS });
        } else if chance(&mut self.random, 2 * self.plan.backwards) {
            self.trace.reach("the clock ran backwards");
            let back = self.random.below(5_000_000);
            self.set_clock(now - back);
        }
    }

    /// Space comes and goes.
    fn fill_or_clear_disk(&mut self) {
        if self.plan.harm != Harm::Full || !chance(&mut self.random, 3) {
            return;
        }
        let capacity = match self.watch.is_full {
            true => None,
            false => Some(self.disk.used() + 4_096 * self.random.below(4)),
        };
        self.disk.set_capacity(capacity);
        // Orders may be refused until the next try, so the watch stays lenient for this life.
        self.watch.is_full |= capacity.is_some();
    }

    /// A stop, a kill, or power that fails while nothing happens.
    fn end_in_peace(&mut self, node: &mut Node) -> Result<End, Violation> {
        self.disk.heal();
        self.disk.set_capacity(None);
        if self.watch.is_full {
            self.go_on_with_space(node)?;
        }
        self.watch.is_full = false;
        self.watch.refused_orders = 0;
        match self.random.below(3) {
            0 => Ok(End::Power),
            1 => Ok(End::Killed),
            _ => self.stop(node),
        }
    }

    /// There is space again: an order must be taken before long.
    fn go_on_with_space(&mut self, node: &mut Node) -> Result<(), Violation> {
        let before = self.watch.answers.len();
        for _ in 0..20 {
            self.set_clock(self.clock() + 1_000_000_000);
            let ledger = node.pipeline.state().ledger();
            let frame = self.clients.probe(&mut self.random, ledger);
            let nonce = frame.frame().header().nonce;
            self.push(node, frame);
            for _ in 0..6 {
                if self.round(node)? {
                    return Ok(());
                }
            }
            let taken = self.watch.answers[before..].iter().any(|(_, _, answer)| {
                answer.nonce == nonce && answer.verdict == FrameVerdict::Executed
            });
            if taken {
                self.trace.reach("a disk that was full took orders again");
                return Ok(());
            }
        }
        let what = "there is space, and no order is taken";
        Err(Violation::new(Oracle::Progress, what))
    }

    /// Everybody turns once. Whether the node has ended.
    fn round(&mut self, node: &mut Node) -> Result<bool, Violation> {
        node.pipeline.turn();
        if self.turn_journal(node)?.is_some() {
            return Ok(true);
        }
        node.pipeline.turn();
        self.take_released(node)?;
        node.feeds.turn();
        let turned = node.shadow.turn();
        turned.map_err(|diverged| Violation::new(Oracle::Replay, diverged.to_string()))?;
        self.write_checkpoint(node);
        Ok(false)
    }

    fn stop(&mut self, node: &mut Node) -> Result<End, Violation> {
        for _ in 0..ROUNDS_MAX {
            if self.round(node)? {
                return Ok(End::Killed);
            }
            if node.pipeline.is_idle() && node.released.is_empty() && node.shadow.finish() {
                self.write_checkpoint(node);
                self.take_released(node)?;
                let heights = [node.shadow.state(), node.pipeline.state()]
                    .map(|state| state.position().height);
                if heights == [self.watch.released; 2] {
                    self.trace.reach("a clean stop");
                    return Ok(End::Stopped);
                }
            }
        }
        let what = "the node does not stop";
        Err(Violation::new(Oracle::Progress, what))
    }

    /// Takes down what both states are like, where that can be compared later.
    fn look_at(&mut self, node: &Node) -> Result<(), Violation> {
        for (name, state) in [
            ("the pipeline's state", node.pipeline.state()),
            ("the shadow's state", node.shadow.state()),
        ] {
            state.assert_invariants();
            let height = state.position().height;
            if height <= self.watch.released {
                self.watch.digests.push((name, height, state.digest()));
            }
        }
        Ok(())
    }
}

const DAY_NS: u64 = 86_400_000_000_000;

/// A stop takes fewer.
const ROUNDS_MAX: usize = 2_000;
