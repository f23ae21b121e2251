//! Released blocks to reports and acks; refusals and query replies to their sessions.
//!
//! All that one block owes to one session is appended to its buffer before its writer is woken, so
//! a block costs each session one write. Within a block, reports come before acks, so a client
//! knows its executions when it learns that its command is done.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rtrb::Consumer;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use types::block::{Origin, ReleasedBlock};
use types::outcome::{Event, FrameVerdict, KeyChanged, Receipt};
use types::wire::ack::{Ack, CommandOutcome, FillReport, Role, StageTimes};
use types::wire::ended::EndedReport;
use types::wire::session::Refused;
use types::{AccountId, RejectReason};
use zerocopy::IntoBytes;

use crate::counters::{GatewayCounters, Stage};
use crate::directory::KeyRecord;
use crate::feed_desk::Begun;
use crate::feed_ports::FeedDelivery;
use crate::feed_reader::write;
use crate::ports::{QueryReply, RejectedFrame, Wake};
use crate::reports::Reports;
use crate::serve::{Phase, Shared, unix_nanos};
use crate::session::{Ending, Session};
use crate::table::SessionTable;

/// Blocks that are dispatched before the runtime may read packets again.
const BLOCKS_PER_TURN: usize = 4;

/// Messages of feeds that are taken before the same.
const DELIVERIES_PER_TURN: usize = 64;

/// Turns what the rings bring into messages.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) rejected: Consumer<RejectedFrame>,
    pub(crate) wake_verifier: Wake,
    pub(crate) refused: Consumer<RejectedFrame>,
    pub(crate) released: Consumer<Arc<ReleasedBlock>>,
    pub(crate) wake_pipeline: Wake,
    pub(crate) query_replies: Consumer<QueryReply>,
    pub(crate) wake_queries: Wake,
    /// Blocks taken since the pipeline was last woken, and replies since the read models were.
    pub(crate) taken: (usize, usize),
    /// Feeds' messages taken since whoever makes them was last woken.
    pub(crate) delivered: usize,
    pub(crate) deliveries: Consumer<FeedDelivery>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) scratch: Scratch,
}

/// Buffers that are reused from block to block.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Accounts that this block has reports for.
    reported: Vec<AccountId>,
    /// Sessions whose writer is to be woken.
    grown: Vec<Rc<Session>>,
    outcomes: Vec<CommandOutcome>,
}

impl Dispatcher {
    /// Runs until the gateway is closed and everything that was in the rings has been dispatched.
    pub(crate) async fn run(mut self, shared: Rc<Shared>) {
        loop {
            let closed = shared.phase.get() == Phase::Closed;
            self.turn(&shared).await;
            self.deliver(&shared).await;
            if closed {
                return;
            }
            // Whoever pushed meanwhile has left a permit.
            self.wake.notified().await;
        }
    }

