//! What is allowed once a fault may have taken durable data: to refuse, or to be exactly right.

use node::Failure;
use node::recovery::Recovered;
use store::disk::{Disk, NameSurvival, Survival};

use crate::clients::{chance, index};
use crate::life::End;
use crate::plan::Harm;
use crate::restart::{Future, Seen, refused};
use crate::run::{Oracle, Violation, World};
use crate::truth::read_journal;

impl World {
    /// A bit of what lies there flips.
    pub(crate) fn rot(&mut self) {
        let folder = match chance(&mut self.random, 70) {
            true => self.disk.journal(),
            false => self.disk.checkpoints(),
        };
        let names = folder.names().unwrap_or_default();
        let names: Vec<_> = names
            .iter()
            .filter(|name| name.ends_with(".keel"))
            .collect();
        if names.is_empty() {
            return;
        }
        let name = names[index(&mut self.random, names.len())];
        let content = folder.content(name);
        // Mostly where something is written.
        let written: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
        let byte = match written.is_empty() || chance(&mut self.random, 20) {
            true => index(&mut self.random, content.len().max(1)),
            false => written[index(&mut self.random, written.len())],
        };
        if byte < content.len() {
            let bit = 8 * byte + index(&mut self.random, 8);
            folder.flip(name, bit);
            self.trace.note("rot", name, &bit.to_le_bytes());
            self.harmed = true;
        }
    }

    /// Something durable may be gone: a start refuses, or is exactly right up to what can be proven.
    pub(crate) fn restart_harmed(&mut self, end: End) -> Result<Option<Recovered>, Violation> {
        let survival = match end {
            End::Power => self.random.choose(&Survival::ALL),
            End::Killed | End::Stopped => Survival::Killed,
        };
        let names = self.random.choose(&NameSurvival::ALL);
        let disk = self.disk.crash(survival, names, &mut self.random);
        self.crash_points += 1;
        let (refusal, passed) = match self.plan.harm {
            Harm::Rot => ("rot was refused", "rot was passed by"),
            Harm::Lost => ("a lost write was refused", "a lost write was passed by"),
            _ => (
                "a misdirected write was refused",
                "a misdirected write was passed by",
            ),
        };
        let recovered = match self.recover(&disk) {
            Ok(recovered) => recovered,
            Err(Failure::Corruption(_)) => {
                self.trace.reach(refusal);
                return Ok(None);
            }
            Err(other) => return Err(refused(&other)),
        };
        if recovered.warnings.iter().any(|it| it.contains("older one")) {
            self.trace.reach("a start from an older checkpoint");
        }
        self.trace.reach(passed);
        let name = format!("{survival:?}, names {names:?}");
        let future = Future {
            disk,
            recovered,
            name,
        };
        self.accept_harmed(future)
    }

    fn accept_harmed(&mut self, future: Future) -> Result<Option<Recovered>, Violation> {
        let records = match read_journal(&future.disk.folders(), &self.identity) {
            Ok(records) => records,
            // A start need not read all of it.
            Err(_) => return Ok(None),
        };
        let released = self.released();
        let height = future.recovered.state.position().height;
        Violation::unless(
            released.get() <= height.get() + COMMIT_BLOCKS_MAX,
            Oracle::Recovery,
            || {
                let name = &future.name;
                format!("{name}: ends with block {height}, and {released} left the node")
            },
        )?;
        let left = std::mem::take(&mut self.watch.blocks);
        self.truth.extend(&left)?;
        let end = self.truth.height();
        self.truth.extend(&records)?;
        let seen = Seen::of(&future);
        if height < released || height < end {
            let digest = self.truth.digest_at(height);
            let is_right = digest.is_none_or(|digest| seen.digests == [digest; 2]);
            Violation::unless(is_right, Oracle::Recovery, || {
                format!("{}: a state that never was, at block {height}", future.name)
            })?;
            let state = "the last commit was lost, and nothing can prove it";
            self.trace.reach(state);
            return Ok(None);
        }
        self.compare(&seen, Some(&future.recovered.answers))?;
        self.settle_watch()?;
        self.disk = future.disk;
        Ok(Some(future.recovered))
    }
}

/// So many blocks may be in flight at once, and so in one commit.
const COMMIT_BLOCKS_MAX: u64 = 2;
