//! A small world of two clients in which everything fits, and one thing wrong with it at a time.

use std::path::PathBuf;

use bytes::Bytes;
use types::genesis;
use types::outcome::{
    Done, DoneReason, EventRecord, Fill, FrameReceipt, FrameVerdict, Party, Receipt,
};
use types::wire::ack::{Ack, CommandOutcome, StageTimes};
use types::wire::session::Refused;
use types::*;
use zerocopy::IntoBytes as _;

use super::*;
use crate::record::{BalanceLine, BalancesRecord, ClientRecord, End, FORMAT, paths};
use crate::report::Verdict;

const BEFORE: u64 = 2;
const AFTER: u64 = 9;
/// What each account has at first: of each asset, free.
const FUNDS: u128 = 1 << 80;

/// Client 0 makes, client 1 takes.
#[derive(Clone)]
struct World {
    journal: Vec<BlockOutcome>,
    clients: [ClientRecord; 2],
    messages: [Vec<Bytes>; 2],
    /// By account and asset, at the end.
    ledger: [[[u128; 2]; 3]; 2],
    /// The first sequence number of the journal.
    first: SequenceNumber,
}

fn sequence(number: u64) -> SequenceNumber {
    SequenceNumber::new(number)
}

fn party(account: u32, order: u64) -> Party {
    Party {
        account: AccountId::new(account),
        order_id: OrderId::new(order),
        client_order_id: ClientOrderId::new(order),
    }
}

/// At sequence number 5 account 1 buys from account 0.
fn fill() -> Fill {
    Fill {
        sequence: sequence(5),
        market: MarketId::new(0),
        taker_side: Side::Bid,
        price: Ticks::new(100),
        quantity: BaseLots::new(3),
        maker: party(0, 30),
        taker: party(1, 50),
        maker_remaining: BaseLots::new(1),
        maker_refreshed: false,
        auction: None,
        maker_fee: 5,
        taker_fee: Atoms::new(7),
    }
}

/// At sequence number 7 an order of account 0 expires.
fn done() -> Done {
    Done {
        sequence: sequence(7),
        market: MarketId::new(0),
        side: Side::Ask,
        reason: DoneReason::Expired,
        price: Ticks::new(100),
        remaining: BaseLots::new(1),
        owner: party(0, 30),
        held: true,
    }
}

fn frame(client: u32, nonce: u64, first: u64, count: u16) -> FrameReceipt {
    FrameReceipt {
        account: AccountId::new(client),
        key: KeyId::new(client),
        nonce: Nonce::new(nonce),
        first_sequence: sequence(first),
        count,
        verdict: FrameVerdict::Executed,
    }
}

fn block(
    frames: Vec<FrameReceipt>,
    receipts: Vec<Receipt>,
    events: Vec<EventRecord>,
) -> BlockOutcome {
    let last = receipts
        .last()
        .map_or(7, |receipt| receipt.sequence().get());
    BlockOutcome {
        last_sequence: sequence(last),
        frames,
        receipts,
        events,
        ..BlockOutcome::default()
    }
}

fn accepted(number: u64) -> Receipt {
    Receipt::accepted(sequence(number), 0, BaseLots::ZERO)
}

fn ack(nonce: u64, first: u64, receipts: &[Receipt]) -> Bytes {
    let outcomes: Vec<_> = receipts.iter().map(CommandOutcome::from).collect();
    let mut out = Vec::new();
    let ack = Ack {
        nonce: Nonce::new(nonce),
        first_sequence: sequence(first),
        times: StageTimes {
            received_at: 1,
            sequenced: 1,
            executed: 1,
            durable: 1,
            sent: 1,
        },
        repeated: false,
        refused: None,
        outcomes: &outcomes,
    };
    ack.encode(&mut out);
    out.into()
}

fn fills(fill: &Fill, role: Role) -> Bytes {
    let mut out = Vec::new();
    FillReport::encode(&[FillReport::new(fill, role)], &mut out);
    out.into()
}