    /// Dispatches what is there. Replies are counted first and delivered last: what a read model
    /// knows was released before, so a reply never overtakes the blocks that it includes.
    async fn turn(&mut self, shared: &Shared) {
        let replies = self.query_replies.slots();
        for index in 1..=self.released.slots() {
            // The block goes back to the node, which reuses it, as soon as it is dispatched.
            let block = self.released.pop().expect("that many were counted");
            self.release(shared, &block);
            shared.counters.blocks_dispatched.add(1);
            drop(block);
            let capacity = self.released.buffer().capacity();
            wake_each_half(&mut self.taken.0, 1, capacity, &self.wake_pipeline);
            if index % BLOCKS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        let rejected = refuse(&mut self.rejected, shared);
        if rejected > 0 {
            shared.counters.rejected_taken.add(rejected);
            self.wake_verifier.wake();
        }
        let refused = refuse(&mut self.refused, shared);
        if refused > 0 {
            shared.counters.refused_taken.add(refused);
            self.wake_pipeline.wake();
        }
        self.reply(shared, replies);
    }

    /// Takes what the feeds tell to their readers.
    async fn deliver(&mut self, shared: &Rc<Shared>) {
        let capacity = self.deliveries.buffer().capacity();
        for index in 1..=self.deliveries.slots() {
            let delivery = self.deliveries.pop().expect("that many were counted");
            let begun = {
                let mut feeds = shared.feeds.borrow_mut();
                let begun = feeds.deliver(delivery, &shared.config);
                wake_each_half(&mut self.delivered, 1, capacity, feeds.waker());
                begun
            };
            if let Some(begun) = begun {
                begin_feed(shared, begun);
            }
            if index % DELIVERIES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        shared.feeds.borrow_mut().flush();
    }

    fn release(&mut self, shared: &Shared, block: &ReleasedBlock) {
        let mut table = shared.table.borrow_mut();
        self.scratch.report(&mut table, block);
        follow_keys(shared, &table, block);
        self.scratch.acknowledge(shared, &table, block);
        for session in self.scratch.grown.drain(..) {
            session.wake_writer();
        }
    }

    fn reply(&mut self, shared: &Shared, count: usize) {
        let capacity = self.query_replies.buffer().capacity();
        let table = shared.table.borrow();
        let replies = self.query_replies.read_chunk(count);
        for reply in replies.expect("that many were counted") {
            if let Some(session) = table.find(reply.session) {
                session.answered();
                session.append(|out| out.extend_from_slice(&reply.message));
                session.wake_writer();
            }
        }
        shared.counters.replies_taken.add(count as u64);
        wake_each_half(&mut self.taken.1, count, capacity, &self.wake_queries);
    }
}

/// Takes note of accounts and keys that come and go, and of what a silence of these does.
fn follow_keys(shared: &Shared, table: &SessionTable, block: &ReleasedBlock) {
    for record in &block.outcome.events {
        if !record.is_of_access() {
            continue;
        }
        match record.event() {
            Event::KeyChanged(changed) => follow_key(shared, table, &changed),
            Event::AccountOpened(opened) => {
                let mut directory = shared.directory.borrow_mut();
                directory.insert_account(opened.account, opened.owner);
            }
            Event::PolicySet(set) => {
                let silence = Duration::from_nanos(set.silence_ns);
                let mut presence = shared.presence.borrow_mut();
                presence.set(set.key, set.account, silence);
            }
            _ => {}
        }
    }
}

fn follow_key(shared: &Shared, table: &SessionTable, changed: &KeyChanged) {
    let KeyChanged { key, account, .. } = *changed;
    let mut directory = shared.directory.borrow_mut();
    let reason = if changed.is_revoked {
        directory.remove(key);
        RejectReason::KeyRevoked
    } else {
        let record = KeyRecord {
            key,
            account,
            epoch: changed.epoch,
        };
        directory.insert(changed.public, record);
        RejectReason::StaleEpoch
    };
    shared.presence.borrow_mut().remove(key);
    for session in table.of_account(account) {
        if session.record.key == key {
            session.end(Ending::Closing(reason));
        }
    }
}

/// Begins to write the stream of a subscription.
fn begin_feed(shared: &Rc<Shared>, begun: Begun) {
    let table = shared.table.borrow();
    if let Some(session) = table.find(begun.session) {
        let session = Rc::clone(session);
        let written = write(Rc::clone(shared), session, begun.reader, begun.first);
        spawn_local(written);
    }
}

/// Tells sessions which of their frames were refused. Returns how many there were: if any, whoever
/// refused them may wait for room.
fn refuse(refused: &mut Consumer<RejectedFrame>, shared: &Shared) -> u64 {
    let table = shared.table.borrow();
    let count = refused.slots();
    let chunk = refused.read_chunk(count);
    for refusal in chunk.expect("that many were counted") {
        shared.counters.rejects.add(refusal.reason);
        let Some(session) = table.find(refusal.session) else {
            continue;
        };
        let refused = Refused::new(refusal.nonce, refusal.reason);
        session.land(refusal.commands);
        session.append(|out| out.extend_from_slice(refused.as_bytes()));
        session.wake_writer();
        if refusal.reason == RejectReason::BadSignature {
            session.end(Ending::Closing(refusal.reason));
        }
    }
    count as u64
}

/// Wakes a producer that may wait for room, once for each half of its ring that was emptied: a ring
/// that it found full has as much to be emptied still, so the wake comes after the finding.
fn wake_each_half(taken: &mut usize, count: usize, capacity: usize, producer: &Wake) {
    *taken += count;
    if *taken >= capacity.div_ceil(2) {
        *taken = 0;
        producer.wake();
    }
}

impl Scratch {
    /// Reports every trade to its two parties, and to owners the ends of orders that no ack tells:
    /// to all their sessions.
    fn report(&mut self, table: &mut SessionTable, block: &ReleasedBlock) {
        for record in &block.outcome.events {
            let event = record.event();
            if let Event::Fill(fill) = &event {
                for (party, role) in [(&fill.maker, Role::Maker), (&fill.taker, Role::Taker)] {
                    if let Some(reports) = self.reports(table, party.account) {
                        reports.push_fill(FillReport::new(fill, role));
                    }
                }
            } else if let Some((owner, ended)) = EndedReport::of_event(&event)
                && let Some(reports) = self.reports(table, owner)
            {
                reports.push_ended(ended);
            }
        }
        for account in self.reported.drain(..) {
            let account = table.account_mut(account);
            let account = account.expect("sessions do not end while a block is dispatched");
            let messages = account.reports.messages();
            for session in &account.sessions {
                session.append_noting(&mut self.grown, |out| out.extend_from_slice(messages));
            }
            account.reports.clear();
        }
    }

    /// Where reports for an account go that has a session.
    fn reports<'a>(
        &mut self,
        table: &'a mut SessionTable,
        owner: AccountId,
    ) -> Option<&'a mut Reports> {
        let account = table.account_mut(owner)?;
        if account.reports.is_empty() {
            self.reported.push(owner);
        }
        Some(&mut account.reports)
    }

