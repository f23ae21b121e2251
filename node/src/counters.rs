//! What the threads behind the gateway count while they work: one struct for each of them, written by
//! it alone (`gateway::counters` says how). Nothing here decides anything.

use engine::State;
use gateway::counters::{Counter, Rejects, Sizes};
use types::block::ReleasedBlock;
use types::outcome::{FrameReceipt, FrameVerdict};
use types::phase::Phase;
use types::{Command, RejectReason};

/// What the pipeline's thread counts.
#[derive(Debug, Default)]
pub struct PipelineCounters {
    /// Frames taken into blocks.
    pub(crate) frames_sequenced: Counter,
    /// Frames refused because the disk is full.
    pub(crate) frames_refused: Counter,
    /// Frames refused because withdrawals halt.
    pub(crate) frames_halted: Counter,
    pub(crate) silences: Counter,
    /// Blocks sealed and handed to the journal.
    pub(crate) blocks_sealed: Counter,
    /// Blocks that left the release gate.
    pub(crate) blocks_released: Counter,
    /// Durable blocks heard of from the journal.
    pub(crate) blocks_noted: Counter,
    /// The last sequence number that was given.
    pub(crate) sequence: Counter,
    /// The last one that was released.
    pub(crate) released_sequence: Counter,
    /// Height of the last released block.
    pub(crate) released_height: Counter,
    /// 1 while the exchange is cancel-only.
    pub(crate) cancel_only: Counter,
    /// Commands and ticks of one block.
    pub(crate) commands_per_block: Sizes,
}

impl PipelineCounters {
    /// Goes on from there.
    pub(crate) fn after(state: &State) -> Self {
        let position = state.position();
        let counters = Self::default();
        let sequence = position.sequence.get();
        counters.sequence.set(sequence);
        counters.released_sequence.set(sequence);
        counters.released_height.set(position.height.get());
        let is_closed = state.phase() == Phase::CancelOnly;
        counters.cancel_only.set(is_closed.into());
        counters
    }
}

/// What the journal's thread counts.
#[derive(Debug, Default)]
pub struct JournalCounters {
    /// Blocks taken from the pipeline.
    pub(crate) blocks_taken: Counter,
    /// Blocks synced.
    pub(crate) blocks_durable: Counter,
    /// The last sequence number that is synced.
    pub(crate) durable_sequence: Counter,
    /// Blocks in one sync.
    pub(crate) blocks_per_sync: Sizes,
    /// Bytes of records that surely fit into what is ready.
    pub(crate) room: Counter,
    /// 1 if the disk had no room for more.
    pub(crate) is_short: Counter,
}

/// What the shadow's thread counts.
#[derive(Debug, Default)]
pub struct ShadowCounters {
    /// Blocks executed again.
    pub(crate) blocks_followed: Counter,
    /// Questions answered.
    pub(crate) questions_answered: Counter,
    /// Snapshots handed over to be written.
    pub(crate) checkpoints_begun: Counter,
    /// Commands of released frames, by [`Command::KINDS`].
    pub(crate) commands: [Counter; Command::KINDS.len()],
    /// Frames and commands that the engine rejected.
    pub(crate) rejects: Rejects,
}

impl ShadowCounters {
    /// Counts a block that was executed again.
    pub(crate) fn follow(&self, released: &ReleasedBlock) {
        for sequenced in released.block.frames() {
            for command in sequenced.frame.frame().commands() {
                self.commands[command.kind()].add(1);
            }
        }
        let outcome = &released.outcome;
        let frames = outcome.frames.iter().filter_map(refusal);
        let commands = outcome.receipts.iter().filter_map(|it| it.reject_reason());
        for reason in frames.chain(commands) {
            self.rejects.add(reason);
        }
        self.blocks_followed.add(1);
    }
}

const fn refusal(frame: &FrameReceipt) -> Option<RejectReason> {
    match frame.verdict {
        FrameVerdict::Refused(reason) => Some(reason),
        FrameVerdict::Executed | FrameVerdict::Repeated { .. } => None,
    }
}

/// What the thread that writes checkpoints counts.
#[derive(Debug, Default)]
pub struct CheckpointCounters {
    /// Checkpoints written.
    pub(crate) written: Counter,
    /// Checkpoints that could not be written.
    pub(crate) failed: Counter,
    /// Height of the last one.
    pub(crate) height: Counter,
    /// When it was written, or when the node started if none was: nanoseconds since the Unix epoch.
    pub(crate) at: Counter,
}

#[cfg(test)]
mod tests {
    use types::auth::SigningKey;
    use types::command::{Cancel, CancelScope, QuoteSet};
    use types::keys::{
        KeyGrant, KeyScope, Registration, Revocation, SessionPolicy, WalletSignature,
    };
    use types::{KeyId, LogTime, MarketId, OrderId};

    use super::*;

    #[test]
    fn commands_are_counted_by_their_kind() {
        let key = SigningKey::development("dev-0").public();
        let grant = KeyGrant {
            scope: KeyScope::Trade,
            ..KeyGrant::default()
        };
        let registration = Registration::new(key, &grant, WalletSignature::NONE);
        let revocation = Revocation::new(key, WalletSignature::NONE);
        let quotes = QuoteSet {
            market: MarketId::new(0),
            number: 1,
            bids: &[],
            asks: &[],
        };
        for (command, name) in [
            (Command::QuoteSet(quotes), "quote_set"),
            (Command::Cancel(Cancel::Order(OrderId::new(1))), "cancel"),
            (Command::CancelAll(CancelScope::EVERYTHING), "cancel_all"),
            (
                Command::SetSessionPolicy(SessionPolicy::default()),
                "session_policy",
            ),
            (Command::SetTimer(0), "timer"),
            (Command::RevokeKey(KeyId::new(65)), "revoke_key"),
            (Command::Register(&registration), "wallet_register"),
            (Command::Revoke(&revocation), "wallet_revoke"),
            (Command::SetTimerAt(LogTime::ZERO), "timer_at"),
            (Command::OpenSubAccount, "open_sub_account"),
        ] {
            assert_eq!(command.name(), name);
        }
    }
}
