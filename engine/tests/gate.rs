//! The release gate never lets an outcome out before its block is durable.

use engine::gate::ReleaseGate;
use types::Height;
use types::block::ReleasedBlock;

fn executed(height: u64) -> ReleasedBlock {
    let mut block = ReleasedBlock::default();
    block.outcome.height = Height::new(height);
    block
}

#[test]
fn outcomes_leave_in_order_and_only_when_durable() {
    let mut gate = ReleaseGate::after(Height::new(4));
    let released = |gate: &mut ReleaseGate| gate.release().map(|block| block.outcome.height.get());
    assert_eq!(released(&mut gate), None);
    gate.executed(executed(5));
    gate.executed(executed(6));
    assert_eq!(released(&mut gate), None);
    gate.durable(Height::new(5));
    assert_eq!(released(&mut gate), Some(5));
    assert_eq!(released(&mut gate), None);
    // The journal may be ahead of the executor.
    gate.durable(Height::new(8));
    assert_eq!(released(&mut gate), Some(6));
    gate.executed(executed(7));
    assert_eq!(released(&mut gate), Some(7));
    assert_eq!(gate.waiting(), 0);
}

#[test]
#[should_panic(expected = "a durable mark never moves back")]
fn a_durable_mark_never_moves_back() {
    let mut gate = ReleaseGate::after(Height::new(4));
    gate.durable(Height::new(3));
}

#[test]
#[should_panic(expected = "left == right")]
fn blocks_come_in_order() {
    ReleaseGate::after(Height::new(4)).executed(executed(6));
}