    /// Answers every frame to the session that it came from, if that is still open.
    fn acknowledge(&mut self, shared: &Shared, table: &SessionTable, block: &ReleasedBlock) {
        let sent_at = unix_nanos();
        let mut answers = shared.answers.borrow_mut();
        let frames = block.outcome.frames_with_receipts();
        for ((frame, receipts), origin) in frames.zip(&block.origins) {
            answers.follow_frame(frame, receipts);
            let Some(origin) = origin else { continue };
            let times = stage_times(origin, block, sent_at);
            observe(&shared.counters, &times);
            let Some(session) = table.find(origin.session) else {
                continue;
            };
            let mut ack = Ack {
                nonce: frame.nonce,
                first_sequence: frame.first_sequence,
                times,
                repeated: false,
                refused: None,
                outcomes: &[],
            };
            match frame.verdict {
                FrameVerdict::Executed => self.collect(receipts),
                FrameVerdict::Refused(reason) => {
                    ack.refused = Some(reason);
                    self.outcomes.clear();
                }
                FrameVerdict::Repeated { first_sequence } => {
                    ack.repeated = true;
                    ack.first_sequence = first_sequence;
                    self.outcomes.clear();
                    // A book that was begun at a checkpoint may not know it: then the sequence
                    // number is all there is to say.
                    if let Some(first) = answers.answer(frame.key, frame.nonce) {
                        first.outcomes(&mut self.outcomes);
                    }
                }
            }
            ack.outcomes = &self.outcomes;
            session.land(frame.count);
            session.append_noting(&mut self.grown, |out| ack.encode(out));
            session.note_receipt(frame.nonce, origin.arrival, frame.first_sequence);
        }
        answers.advance(block.outcome.last_sequence);
        shared
            .counters
            .sequence
            .set(block.outcome.last_sequence.get());
    }

    fn collect(&mut self, receipts: &[Receipt]) {
        self.outcomes.clear();
        self.outcomes
            .extend(receipts.iter().map(CommandOutcome::from));
    }
}

/// Counts how long each stage took. A block is executed while it is synced, so either may be first.
fn observe(counters: &GatewayCounters, times: &StageTimes) {
    let moments = [
        0,
        times.sequenced,
        times.executed,
        times.durable,
        times.sent,
    ];
    for (stage, pair) in counters.latency.iter().zip(moments.windows(2)) {
        stage.observe(u64::from(pair[1].saturating_sub(pair[0])));
    }
    counters.latency[Stage::Total as usize].observe(u64::from(times.sent));
}

fn stage_times(origin: &Origin, block: &ReleasedBlock, sent_at: u64) -> StageTimes {
    // Clocks may step back, and a stage may take longer than 32 bits of nanoseconds.
    let after = |moment: u64| {
        let nanos = moment.saturating_sub(origin.received_at);
        u32::try_from(nanos).unwrap_or(u32::MAX)
    };
    StageTimes {
        received_at: origin.received_at,
        sequenced: after(block.sequenced_at),
        executed: after(block.executed_at),
        durable: after(block.durable_at),
        sent: after(sent_at),
    }
}
