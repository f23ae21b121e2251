//! A life on the simulated disk, with what other crates see of it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{append, config, identity};
use store::disk::{Disk, Fault, NameSurvival, Random, SimulatedDisk, Survival};
use store::{Folders, Journal, JournalReader, Recovery, Report, verify_in};
use types::Height;

#[test]
fn other_crates_can_crash_a_store() {
    for seed in 0..20 {
        eprintln!("seed {seed}");
        let mut random = Random(seed);
        let disk = SimulatedDisk::default();
        disk.inject(Fault::PowerLoss {
            at: 20 + random.below(60),
        });
        let mut durable = Height::ZERO;
        let mut checkpoint = None;
        let _ = live(&disk.folders(), &mut durable, &mut checkpoint);
        let survival = random.choose(&Survival::ALL);
        let names = random.choose(&NameSurvival::ALL);
        let disk = disk.crash(survival, names, &mut random);
        let journal: Arc<dyn Disk> = Arc::new(disk.journal());
        let folders = Folders::on(journal, Arc::new(disk.checkpoints()));
        let newest = folders.checkpoints().newest(&identity()).unwrap();
        let after = newest.checkpoint.map(|found| found.meta().after());
        assert!(checkpoint <= after.map(|after| after.height));
        let mut reader = JournalReader::open_in(&folders, &identity(), after.as_ref()).unwrap();
        while reader.next_record().unwrap().is_some() {}
        assert!(durable <= reader.totals().last_height);
        let recovery = Recovery::begin_in(&folders, &config(Path::new("")), after.as_ref());
        drop(Journal::open(recovery.unwrap()).unwrap());
        assert!(matches!(verify_in(&folders), Ok(Report::Clean(_))));
    }
}

fn live(
    folders: &Folders,
    durable: &mut Height,
    checkpoint: &mut Option<Height>,
) -> Result<(), store::StoreError> {
    let recovery = Recovery::begin_in(folders, &config(Path::new("")), None)?;
    let (mut journal, _) = Journal::open(recovery)?;
    loop {
        append(&mut journal, 18_000);
        *durable = journal.commit()?;
        if durable.get().is_multiple_of(4) {
            let meta = common::meta(&journal);
            let section = common::section(&[1; 100]);
            folders.checkpoints().write(&meta, [&section, &section])?;
            *checkpoint = Some(meta.height);
        }
    }
}