fn ended(done: &Done) -> Bytes {
    let mut out = Vec::new();
    EndedReport::encode(&[done.into()], &mut out);
    out.into()
}

fn balances(sequence: u64, amounts: [[u128; 2]; 3]) -> BalancesRecord {
    let line = |(asset, [free, held]): (u16, [u128; 2])| BalanceLine {
        asset,
        free: free.to_string(),
        held: held.to_string(),
    };
    BalancesRecord {
        sequence,
        balances: (0..).zip(amounts).map(line).collect(),
    }
}

fn rested() -> [Receipt; 2] {
    [accepted(3), accepted(4)]
}

fn crossed() -> Receipt {
    Receipt::accepted(sequence(5), 1, BaseLots::new(3))
}

fn late() -> Receipt {
    Receipt::rejected(sequence(6), RejectReason::OrderNotFound)
}

/// What is executed: both open their sessions, one rests two orders and the other crosses them, one
/// comes too late, one expires, and both take all off.
fn journal() -> Vec<BlockOutcome> {
    let receipts = [rested().as_slice(), &[crossed()]].concat();
    vec![
        block(
            vec![frame(0, 0, 1, 1), frame(1, 0, 2, 1)],
            vec![accepted(1), accepted(2)],
            vec![],
        ),
        block(
            vec![frame(0, 1, 3, 2), frame(1, 1, 5, 1)],
            receipts,
            vec![(&fill()).into()],
        ),
        block(vec![frame(0, 2, 6, 1)], vec![late()], vec![]),
        block(vec![], vec![], vec![(&done()).into()]),
        block(
            vec![frame(0, 3, 8, 1), frame(1, 3, 9, 1)],
            vec![accepted(8), accepted(9)],
            vec![],
        ),
    ]
}

/// What each client is told.
fn messages() -> [Vec<Bytes>; 2] {
    let refused = Refused::new(Nonce::new(2), RejectReason::Busy);
    [
        vec![
            fills(&fill(), Role::Maker),
            ack(1, 3, &rested()),
            ack(2, 6, &[late()]),
            ended(&done()),
            ack(3, 8, &[accepted(8)]),
        ],
        vec![
            Bytes::copy_from_slice(refused.as_bytes()),
            fills(&fill(), Role::Taker),
            ack(1, 5, &[crossed()]),
            ack(3, 9, &[accepted(9)]),
        ],
    ]
}

impl World {
    /// Nonces of both begin at 1, after the frame that each opened its session with.
    fn new() -> Self {
        let genesis = genesis::development();
        let market = &genesis.markets()[0];
        let (base, quote) = (market.base.index(), market.quote.index());
        let traded = market.factors.base(BaseLots::new(3)).get();
        let paid = market
            .factors
            .notional(Ticks::new(100), BaseLots::new(3))
            .get();
        let mut ledger = [[[FUNDS, 0]; 3]; 2];
        ledger[0][base][0] -= traded;
        ledger[0][quote][0] += paid - 5;
        ledger[1][base][0] += traded - 7;
        ledger[1][quote][0] -= paid;
        let client = |client: u32| ClientRecord {
            format: FORMAT,
            client,
            name: format!("dev-{client}"),
            network: genesis.network().get(),
            genesis_hash: genesis.hash().to_string(),
            account: client,
            key: client,
            first_nonce: 1,
            before: balances(BEFORE, [[FUNDS, 0]; 3]),
            end: Some(End {
                next_nonce: 4,
                bytes: 0,
                after: Some(balances(AFTER, ledger[client as usize])),
            }),
        };
        Self {
            journal: journal(),
            clients: [client(0), client(1)],
            messages: messages(),
            ledger,
            first: sequence(1),
        }
    }

