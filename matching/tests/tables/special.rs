//! Icebergs, and orders that expire.

use crate::script::check;

#[test]
fn an_iceberg_shows_part_of_itself_and_loses_its_place_with_it() {
    check(&[
        ("rest ask 1 10@100 show 4", ""),
        ("rest ask 2 5@100", ""),
        ("order 1", "ask 1 a0 l0 10@100 shows 4 of 4"),
        ("levels ask", "9@100 x2 hides 6"),
        ("take bid 3@100", "1 3@100 left 7; filled 3"),
        ("order 1", "ask 1 a0 l0 7@100 of 10 shows 1 of 4"),
        ("take bid 1@100", "1 1@100 left 6 refreshed; filled 1"),
        ("orders ask", "2 5@100, 1 6@100"),
        ("levels ask", "9@100 x2 hides 2"),
        (
            "take bid 10@100",
            "2 5@100 left 0, 1 4@100 left 2 refreshed, 1 1@100 left 1; filled 10",
        ),
        ("order 1", "ask 1 a0 l0 1@100 of 10 shows 1 of 4"),
        ("levels ask", "1@100 x1"),
        ("take bid 3@100", "1 1@100 left 0; filled 1"),
        ("top", "- / -"),
    ]);
}

#[test]
fn what_an_iceberg_took_counts_before_what_it_shows() {
    check(&[
        ("rest bid 1 6@50 show 4 filled 9", ""),
        ("order 1", "bid 1 a0 l0 6@50 of 15 shows 4 of 4"),
        ("rest bid 2 3@50 show 4 filled 9", ""),
        ("order 2", "bid 2 a0 l0 3@50 of 12 shows 3 of 4"),
        ("levels bid", "7@50 x2 hides 2"),
        ("cancel 1", "bid 1 a0 l0 6@50 of 15 shows 4 of 4"),
        ("cancel 2", "bid 2 a0 l0 3@50 of 12 shows 3 of 4"),
    ]);
}

#[test]
fn an_iceberg_that_shrinks_loses_what_it_hides_first() {
    check(&[
        ("rest bid 1 10@50 show 4", ""),
        ("rest bid 2 1@50", ""),
        ("take ask 1@50", "1 1@50 left 9; filled 1"),
        ("reduce 1 by 5", "bid 1 a0 l0 4@50 of 5 shows 3 of 4"),
        ("levels bid", "4@50 x2 hides 1"),
        ("reduce 1 by 2", "bid 1 a0 l0 2@50 of 3 shows 2 of 4"),
        ("levels bid", "3@50 x2"),
        ("take ask 3@50", "1 2@50 left 0, 2 1@50 left 0; filled 3"),
    ]);
}

#[test]
fn icebergs_take_turns_and_each_turn_is_a_fill() {
    check(&[
        ("rest ask 1 5@100 show 2", ""),
        ("rest ask 2 1@100", ""),
        ("rest ask 3 4@100 show 1", ""),
        ("rest ask 4 9@101", ""),
        // 2, 1, 1; 2, 1; 1, 1; 1; 9
        ("fillable bid 10@100", "true"),
        ("fillable bid 11@100", "false"),
        ("fillable bid 4@100 max 3", "true"),
        ("fillable bid 5@100 max 3", "false"),
        ("fillable bid 6@100 max 4", "true"),
        ("fillable bid 7@100 max 4", "false"),
        ("fillable bid 8@100 max 6", "true"),
        ("fillable bid 9@100 max 6", "false"),
        ("fillable bid 10@100 max 7", "false"),
        ("fillable bid 10@100 max 8", "true"),
        ("fillable bid 11@101 max 8", "false"),
        ("fillable bid 19@101 max 9", "true"),
        ("fillable bid 20@101 max 9", "false"),
        (
            "take bid 11@101",
            "1 2@100 left 3 refreshed, 2 1@100 left 0, 3 1@100 left 3 refreshed, \
             1 2@100 left 1 refreshed, 3 1@100 left 2 refreshed, 1 1@100 left 0, \
             3 1@100 left 1 refreshed, 3 1@100 left 0, 4 1@101 left 8; filled 11",
        ),
    ]);
}

