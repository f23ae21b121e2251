//! Positions across restarts: after a kill and after a stop the feeds go on exactly where they stood, and
//! whoever replays the journal from its front comes to the same positions.

use std::fs;
use std::path::Path;

use engine::feeds::Positions;
use node::recovery::{identity_of, recover};
use store::{Folders, InstanceId, JournalConfig, JournalIo, SegmentLength};
use types::genesis::development;
use types::wire::feed::GapReason;

use crate::common::Node;
use crate::flow::trade;
use crate::reader::{L1, L2, L3, Reading, TRADES, finish, known, until};
use crate::run_local;

#[test]
fn feeds_go_on_after_a_kill_and_after_a_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let books: Vec<_> = [L1, L2, L3, TRADES]
        .iter()
        .map(|feed| (*feed, 0, false))
        .collect();
    run_local(async {
        let books: Vec<_> = books
            .iter()
            .map(|(feed, interval_ms, from_start)| known(*feed, *interval_ms, *from_start))
            .collect();
        for life in 0..4 {
            let node = Node::serve(path);
            let reading = Reading::start(node.address, "dev-0", &books).await;
            trade(node.address, "dev-1", 150, 20 + life).await;
            finish(node.address, &books).await;
            drop(reading);
            if life % 2 == 0 {
                node.kill();
            } else {
                assert!(node.stop().success());
            }
            let found = positions(path);
            for known in &books {
                let known = known.borrow();
                let position = known.book.position().unwrap();
                assert_eq!(found.of(known.book.feed()), position, "life {life}");
                // At the very position where it stood nothing is missing.
                assert_eq!(known.gaps, [], "life {life}");
            }
        }
        // A position from before a clean stop is kept no more.
        let node = Node::serve(path);
        let early = known(L3, 0, true);
        let _reading = Reading::start(node.address, "dev-0", std::slice::from_ref(&early)).await;
        until("there is a gap", || early.borrow().book.compared() == 1).await;
        assert_eq!(early.borrow().gaps[0].reason, GapReason::NotRetained);
        drop(_reading);
        assert!(node.stop().success());
    });
    let found = positions(path);
    fs::remove_dir_all(path.join("checkpoints")).unwrap();
    fs::create_dir(path.join("checkpoints")).unwrap();
    let replayed = positions(path);
    assert!(found.iter().count() >= 5, "{found:?}");
    assert!(replayed.iter().eq(found.iter()));
}

/// Where the feeds of a directory stand, as a node finds at its start.
pub(crate) fn positions(path: &Path) -> Positions {
    let genesis = development();
    let folders = Folders::lock(path, JournalIo::Sync).unwrap();
    let config = JournalConfig {
        data_directory: path.to_owned(),
        segment_length: SegmentLength::DEFAULT,
        identity: identity_of(&genesis),
        new_instance: InstanceId::new([1; 16]),
        io: JournalIo::Sync,
    };
    let recovered = recover(&folders, &config, &genesis, [1, 2]).unwrap();
    recovered.feeds.positions().clone()
}
