//! Between two lives: what survives, and what the next start makes of it.

use gateway::AnswerBook;
use node::Failure;
use node::recovery::{Recovered, recover};
use store::disk::{Disk, Fault, NameSurvival, Refusal, SimulatedDisk, Survival};
use store::{InstanceId, JournalConfig, JournalIo, Report, SegmentLength, verify_in};
use types::Height;
use types::outcome::Digest;

use crate::clients::{chance, index};
use crate::life::End;
use crate::plan::Harm;
use crate::run::{Oracle, Violation, World};
use crate::trace::folders;
use crate::truth::read_journal;

/// One future of a crashed disk, after its recovery.
pub(crate) struct Future {
    pub(crate) disk: SimulatedDisk,
    pub(crate) recovered: Recovered,
    pub(crate) name: String,
}

/// What a start came to, to be compared.
pub(crate) struct Seen {
    name: String,
    height: Height,
    sequence: u64,
    pub(crate) digests: [Digest; 2],
    record_hash: Digest,
    answers: AnswerBook,
    disk: SimulatedDisk,
}

impl World {
    /// The very first start, of an empty disk.
    pub(crate) fn first_start(&mut self) -> Result<Option<Recovered>, Violation> {
        let recovered = self.recover(&self.disk.clone());
        recovered.map(Some).map_err(|failure| refused(&failure))
    }

    /// The next start. `None`: the directory is lost, as it may be, and the run is over.
    pub(crate) fn restart(&mut self, end: End) -> Result<Option<Recovered>, Violation> {
        if end == End::Power {
            self.note_place();
        }
        let faults = self.disk.triggered();
        let destroyed = |fault: &Fault| {
            matches!(
                fault,
                Fault::LostWrite { .. } | Fault::MisdirectedWrite { .. }
            )
        };
        self.harmed |= faults.iter().any(destroyed);
        self.disk.set_capacity(None);
        if self.plan.harm == Harm::Rot && 2 < self.lives {
            self.rot();
        }
        if self.harmed {
            return self.restart_harmed(end);
        }
        let survivals = match end {
            End::Power => Survival::ALL.to_vec(),
            End::Killed => vec![Survival::Killed, self.random.choose(&Survival::ALL)],
            End::Stopped => vec![Survival::Nothing, Survival::Killed],
        };
        let chosen = index(&mut self.random, survivals.len());
        let mut seen = Vec::new();
        let mut next = None;
        for (at, survival) in survivals.into_iter().enumerate() {
            let future = self.future(survival)?;
            if at == chosen {
                next = Some(future);
            } else {
                seen.push(Seen::new(future));
            }
        }
        let next = next.expect("one of them was chosen");
        self.disk = next.disk.clone();
        self.accept(&next)?;
        self.compare_futures(&seen)?;
        if chance(&mut self.random, 30) {
            self.start_from_older()?;
        }
        self.settle_watch()?;
        self.note_recovered(&next.recovered);
        Ok(Some(next.recovered))
    }

    /// Crashes the disk, perhaps again in the recovery, and recovers.
    fn future(&mut self, survival: Survival) -> Result<Future, Violation> {
        let names = self.random.choose(&NameSurvival::ALL);
        let mut name = format!("{survival:?}, names {names:?}");
        let mut disk = self.disk.crash(survival, names, &mut self.random);
        let mut in_a_row = 0;
        while in_a_row < 3 && chance(&mut self.random, 25) {
            in_a_row += 1;
            let at = disk.operations() + 1 + self.random.below(12);
            disk.inject(Fault::PowerLoss { at });
            let started = self.recover(&disk);
            self.crash_points += 1;
            if disk.operations() < at {
                // It was through before.
                started.map_err(|failure| refused(&failure))?;
            } else {
                self.trace.reach(match in_a_row {
                    1 => "power failed in a recovery",
                    _ => "power failed in two recoveries in a row",
                });
            }
            let survival = self.random.choose(&Survival::ALL);
            let names = self.random.choose(&NameSurvival::ALL);
            name = format!("{name}, again at {at}: {survival:?}, names {names:?}");
            disk = disk.crash(survival, names, &mut self.random);
        }
        if self.plan.harm == Harm::Failures && chance(&mut self.random, 20) {
            self.fail_recovery(&disk)?;
        }
        if self.plan.harm == Harm::Full && chance(&mut self.random, 20) {
            self.start_on_full_disk(&disk)?;
        }
        self.crash_points += 1;
        match self.recover(&disk) {
            Ok(recovered) => Ok(Future {
                disk,
                recovered,
                name,
            }),
            Err(failure) => {
                let what = format!("{name}: {failure}");
                Err(Violation::new(Oracle::Recovery, what))
            }
        }
    }