#[test]
fn the_cap_stops_a_taker_in_the_middle_of_an_iceberg() {
    check(&[
        ("rest ask 1 9@100 show 2", ""),
        (
            "take bid 9@100 max 2",
            "1 2@100 left 7 refreshed, 1 2@100 left 5 refreshed; filled 4 capped left 5",
        ),
        ("order 1", "ask 1 a0 l0 5@100 of 9 shows 2 of 2"),
    ]);
}

#[test]
fn orders_expire_by_time_and_then_by_id() {
    check(&[
        ("rest bid 1 1@50 until 30", ""),
        ("rest bid 2 1@50 until 10", ""),
        ("rest bid 5 1@50 until 20", ""),
        ("rest bid 3 1@51 until 20", ""),
        ("rest bid 4 1@50", ""),
        ("order 2", "bid 2 a0 l0 1@50 until 10"),
        ("expire now 9", ""),
        ("expire now 10", "2"),
        ("expire now 99 max 0", ""),
        ("expire now 99 max 1", "3"),
        ("expire now 99", "5, 1"),
        ("expire now 99", ""),
        ("orders bid", "4 1@50"),
    ]);
}

#[test]
fn whose_time_is_over_does_not_trade() {
    check(&[
        ("rest ask 1 5@100 until 10", ""),
        ("rest ask 2 5@100 until 11", ""),
        ("rest ask 3 9@100 show 2 until 10", ""),
        ("rest ask 4 5@101", ""),
        ("fillable bid 19@100 now 9", "true"),
        ("fillable bid 5@100 now 10", "true"),
        ("fillable bid 6@100 now 10", "false"),
        ("fillable bid 10@101 now 10", "true"),
        ("fillable bid 10@101 now 10 max 3", "false"),
        ("fillable bid 10@101 now 10 max 4", "true"),
        ("fillable bid 6@101 now 11 max 4", "false"),
        (
            "take bid 6@101 now 10 max 3",
            "1 expired 5@100, 2 5@100 left 0, 3 expired 9@100; filled 5 capped left 1",
        ),
        ("take bid 6@101 now 10", "4 5@101 left 0; filled 5"),
        ("expire now 99", ""),
    ]);
}

#[test]
fn an_order_that_leaves_early_does_not_expire_later() {
    check(&[
        ("rest ask 1 5@100 until 10", ""),
        ("rest ask 2 5@100 until 12", ""),
        ("rest ask 3 5@100 until 11", ""),
        ("cancel 3", "ask 3 a0 l0 5@100 until 11"),
        ("take bid 7@100", "1 5@100 left 0, 2 2@100 left 3; filled 7"),
        ("rest ask 3 5@100", ""),
        ("rest ask 1 5@100 until 13", ""),
        ("expire now 12", "2"),
        ("expire now 13", "1"),
        ("orders ask", "3 5@100"),
    ]);
}

#[test]
fn who_queues_anew_goes_to_the_back_and_is_what_it_was() {
    check(&[
        ("rest ask 1 10@100 show 4 filled 2 a1 l7", ""),
        ("rest ask 2 5@100 a1", ""),
        ("requeue 1 9@100", ""),
        ("orders ask", "2 5@100, 1 9@100"),
        ("order 1", "ask 1 a1 l7 9@100 of 11 shows 4 of 4"),
        ("levels ask", "9@100 x2 hides 5"),
        ("labelled a1 l7", "1"),
        ("requeue 1 3@90", ""),
        ("order 1", "ask 1 a1 l7 3@90 of 5 shows 3 of 4"),
        ("levels ask", "3@90 x1, 5@100 x1"),
        ("requeue 1 6@101", ""),
        ("levels ask", "5@100 x1, 4@101 x1 hides 2"),
        ("take bid 1@100", "2 1@100 left 4; filled 1"),
        ("requeue 2 7@102", ""),
        ("order 2", "ask 2 a1 l0 7@102 of 8"),
        ("cancel_all a1", "1, 2"),
        ("top", "- / -"),
    ]);
}
