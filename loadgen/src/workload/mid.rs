//! The mid price of a market: a slow, mean-reverting random walk.
//!
//! The walk is drawn once per market and is then a pure function of time, where time is the number
//! of commands that a client has made. So clients that advance alike see the same mid without
//! sharing anything, and no client's commands depend on how fast another one is.

use types::Ticks;

use super::random::Random;

/// Where the walk is at home, in ticks. Far enough from zero that no price gets near it.
pub(crate) const MID_HOME: Ticks = Ticks::new(1_000_000);

/// How far the mid strays from home, in ticks, at most.
pub(crate) const MID_STRAY_MAX: i64 = 256;

/// The walk of one market.
#[derive(Clone, Debug)]
pub(crate) struct MidWalk {
    /// Distance from home in ticks. Walked forth and then back, so that the end meets the
    /// beginning without a jump.
    path: Vec<i16>,
}

impl MidWalk {
    pub(crate) fn new(mut random: Random) -> Self {
        // In small parts of a tick: a pull home of less than a tick must not be rounded away.
        let mut position = 0;
        let mut step = |_| {
            let noise = random.below(2 * STEP_MAX + 1) as i64 - STEP_MAX as i64;
            position += noise * PARTS_PER_TICK - position / REVERSION;
            let ticks = (position / PARTS_PER_TICK).clamp(-MID_STRAY_MAX, MID_STRAY_MAX);
            i16::try_from(ticks).expect("clamped to a few hundred ticks")
        };
        Self {
            path: (0..PATH_LENGTH).map(&mut step).collect(),
        }
    }

    /// The mid after `commands` commands of one client.
    pub(crate) fn at(&self, commands: u64) -> Ticks {
        let step = (commands / COMMANDS_PER_STEP) as usize % (2 * PATH_LENGTH);
        let index = step.min(2 * PATH_LENGTH - 1 - step);
        Ticks::new(MID_HOME.get().wrapping_add_signed(self.path[index].into()))
    }
}

/// Steps of a walk before it turns around.
const PATH_LENGTH: usize = 4_096;
/// How long the mid stands still.
const COMMANDS_PER_STEP: u64 = 512;
/// The longest step, in ticks.
const STEP_MAX: u64 = 1;
/// After so many steps most of the way back home is made.
const REVERSION: i64 = 1_024;
const PARTS_PER_TICK: i64 = 1 << 20;

const _: () = assert!(MID_STRAY_MAX < i16::MAX as i64 && MID_STRAY_MAX < MID_HOME.get() as i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_is_slow_stays_near_home_and_has_no_jumps() {
        let walk = MidWalk::new(Random::new(3, 0));
        let mids: Vec<i64> = (0..3 * PATH_LENGTH as u64)
            .map(|step| walk.at(step * COMMANDS_PER_STEP).get() as i64)
            .collect();
        let home = MID_HOME.get() as i64;
        let far = mids.iter().map(|mid| (mid - home).abs()).max();
        assert!(far > Some(10) && far <= Some(MID_STRAY_MAX), "{far:?}");
        let longest = STEP_MAX as i64 + 1;
        assert!(
            mids.windows(2)
                .all(|pair| (pair[0] - pair[1]).abs() <= longest)
        );
    }
}