    /// An operation of a recovery fails: either nothing came of it, or it is tried again.
    fn fail_recovery(&mut self, disk: &SimulatedDisk) -> Result<(), Violation> {
        let (operations, reads) = (disk.operations(), disk.reads());
        disk.inject(match self.random.coin() {
            true => Fault::Fail {
                at: operations + 1 + self.random.below(8),
                refusal: self.random.choose(&[Refusal::Io, Refusal::Full]),
            },
            false => Fault::FailRead {
                at: reads + 1 + self.random.below(20),
            },
        });
        let started = self.recover(disk);
        disk.heal();
        match started {
            Ok(_) => Ok(()),
            Err(Failure::Failed(_)) => {
                self.trace.reach("a failed recovery was tried again");
                Ok(())
            }
            Err(other) => Err(refused(&other)),
        }
    }

    /// A start without any space does its work, or says that it cannot and harms nothing.
    fn start_on_full_disk(&mut self, disk: &SimulatedDisk) -> Result<(), Violation> {
        disk.set_capacity(Some(disk.used()));
        let started = self.recover(disk);
        disk.set_capacity(None);
        self.trace.reach(match &started {
            Ok(_) => "a start on a full disk",
            Err(Failure::Failed(_)) => "a start that a full disk prevented",
            Err(other) => return Err(refused(other)),
        });
        Ok(())
    }

    pub(crate) fn recover(&mut self, disk: &SimulatedDisk) -> Result<Recovered, Failure> {
        let folders = folders(disk, &self.trace);
        let config = JournalConfig {
            data_directory: "simulated".into(),
            segment_length: SegmentLength::new(self.plan.segment_length).expect("a legal length"),
            identity: self.identity,
            new_instance: InstanceId::new([9; 16]),
            io: JournalIo::Sync,
        };
        let seeds = [self.random.below(1 << 32), self.random.below(1 << 32)];
        let recovered = recover(&folders, &config, &self.genesis, seeds);
        let what = match &recovered {
            Ok(recovered) => recovered.state.position().height.to_string(),
            Err(failure) => failure.to_string(),
        };
        self.trace.note("recovered", &what, &[]);
        recovered
    }

    /// The future that became the present: everything is held against the truth, which grows by what
    /// has become durable.
    fn accept(&mut self, future: &Future) -> Result<(), Violation> {
        let folders = future.disk.folders();
        let in_future = |violation: Violation| violation.within(&future.name);
        let records = read_journal(&folders, &self.identity).map_err(|error| {
            Violation::new(Oracle::Recovery, error.to_string()).within(&future.name)
        })?;
        self.note_tail(&future.recovered, &records);
        let left = std::mem::take(&mut self.watch.blocks);
        self.truth.extend(&left)?;
        self.truth.extend(&records).map_err(in_future)?;
        let clean = matches!(verify_in(&folders), Ok(Report::Clean(_)));
        Violation::unless(clean, Oracle::Recovery, || {
            format!(
                "{}: not clean after recovery: {:?}",
                future.name,
                verify_in(&folders)
            )
        })?;
        self.compare_checkpoints(&future.disk, &future.name)?;
        let found = future.recovered.feeds.positions();
        Violation::unless(found == self.truth.positions(), Oracle::Replay, || {
            format!("{}: the feeds stand elsewhere", future.name)
        })?;
        let seen = Seen::of(future);
        self.compare(&seen, Some(&future.recovered.answers))
    }

    /// What was seen in the last life is in the history now, or was promised to nobody.
    pub(crate) fn settle_watch(&mut self) -> Result<(), Violation> {
        let watch = std::mem::take(&mut self.watch);
        for (height, sequence, answer) in &watch.answers {
            let found = self.truth.answers.get(sequence);
            Violation::unless(found == Some(answer), Oracle::Ledger, || {
                format!("block {height}, sequence {sequence}: {found:?}, but {answer:?} was told")
            })?;
        }
        for (height, hash) in &watch.outcomes {
            let found = self.truth.fact(*height).map(|fact| fact.outcome_hash);
            Violation::unless(found == Some(*hash), Oracle::Replay, || {
                format!("block {height}: outcome {found:?}, but {hash} left the node")
            })?;
        }
        for (name, height, digest) in &watch.digests {
            let found = self.truth.digest_at(*height);
            Violation::unless(found == Some(*digest), Oracle::Replay, || {
                format!("block {height}: {name} is another one")
            })?;
        }
        Ok(())
    }

    fn compare_checkpoints(&self, disk: &SimulatedDisk, name: &str) -> Result<(), Violation> {
        let checkpoints = disk.folders().checkpoints();
        let heights = checkpoints.heights().unwrap_or_default();
        for height in heights {
            let loaded = checkpoints.load(height, &self.identity);
            let meta = match &loaded {
                Ok(checkpoint) => checkpoint.meta(),
                Err(error) => {
                    let what = format!("{name}: {error}");
                    return Err(Violation::new(Oracle::Recovery, what));
                }
            };
            let Some(fact) = self.truth.fact(height) else {
                let what = format!("{name}: a checkpoint of block {height}, which is not there");
                return Err(Violation::new(Oracle::Recovery, what));
            };
            let found = (meta.record_hash, meta.outcome_hash, meta.state_root);
            let expected = (fact.record.hash, fact.outcome_hash, fact.root);
            Violation::unless(found == expected, Oracle::Replay, || {
                format!("{name}: the checkpoint of block {height} has other hashes")
            })?;
            if fact.has_fills {
                self.trace.reach("a checkpoint of a block with fills");
            }
        }
        Ok(())
    }

