//! Protection: who has filled enough is pulled before anything else happens.

use crate::script::check;

#[test]
fn a_sweep_meets_no_more_than_the_guard_allows() {
    check(&[
        ("guard a1 lots 4", ""),
        ("rest ask 1 2@100 a1 protected", ""),
        ("rest ask 2 2@101 a1 protected", ""),
        ("rest ask 3 2@102 a1 protected", ""),
        ("rest bid 4 9@90 a1 protected", ""),
        ("rest ask 5 1@103 a1", ""),
        ("rest ask 6 1@102 a2 protected", ""),
        ("fillable bid 6@103", "true"),
        ("fillable bid 7@103", "false"),
        (
            "take bid 6@103",
            "1 2@100 left 0, 2 2@101 left 0, 3 pulled 2@102, 4 pulled 9@90, \
             6 1@102 left 0, 5 1@103 left 0; filled 6",
        ),
    ]);
}

#[test]
fn the_order_that_trips_it_is_pulled_with_the_others() {
    check(&[
        ("guard a1 lots 3", ""),
        ("rest ask 1 5@100 a1 protected", ""),
        ("take bid 2@100", "1 2@100 left 3; filled 2"),
        ("take bid 2@100", "1 2@100 left 1, 1 pulled 1@100; filled 2"),
    ]);
}

#[test]
fn what_is_pulled_is_no_meeting() {
    check(&[
        ("guard a1 lots 1", ""),
        ("rest ask 1 1@100 a1 protected", ""),
        ("rest ask 2 1@100 a1 protected", ""),
        ("rest ask 3 1@100 a2", ""),
        ("rest ask 4 1@100 a2", ""),
        ("fillable bid 2@100 max 2", "true"),
        ("fillable bid 3@100 max 2", "false"),
        (
            "take bid 3@100 max 2",
            "1 1@100 left 0, 2 pulled 1@100, 3 1@100 left 0; filled 2 capped left 1",
        ),
    ]);
}

#[test]
fn only_protected_orders_count_and_go() {
    check(&[
        ("guard a1 lots 1", ""),
        ("rest ask 1 3@100 a1", ""),
        ("rest ask 2 3@100 a1 protected", ""),
        ("take bid 3@100", "1 3@100 left 0; filled 3"),
        ("pull a1", "2"),
        ("pull a1", ""),
    ]);
}