    /// Writes the records and reconciles them.
    fn check(&self, folder: &Folder) -> Result<CheckReport, RecordError> {
        for (client, messages) in self.clients.iter().zip(&self.messages) {
            let [line, path] = paths(&folder.0, client.client);
            let bytes = messages.concat();
            let mut client = client.clone();
            if let Some(end) = &mut client.end {
                end.bytes += bytes.len() as u64;
            }
            std::fs::write(line, serde_json::to_string(&client).unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut check = Check::open(&folder.0, &genesis::development())?;
        let mut first = self.first;
        for outcome in &self.journal {
            let is_before = outcome.last_sequence.get() < 5;
            check.block(first, outcome, |account, asset| match is_before {
                true => [FUNDS, 0],
                false => self.ledger[account.index()][asset.index()],
            })?;
            first = outcome.last_sequence.next();
        }
        check.finish()
    }

    fn end(&mut self, client: usize) -> &mut End {
        self.clients[client].end.as_mut().unwrap()
    }
}

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadgen-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn what_fits_passes_and_is_counted() {
    let folder = Folder::new("check-fits");
    let report = World::new().check(&folder).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let expected = CheckReport {
        clients: 2,
        cut_clients: 0,
        answered_frames: 5,
        commands: 6,
        refused_frames: 1,
        unanswered_frames: 0,
        unanswered_executed: 0,
        fills: 2,
        ended: 1,
        discrepancies: 0,
        problems: Vec::new(),
        verdict: Verdict::Pass,
    };
    assert_eq!(report, expected);
    assert!(
        report
            .text()
            .ends_with("PASS: clients, journal and ledger agree\n")
    );
}

/// Makes something wrong.
type Plant = fn(&mut World);

/// What is planted, and what is said of it.
const PLANTED: [(&str, Plant, &str); 16] = [
    (
        "a frame that the journal lost",
        |world| {
            world.journal[1].frames.remove(0);
            world.journal[1].receipts.drain(..2);
        },
        "dev-0: nonce 1 was answered at 3 and is not in the journal",
    ),
    (
        "the last frame, lost",
        |world| {
            world.journal[4].frames.pop();
            world.journal[4].receipts.pop();
        },
        "dev-1: nonce 3 was answered at 9 and is not in the journal",
    ),
    (
        "a frame that is executed twice",
        |world| {
            world.journal[2].frames.push(frame(1, 1, 7, 1));
            world.journal[2].receipts.push(accepted(7));
        },
        "dev-1: nonce 1 is in the journal again, at 7",
    ),
    (
        "a receipt that says something else",
        |world| world.journal[1].receipts[1] = Receipt::rejected(sequence(4), RejectReason::Busy),
        "dev-0: nonce 1 at 3: command 1: it was told",
    ),
    (
        "a frame at another place",
        |world| world.journal[2].frames[0].first_sequence = sequence(7),
        "dev-0: nonce 2 at 7: it was answered at 6",
    ),
    (
        "a refusal that nobody was told",
        |world| {
            let verdict = FrameVerdict::Refused(RejectReason::Expired);
            world.journal[2].frames[0].verdict = verdict;
            world.journal[2].receipts.clear();
        },
        "it was told the refusal none; it is",
    ),
    (
        "a refused frame that is executed",
        |world| {
            world.journal[2].frames.push(frame(1, 2, 7, 1));
            world.journal[2].receipts.push(accepted(7));
        },
        "dev-1: nonce 2 was refused, and is in the journal at 7",
    ),
    (
        "a frame that nobody sent",
        |world| {
            world.journal[4].frames.insert(1, frame(0, 4, 9, 1));
            world.journal[4].receipts.push(accepted(9));
        },
        "dev-0: nonce 4 at 9 was never sent",
    ),
    (
        "an answer that comes twice",
        |world| {
            let again = world.messages[1][2].clone();
            world.messages[1].push(again);
        },
        "dev-1: nonce 1 was answered twice",
    ),
    (
        "a fill that its maker was not told",
        |world| drop(world.messages[0].remove(0)),
        "dev-0 was not told FillReport",
    ),
    (
        "a fill that did not happen",
        |world| world.journal[1].events.clear(),
        "dev-1 was told what did not happen: FillReport",
    ),
    (
        "a fill at another price",
        |world| {
            let price = Ticks::new(101);
            world.journal[1].events[0] = (&Fill { price, ..fill() }).into();
        },
        "dev-1 was told FillReport",
    ),
    (
        "an end that its owner was not told",
        |world| drop(world.messages[0].remove(3)),
        "dev-0 was not told EndedReport",
    ),
    (
        "an end that did not happen",
        |world| world.journal[3].events.clear(),
        "dev-0 was told what did not happen: EndedReport",
    ),
    (
        "a balance that the ledger does not have",
        |world| world.ledger[1][0][0] += 1,
        "dev-1: at 9 it was told",
    ),
    (
        "a balance that no fill explains",
        |world| {
            world.ledger[1][0][0] += 1;
            let after = balances(AFTER, world.ledger[1]);
            world.end(1).after = Some(after);
        },
        "atoms, its fills explain",
    ),
];

#[test]
fn whatever_does_not_fit_is_found() {
    let folder = Folder::new("check-finds");
    for (what, plant, expected) in PLANTED {
        let mut world = World::new();
        plant(&mut world);
        let report = world.check(&folder).unwrap();
        assert_eq!(report.verdict, Verdict::Fail, "{what}");
        let found = report
            .problems
            .iter()
            .any(|problem| problem.contains(expected));
        assert!(found, "{what}: {:#?}", report.problems);
    }
}

#[test]
fn what_was_not_answered_may_have_been_executed_or_not() {
    let folder = Folder::new("check-unknown");
    let mut world = World::new();
    world.messages[0].remove(2);
    let report = world.check(&folder).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.problems);
    assert_eq!(
        (report.unanswered_frames, report.unanswered_executed),
        (1, 1)
    );
    world.journal[2].frames.clear();
    world.journal[2].receipts.clear();
    let report = world.check(&folder).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.problems);
    assert_eq!(
        (report.unanswered_frames, report.unanswered_executed),
        (1, 0)
    );
}

