//! Where a taker meets orders of its own group.

use crate::script::check;

#[test]
fn own_orders_trade_if_that_is_allowed() {
    check(&[
        ("rest ask 1 a1 5@100", ""),
        ("fillable bid a11 5@100", "true"),
        ("take bid a11 5@100", "1 5@100 left 0; filled 5"),
    ]);
}

#[test]
fn cancel_taker_stops_at_the_first_own_order() {
    check(&[
        ("rest ask 1 a2 5@100", ""),
        ("rest ask 2 a1 5@100", ""),
        ("rest ask 3 a2 5@100", ""),
        ("fillable bid a11 5@100 cancel_taker", "true"),
        ("fillable bid a11 6@100 cancel_taker", "false"),
        ("fillable bid a12 5@100 cancel_taker", "false"),
        ("fillable bid a13 15@100 cancel_taker", "true"),
        (
            "take bid a11 9@100 cancel_taker",
            "1 5@100 left 0; filled 5 self trade left 4",
        ),
        (
            "take bid a1 1@100 cancel_taker",
            "; filled 0 self trade left 1",
        ),
        ("take bid a1 1@99 cancel_taker", "; filled 0"),
        (
            "take bid a1 1@100 cancel_taker max 0",
            "; filled 0 capped left 1",
        ),
        ("orders ask", "2 5@100, 3 5@100"),
    ]);
}

#[test]
fn cancel_maker_goes_on_behind_own_orders() {
    check(&[
        ("rest ask 1 a2 5@100", ""),
        ("rest ask 2 a1 5@100 show 1", ""),
        ("rest ask 3 a2 5@100", ""),
        ("fillable bid a11 10@100 cancel_maker", "true"),
        ("fillable bid a11 11@100 cancel_maker", "false"),
        ("fillable bid a11 10@100 cancel_maker max 3", "true"),
        ("fillable bid a11 10@100 cancel_maker max 2", "false"),
        (
            "take bid a11 9@100 cancel_maker max 2",
            "1 5@100 left 0, 2 cancelled 5@100; filled 5 capped left 4",
        ),
        (
            "take bid a11 9@100 cancel_maker",
            "3 5@100 left 0; filled 5",
        ),
    ]);
}

#[test]
fn cancel_both_ends_both() {
    check(&[
        ("rest ask 1 a2 5@100", ""),
        ("rest ask 2 a1 5@100", ""),
        ("rest ask 3 a2 5@100", ""),
        ("fillable bid a11 5@100 cancel_both", "true"),
        ("fillable bid a11 6@100 cancel_both", "false"),
        (
            "take bid a11 9@100 cancel_both",
            "1 5@100 left 0, 2 cancelled 5@100; filled 5 self trade left 4",
        ),
        ("orders ask", "3 5@100"),
    ]);
}

#[test]
fn decrement_shrinks_both_by_the_smaller() {
    check(&[
        ("rest ask 1 a2 5@100", ""),
        ("rest ask 2 a1 5@100", ""),
        ("rest ask 3 a1 9@100", ""),
        ("fillable bid a11 5@100 decrement", "true"),
        ("fillable bid a11 6@100 decrement", "false"),
        (
            "take bid a11 13@100 decrement",
            "1 5@100 left 0, 2 reduced 5 left 0, 3 reduced 3 left 6; filled 5 self trade",
        ),
        ("order 3", "ask 3 a1 l0 6@100"),
        ("take bid a2 1@100 decrement", "3 1@100 left 5; filled 1"),
        ("order 3", "ask 3 a1 l0 5@100 of 6"),
        (
            "take bid a1 5@100 decrement",
            "3 reduced 5 left 0; filled 0 self trade",
        ),
        ("top", "- / -"),
    ]);
}

#[test]
fn a_decremented_taker_goes_on_with_what_is_left() {
    check(&[
        ("rest ask 1 a1 4@100", ""),
        ("rest ask 2 a2 4@100", ""),
        ("rest ask 3 a2 4@101", ""),
        (
            "take bid a11 10@101 decrement max 2",
            "1 reduced 4 left 0, 2 4@100 left 0; filled 4 capped left 2",
        ),
        ("rest ask 4 a1 1@101", ""),
        ("rest ask 5 a1 1@100", ""),
        (
            "take bid a11 5@101 decrement",
            "5 reduced 1 left 0, 3 4@101 left 0; filled 4",
        ),
        ("orders ask", "4 1@101"),
    ]);
}

#[test]
fn a_decremented_iceberg_keeps_its_place_and_loses_what_it_hides_first() {
    check(&[
        ("rest ask 1 a1 10@100 show 4", ""),
        ("rest ask 2 a2 4@100", ""),
        (
            "take bid a11 5@100 decrement",
            "1 reduced 5 left 5; filled 0 self trade",
        ),
        ("order 1", "ask 1 a1 l0 5@100 shows 4 of 4"),
        (
            "take bid a11 3@100 decrement",
            "1 reduced 3 left 2; filled 0 self trade",
        ),
        ("order 1", "ask 1 a1 l0 2@100 shows 2 of 4"),
        ("orders ask", "1 2@100, 2 4@100"),
        (
            "take bid a11 3@100 decrement",
            "1 reduced 2 left 0, 2 1@100 left 3; filled 1",
        ),
    ]);
}

#[test]
fn own_orders_behind_an_iceberg_hide_its_later_parts() {
    check(&[
        ("rest ask 1 a2 6@100 show 2", ""),
        ("rest ask 2 a1 5@100", ""),
        ("fillable bid a11 2@100 decrement", "true"),
        ("fillable bid a11 3@100 decrement", "false"),
        ("fillable bid a11 6@100 cancel_maker", "true"),
        ("fillable bid a11 6@100 cancel_maker max 3", "false"),
        ("fillable bid a11 6@100 cancel_maker max 4", "true"),
        (
            "take bid a11 6@100 cancel_maker",
            "1 2@100 left 4 refreshed, 2 cancelled 5@100, 1 2@100 left 2 refreshed, \
             1 2@100 left 0; filled 6",
        ),
    ]);
}

#[test]
fn own_orders_whose_time_is_over_are_in_nobodys_way() {
    check(&[
        ("rest ask 1 a1 5@100 until 10", ""),
        ("rest ask 2 a2 5@100", ""),
        ("fillable bid a1 5@100 cancel_taker now 9", "false"),
        ("fillable bid a1 5@100 cancel_taker now 10", "true"),
        (
            "take bid a1 5@100 cancel_taker now 10",
            "1 expired 5@100, 2 5@100 left 0; filled 5",
        ),
    ]);
}
