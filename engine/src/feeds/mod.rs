//! Feeds: numbered events with a running hash, from released outcomes alone.
//!
//! Pure, as everything here: whoever follows the same blocks comes to the same positions.

mod positions;

pub use positions::{NotPositions, Positions};
