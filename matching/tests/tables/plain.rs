//! Orders without any special feature: price-time priority, cancels, labels, replaces.

use crate::script::check;

#[test]
fn better_prices_fill_first_and_older_orders_before_younger() {
    check(&[
        ("rest ask 1 5@101", ""),
        ("rest ask 2 5@100", ""),
        ("rest ask 3 5@101", ""),
        ("rest ask 4 5@100", ""),
        ("orders ask", "2 5@100, 4 5@100, 1 5@101, 3 5@101"),
        (
            "take bid 12@101",
            "2 5@100 left 0, 4 5@100 left 0, 1 2@101 left 3; filled 12",
        ),
        ("levels ask", "8@101 x2"),
        ("take bid 9@101", "1 3@101 left 0, 3 5@101 left 0; filled 8"),
        ("top", "- / -"),
    ]);
    check(&[
        ("rest bid 1 5@100", ""),
        ("rest bid 2 5@101", ""),
        ("rest bid 3 5@100", ""),
        (
            "take ask 11@100",
            "2 5@101 left 0, 1 5@100 left 0, 3 1@100 left 4; filled 11",
        ),
        ("top", "100 / -"),
    ]);
}

#[test]
fn a_partial_fill_keeps_its_place() {
    check(&[
        ("rest bid 1 10@50", ""),
        ("rest bid 2 10@50", ""),
        ("take ask 4@50", "1 4@50 left 6; filled 4"),
        ("take ask 4@50", "1 4@50 left 2; filled 4"),
        ("order 1", "bid 1 a0 l0 2@50 of 10"),
        ("take ask 4@50", "1 2@50 left 0, 2 2@50 left 8; filled 4"),
        ("levels bid", "8@50 x1"),
        ("rest bid 3 6@50 filled 5", ""),
        ("order 3", "bid 3 a0 l0 6@50 of 11"),
    ]);
}

#[test]
fn a_limit_is_a_limit() {
    check(&[
        ("rest ask 1 5@100", ""),
        ("rest ask 2 5@102", ""),
        ("crosses bid 99", "false"),
        ("crosses bid 100", "true"),
        ("crosses ask 1", "false"),
        ("take bid 20@99", "; filled 0"),
        ("take bid 20@101", "1 5@100 left 0; filled 5"),
        ("top", "- / 102"),
    ]);
}

#[test]
fn the_cap_on_fills_stops_a_taker() {
    check(&[
        ("rest ask 1 1@100", ""),
        ("rest ask 2 1@100", ""),
        ("rest ask 3 1@101", ""),
        ("take bid 9@101 max 0", "; filled 0 capped left 9"),
        ("take bid 9@99 max 0", "; filled 0"),
        (
            "take bid 9@101 max 2",
            "1 1@100 left 0, 2 1@100 left 0; filled 2 capped left 7",
        ),
        ("take bid 9@101 max 1", "3 1@101 left 0; filled 1"),
        ("rest ask 4 2@100", ""),
        ("take bid 1@100 max 1", "4 1@100 left 1; filled 1"),
    ]);
}

#[test]
fn all_or_nothing_counts_lots_and_fills() {
    check(&[
        ("fillable bid 1@100", "false"),
        ("rest ask 1 4@100", ""),
        ("rest ask 2 4@100", ""),
        ("rest ask 3 9@101", ""),
        ("fillable bid 8@100", "true"),
        ("fillable bid 9@100", "false"),
        ("fillable bid 9@101", "true"),
        ("fillable bid 17@101", "true"),
        ("fillable bid 18@101", "false"),
        ("fillable bid 4@100 max 1", "true"),
        ("fillable bid 5@100 max 1", "false"),
        ("fillable bid 9@101 max 2", "false"),
        ("fillable bid 9@101 max 3", "true"),
        ("fillable bid 8@101 max 2", "true"),
        ("fillable bid 17@101 max 3", "true"),
        ("fillable ask 1@1", "false"),
        ("levels ask", "8@100 x2, 9@101 x1"),
    ]);
}

#[test]
fn a_cancel_returns_the_order_and_only_once() {
    check(&[
        ("rest bid 1 a3 l9 10@50", ""),
        ("take ask 4@50", "1 4@50 left 6; filled 4"),
        ("order 1", "bid 1 a3 l9 6@50 of 10"),
        ("cancel 2", "none"),
        ("cancel 1", "bid 1 a3 l9 6@50 of 10"),
        ("cancel 1", "none"),
        ("order 1", "none"),
        ("top", "- / -"),
    ]);
}

#[test]
fn the_best_price_moves_over_any_distance() {
    check(&[
        ("rest bid 1 1@1", ""),
        ("rest ask 2 1@4294967294", ""),
        ("top", "1 / 4294967294"),
        ("rest bid 3 1@4294967293", ""),
        ("top", "4294967293 / 4294967294"),
        ("cancel 3", "bid 3 a0 l0 1@4294967293"),
        ("top", "1 / 4294967294"),
        ("take ask 1@1", "1 1@1 left 0; filled 1"),
        ("rest ask 4 1@1", ""),
        ("top", "- / 1"),
        (
            "take bid 2@4294967294",
            "4 1@1 left 0, 2 1@4294967294 left 0; filled 2",
        ),
        ("top", "- / -"),
    ]);
}

