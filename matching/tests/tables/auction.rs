//! Auctions: at which price, and who meets whom.

use crate::script::check;

#[test]
fn the_price_trades_most() {
    check(&[
        ("collect", ""),
        ("indication", "none"),
        ("rest bid 1 10@100", ""),
        ("indication", "none"),
        ("rest ask 2 4@101", ""),
        ("indication", "none"),
        ("rest ask 3 6@98", ""),
        ("indication", "6@100 over 4"),
        ("rest bid 4 3@102", ""),
        ("indication", "6@100 over 7"),
        ("rest ask 5 5@99", ""),
        ("indication", "11@100 over 2"),
        ("orders bid", "4 3@102, 1 10@100"),
        ("orders ask", "3 6@98, 5 5@99, 2 4@101"),
        (
            "uncross",
            "4 left 0 x 3 left 3: 3, 1 left 7 x 3 left 0: 3, 1 left 2 x 5 left 0: 5",
        ),
        ("top", "100 / 101"),
    ]);
}

#[test]
fn of_these_one_that_leaves_least_over() {
    // At 100 and below the bid of 2 is left over as well.
    check(&[
        ("collect", ""),
        ("rest ask 1 5@90", ""),
        ("rest bid 2 7@110", ""),
        ("rest bid 3 2@100", ""),
        ("indication", "5@110 over 2"),
    ]);
}

#[test]
fn bids_left_over_pull_it_up_and_asks_down() {
    check(&[
        ("collect", ""),
        ("rest bid 1 7@110", ""),
        ("rest ask 2 5@90", ""),
        ("indication last 95", "5@110 over 2"),
        ("reduce 1 by 4", "bid 1 a0 l0 3@110"),
        ("indication last 95", "3@90 over -2"),
    ]);
}

#[test]
fn else_it_stays_near_the_last_trade() {
    check(&[
        ("collect", ""),
        ("rest bid 1 5@110", ""),
        ("rest ask 2 5@91", ""),
        ("indication last 95", "5@95 over 0"),
        ("indication last 80", "5@91 over 0"),
        ("indication last 200", "5@110 over 0"),
        ("indication", "5@100 over 0"),
        // The next bid and the next ask narrow what leaves nothing over.
        ("rest bid 3 1@93", ""),
        ("rest ask 4 1@97", ""),
        ("indication last 80", "5@94 over 0"),
        ("indication last 200", "5@96 over 0"),
        ("indication", "5@95 over 0"),
    ]);
}

#[test]
fn between_neighbors_the_smaller_rest_decides() {
    check(&[
        ("collect", ""),
        ("rest bid 1 5@110", ""),
        ("rest ask 2 5@90", ""),
        ("rest bid 3 2@100", ""),
        ("rest ask 4 3@101", ""),
        ("indication last 105", "5@100 over 2"),
        ("reduce 4 by 2", "ask 4 a0 l0 1@101"),
        ("indication last 95", "5@101 over -1"),
        ("reduce 3 by 1", "bid 3 a0 l0 1@100"),
        ("indication last 105", "5@105 over -1"),
        ("indication last 95", "5@95 over 1"),
        ("indication", "5@100 over 1"),
    ]);
}

#[test]
fn icebergs_count_in_full_and_take_turns() {
    check(&[
        ("collect", ""),
        ("rest bid 1 5@100 show 2", ""),
        ("rest bid 2 3@100", ""),
        ("rest ask 3 7@100", ""),
        ("indication", "7@100 over 1"),
        (
            "uncross",
            "1 left 3 refreshed x 3 left 5: 2, 2 left 0 x 3 left 2: 3, \
             1 left 1 refreshed x 3 left 0: 2",
        ),
        ("orders bid", "1 1@100"),
    ]);
}

#[test]
fn uncrossing_goes_on_where_it_stopped() {
    check(&[
        ("collect", ""),
        ("rest bid 1 2@100", ""),
        ("rest bid 2 2@105", ""),
        ("rest ask 3 1@95", ""),
        ("rest ask 4 3@100", ""),
        ("indication", "4@100 over 0"),
        ("uncross max 1", "2 left 1 x 3 left 0: 1; more"),
        ("indication last 100", "3@100 over 0"),
        ("uncross max 1", "2 left 0 x 4 left 2: 1; more"),
        ("uncross max 1", "1 left 0 x 4 left 0: 2"),
        ("top", "- / -"),
        ("rest bid 5 1@100", ""),
        ("crosses ask 100", "true"),
    ]);
}