#[test]
fn a_client_that_was_cut_off_may_miss_the_last_but_nothing_it_was_told() {
    let folder = Folder::new("check-cut");
    let mut world = World::new();
    world.clients[0].end = None;
    world.messages[0].truncate(2);
    world.messages[0][1] = world.messages[0][1].slice(..20);
    let report = world.check(&folder).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.problems);
    assert_eq!((report.cut_clients, report.answered_frames), (1, 2));
    world.journal[1].events.clear();
    let report = world.check(&folder).unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
}

#[test]
fn what_is_no_record_is_refused() {
    type Spoil = fn(&mut World);
    let spoilt: [(Spoil, &str); 6] = [
        (|world| world.first = sequence(4), "the journal begins at 4"),
        (|world| world.end(0).bytes = 1, "were written"),
        (|world| world.clients[0].format = 2, "format 2"),
        (
            |world| world.clients[0].genesis_hash = "00".repeat(32),
            "another network",
        ),
        (|world| world.clients[1].account = 0, "the same account"),
        (
            |world| world.messages[0][1] = Bytes::from_static(&[0; 16]),
            "MALFORMED",
        ),
    ];
    let folder = Folder::new("check-damaged");
    for (spoil, expected) in spoilt {
        let mut world = World::new();
        spoil(&mut world);
        let error = world.check(&folder).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let empty = Folder::new("check-empty");
    let error = Check::open(&empty.0, &genesis::development()).unwrap_err();
    assert!(
        error.to_string().contains("loadgen run --record"),
        "{error}"
    );
}

#[test]
fn a_record_has_a_folder_of_its_own() {
    let folder = Folder::new("record-folder");
    let inner = folder.0.join("new");
    assert!(crate::record::create_folder(&inner).is_ok());
    let error = crate::record::create_folder(&folder.0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not empty"), "{error}");
}
