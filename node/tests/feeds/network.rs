//! Acceptance: packets are lost, doubled and reordered, the reader reconnects at random and resumes; its
//! books are the server's at every checkpoint, and no report is missing.

use std::sync::atomic::Ordering;

use crate::common::Node;
use crate::flow::{PATIENCE, trade};
use crate::proxy::{Proxy, Random};
use crate::reader::{ACCOUNT, L1, L2, L3, Reading, Shared, TRADES, finish, known, until};
use crate::restart::positions;
use crate::run_local;

/// What traders send, each.
const FRAMES: u64 = 1_500;

#[test]
fn a_bad_network_and_a_reader_that_comes_and_goes() {
    let seed = std::env::var("KEEL_FEEDS_SEED").ok();
    let seed = seed.map_or_else(
        || u64::from(std::process::id()),
        |text| text.parse().unwrap(),
    );
    eprintln!("KEEL_FEEDS_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let books = run_local(read_on_a_bad_network(&node, seed));
    assert!(node.stop().success());
    let found = positions(directory.path());
    for known in books {
        let book = &known.borrow().book;
        let position = book.position().unwrap();
        assert_eq!(found.of(book.feed()), position);
        assert!(position.sequence > 100, "{position:?}");
    }
}

async fn read_on_a_bad_network(node: &Node, seed: u64) -> Vec<Shared> {
    let server = node.address;
    let proxy = Proxy::start(server, seed).await;
    let traders = ["dev-0", "dev-1", "dev-2"];
    let traders = traders.map(|name| {
        let seed = seed ^ name.len() as u64 ^ u64::from(name.as_bytes()[4]) << 8;
        tokio::task::spawn_local(trade(server, name, FRAMES, seed))
    });
    // This session of the account hears all of its reports, on a good network.
    let watch = crate::wishes::Watch::start(server).await;

    let feeds = [L1, L2, L3, TRADES];
    let mut books: Vec<_> = feeds.iter().map(|feed| known(*feed, 0, false)).collect();
    books.push(known(ACCOUNT, 0, true));
    let mut random = Random(seed);
    let mut connections = 0;
    while traders.iter().any(|trader| !trader.is_finished()) {
        let reading = Reading::start(proxy.address, "dev-0", &books).await;
        connections += 1;
        // Until so many more messages have come, or the traders have stopped.
        let messages = || {
            books
                .iter()
                .map(|known| known.borrow().messages)
                .sum::<u64>()
        };
        let wanted = messages() + 50 + random.below(600);
        until("messages come", || {
            messages() >= wanted || traders.iter().all(|trader| trader.is_finished())
        })
        .await;
        drop(reading);
    }
    for trader in traders {
        tokio::time::timeout(PATIENCE, trader)
            .await
            .unwrap()
            .unwrap();
    }

    let last = Reading::start(proxy.address, "dev-0", &books).await;
    finish(server, &books).await;
    drop(last);
    let reports = watch.finish().await;
    assert_eq!(books[4].borrow().reports, reports);
    let compared: Vec<_> = books
        .iter()
        .map(|known| known.borrow().book.compared())
        .collect();
    let gaps: usize = books.iter().map(|known| known.borrow().gaps.len()).sum();
    let harmed = proxy.harmed.load(Ordering::Relaxed);
    eprintln!(
        "{connections} connections, {harmed} packets harmed, {} reports, books compared {compared:?}, \
         gaps {gaps}",
        reports.len()
    );
    assert!(connections > 3 && harmed > 50 && reports.len() > 500);
    assert!(
        compared.iter().take(3).all(|times| *times >= 2),
        "{compared:?}"
    );
    assert_eq!(gaps, 0, "all of it is retained");
    books
}