#[test]
fn the_largest_orders_fit() {
    check(&[
        ("rest ask 1 281474976710655@4294967294", ""),
        ("rest ask 2 281474976710655@4294967294", ""),
        ("levels ask", "562949953421310@4294967294 x2"),
        ("fillable bid 562949953421310@4294967294", "true"),
        ("fillable bid 562949953421311@4294967294", "false"),
        (
            "take bid 281474976710655@4294967294",
            "1 281474976710655@4294967294 left 0; filled 281474976710655",
        ),
    ]);
}

#[test]
fn labels_are_per_account_and_end_with_the_order() {
    check(&[
        ("rest bid 1 a1 l7 1@50", ""),
        ("rest bid 2 a2 l7 1@50", ""),
        ("rest bid 3 a1 l8 1@50", ""),
        ("rest bid 4 a1 1@50", ""),
        ("rest bid 5 a1 1@50", ""),
        ("labelled a1 l7", "1"),
        ("labelled a2 l7", "2"),
        ("labelled a2 l8", "none"),
        ("labelled a1 l0", "none"),
        ("cancel 1", "bid 1 a1 l7 1@50"),
        ("labelled a1 l7", "none"),
        ("labelled a2 l7", "2"),
        ("rest ask 6 a1 l7 1@60", ""),
        ("labelled a1 l7", "6"),
        ("take ask 1@50", "2 1@50 left 0; filled 1"),
        ("labelled a2 l7", "none"),
    ]);
}

#[test]
fn cancel_all_takes_the_owners_orders_oldest_first() {
    check(&[
        ("rest bid 1 a1 1@50", ""),
        ("rest ask 2 a1 1@60", ""),
        ("rest bid 3 a2 1@55", ""),
        ("rest bid 4 a1 1@58", ""),
        ("rest ask 5 a1 1@59", ""),
        ("open a1", "4"),
        ("open a2", "1"),
        ("open a3", "0"),
        ("cancel_all a3 both", ""),
        ("cancel_all a1 ask", "2, 5"),
        ("open a1", "2"),
        ("rest ask 6 a1 1@70", ""),
        ("cancel_all a1 both", "1, 4, 6"),
        ("open a1", "0"),
        ("cancel_all a1 both", ""),
        ("top", "55 / -"),
    ]);
}

#[test]
fn cancel_all_has_a_scope_of_prices() {
    check(&[
        ("rest bid 1 a1 1@50", ""),
        ("rest bid 2 a1 1@51", ""),
        ("rest bid 3 a2 1@51", ""),
        ("rest bid 4 a1 1@52", ""),
        ("rest ask 5 a1 1@53", ""),
        ("rest ask 6 a1 1@54", ""),
        ("cancel_all a1 both from 55 to 60", ""),
        ("cancel_all a1 both from 1 to 49", ""),
        ("cancel_all a1 ask from 51 to 53", "5"),
        ("cancel_all a1 both from 51 to 51", "2"),
        ("cancel_all a1 both from 50 to 54", "1, 4, 6"),
        ("top", "51 / -"),
    ]);
}

#[test]
fn an_order_that_shrinks_keeps_its_place() {
    check(&[
        ("rest bid 1 10@50", ""),
        ("rest bid 2 10@50", ""),
        ("reduce 3 by 1", "none"),
        ("reduce 1 by 0", "bid 1 a0 l0 10@50"),
        ("reduce 1 by 4", "bid 1 a0 l0 6@50"),
        ("levels bid", "16@50 x2"),
        ("take ask 1@50", "1 1@50 left 5; filled 1"),
        ("reduce 1 by 4", "bid 1 a0 l0 1@50 of 2"),
        ("take ask 2@50", "1 1@50 left 0, 2 1@50 left 9; filled 2"),
    ]);
}

#[test]
fn an_order_that_enters_again_keeps_its_id_and_goes_to_the_back() {
    check(&[
        ("rest bid 1 a1 l7 5@50", ""),
        ("rest bid 2 a1 5@50", ""),
        ("rest bid 3 a1 5@50", ""),
        ("take ask 2@50", "1 2@50 left 3; filled 2"),
        ("cancel 1", "bid 1 a1 l7 3@50 of 5"),
        ("rest bid 1 a1 l7 6@50 filled 2", ""),
        ("order 1", "bid 1 a1 l7 6@50 of 8"),
        ("labelled a1 l7", "1"),
        ("orders bid", "2 5@50, 3 5@50, 1 6@50"),
        ("cancel_all a1 both", "2, 3, 1"),
    ]);
}
