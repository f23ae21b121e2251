//! Whoever reads a feed hears that the exchange is cancel-only after a restart, and that it is open again.

use types::command::MarketStatus;

use crate::common::Node;
use crate::flow::trade;
use crate::reader::{L2, Reading, TRADES, finish, known, until};
use crate::run_local;

#[test]
fn readers_hear_that_a_restarted_exchange_opens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    run_local(async {
        let books = [TRADES, L2].map(|feed| known(feed, 0, false));
        let node = Node::serve(path);
        let reading = Reading::start(node.address, "dev-0", &books).await;
        trade(node.address, "dev-1", 20, 9).await;
        finish(node.address, &books).await;
        drop(reading);
        assert_eq!(books[0].borrow().statuses, []);
        node.kill();

        // However late it comes back, it hears of both.
        let node = Node::serve_with(path, &["--cancel-only", "300"]);
        let _reading = Reading::start(node.address, "dev-0", &books).await;
        until("it opens", || books[0].borrow().statuses.len() == 2).await;
        let expected = [MarketStatus::CancelOnly, MarketStatus::Open];
        assert_eq!(books[0].borrow().statuses, expected);
        trade(node.address, "dev-1", 20, 10).await;
        finish(node.address, &books).await;
        for known in &books {
            assert_eq!(known.borrow().gaps, []);
        }
        assert_eq!(books[0].borrow().statuses, expected);
        assert!(node.stop().success());
    });
}
