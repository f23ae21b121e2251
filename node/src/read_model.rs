//! The read model: follows released outcomes on its own thread and answers queries about balances,
//! open orders and markets, so that no question ever touches the engine's memory.

use std::sync::Arc;

use engine::follower::Follower;
use gateway::{QueryReply, QueryRequest};
use rtrb::{Consumer, Producer};
use types::AssetId;
use types::block::ReleasedBlock;
use types::wire::Kind;
use types::wire::query::{
    BalanceRecord, MarketStateRecord, OpenOrderRecord, Question, encode_reply,
};

use crate::running::{Parking, Stop, Waker};

/// The ends of the rings that the read model holds.
pub(crate) struct Ports {
    pub(crate) released: Consumer<Arc<ReleasedBlock>>,
    pub(crate) wake_pipeline: Waker,
    pub(crate) requests: Consumer<QueryRequest>,
    pub(crate) replies: Producer<QueryReply>,
    pub(crate) wake_gateway: Arc<tokio::sync::Notify>,
}

/// Runs until told to stop.
pub(crate) fn run(mut follower: Follower, mut ports: Ports, parking: &Parking, stop: &Stop) {
    loop {
        let stopping = stop.requested();
        let followed = follow(&mut follower, &mut ports);
        let answered = answer(&follower, &mut ports);
        if followed || answered {
            continue;
        }
        if stopping {
            return;
        }
        parking.park();
    }
}

fn follow(follower: &mut Follower, ports: &mut Ports) -> bool {
    let mut popped = 0;
    while let Ok(block) = ports.released.pop() {
        follower.follow(&block.outcome);
        popped += 1;
    }
    // The pipeline waits only if it has seen this ring full, and then all of that was popped here:
    // a look at the ring before the first pop could come too early to see it.
    if popped >= ports.released.buffer().capacity() {
        ports.wake_pipeline.wake();
    }
    popped > 0
}

/// Answers what may be answered. A question that is ahead of the blocks waits for them: they are on
/// their way, and whoever pushes them wakes this thread.
fn answer(follower: &Follower, ports: &mut Ports) -> bool {
    let mut worked = false;
    while !ports.replies.is_full()
        && let Ok(next) = ports.requests.peek()
        && next.at_least <= follower.sequence()
        && let Ok(request) = ports.requests.pop()
    {
        let reply = QueryReply {
            session: request.session,
            message: reply(follower, &request),
        };
        let pushed = ports.replies.push(reply);
        assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
        worked = true;
    }
    if worked {
        ports.wake_gateway.notify_one();
    }
    worked
}

fn reply(follower: &Follower, request: &QueryRequest) -> Vec<u8> {
    let mut message = Vec::new();
    let (id, sequence) = (request.request, follower.sequence());
    match request.question {
        Question::OpenOrders => {
            let orders = follower.open_orders(request.account);
            let records: Vec<_> = orders.iter().map(OpenOrderRecord::from).collect();
            encode_reply(Kind::OpenOrders, id, sequence, &records, &mut message);
        }
        Question::Markets => {
            let states = follower.market_states();
            let records: Vec<_> = states.iter().map(MarketStateRecord::from).collect();
            encode_reply(Kind::MarketStates, id, sequence, &records, &mut message);
        }
        // The gateway answers the other questions itself.
        Question::Balances | Question::Reference | Question::Nonce(_) => {
            let ledger = follower.ledger();
            let record = |asset| {
                let balance = ledger.balance(request.account, asset);
                BalanceRecord::new(asset, balance.free, balance.held)
            };
            let assets = (0..ledger.asset_count()).map(AssetId::new);
            let records: Vec<_> = assets.map(record).collect();
            encode_reply(Kind::Balances, id, sequence, &records, &mut message);
        }
    }
    message
}