    /// The other futures of the same crash.
    fn compare_futures(&mut self, seen: &[Seen]) -> Result<(), Violation> {
        let end = self.truth.height();
        let longest = seen.iter().filter(|seen| end < seen.height);
        let mut beyond = Vec::new();
        if let Some(longest) = longest.max_by_key(|seen| seen.height) {
            let records = read_journal(&longest.disk.folders(), &self.identity)
                .map_err(|error| Violation::new(Oracle::Recovery, error.to_string()))?;
            beyond = self.truth.scout(&records)?;
        }
        for one in seen {
            if one.height <= end {
                self.compare(one, Some(&one.answers))?;
            } else {
                let at = one.height.get() - end.get() - 1;
                let digest = beyond[usize::try_from(at).expect("a short tail")];
                Violation::unless(one.digests == [digest; 2], Oracle::Replay, || {
                    format!("{}: another state at block {}", one.name, one.height)
                })?;
            }
        }
        Ok(())
    }

    /// A start from any checkpoint, or from the genesis, comes to the same.
    fn start_from_older(&mut self) -> Result<(), Violation> {
        let power = (Survival::Killed, NameSurvival::Everything);
        let disk = self.disk.crash(power.0, power.1, &mut self.random);
        let folders = disk.folders();
        let refused = |error: &dyn std::fmt::Display| {
            Violation::new(
                Oracle::Recovery,
                format!("without newer checkpoints: {error}"),
            )
        };
        let reaches_back = folders.reaches_back().map_err(|error| refused(&error))?;
        let heights = folders.checkpoints().heights();
        let heights = heights.map_err(|error| refused(&error))?;
        let spared = usize::from(!reaches_back);
        let removable = heights.len().saturating_sub(spared);
        let names = disk.checkpoints().names().unwrap_or_default();
        for height in heights
            .iter()
            .take(1 + index(&mut self.random, removable.max(1)))
        {
            if removable == 0 {
                return Ok(());
            }
            let ending = format!("{height:0>20}.keel");
            for name in names.iter().filter(|name| **name == ending) {
                let removed = disk.checkpoints().remove(name);
                removed.map_err(|error| refused(&error))?;
            }
        }
        let recovered = self.recover(&disk).map_err(|error| refused(&error))?;
        self.crash_points += 1;
        self.trace.reach("a start without the newest checkpoint");
        let seen = Seen::new(Future {
            disk,
            recovered,
            name: "without newer checkpoints".to_owned(),
        });
        self.compare(&seen, Some(&seen.answers))
    }

    pub(crate) fn compare(
        &self,
        seen: &Seen,
        answers: Option<&AnswerBook>,
    ) -> Result<(), Violation> {
        let Seen { name, height, .. } = seen;
        let released = self.released();
        Violation::unless(released <= *height, Oracle::Ledger, || {
            format!("{name}: ends with block {height}, but block {released} left the node")
        })?;
        let digest = self.truth.digest_at(*height);
        let [state, shadow] = seen.digests.map(Some);
        Violation::unless([state, shadow] == [digest; 2], Oracle::Replay, || {
            format!("{name}: another state at block {height}")
        })?;
        let fact = self.truth.fact(*height);
        let is_same = fact.is_none_or(|fact| fact.record.hash == seen.record_hash);
        Violation::unless(is_same, Oracle::Replay, || {
            format!("{name}: another record at block {height}")
        })?;
        let checked = answers.map(|answers| self.truth.check_answers(answers, seen.sequence));
        checked.unwrap_or(Ok(())).map_err(|it| it.within(name))
    }

    /// Up to where outcomes had left the node before this start.
    pub(crate) fn released(&self) -> Height {
        self.watch.released
    }
}

impl Seen {
    fn new(future: Future) -> Self {
        Self {
            answers: future.recovered.answers.clone(),
            ..Self::of(&future)
        }
    }

    pub(crate) fn of(future: &Future) -> Self {
        let Recovered {
            state, beginning, ..
        } = &future.recovered;
        Self {
            name: future.name.clone(),
            height: state.position().height,
            sequence: state.position().sequence.get(),
            digests: [state.digest(), beginning.state.digest()],
            record_hash: beginning.record_hash,
            answers: AnswerBook::new(),
            disk: future.disk.clone(),
        }
    }
}

pub(crate) fn refused(failure: &Failure) -> Violation {
    Violation::new(Oracle::Recovery, failure.to_string())
}
