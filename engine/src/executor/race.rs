//! Which of two ways to do the same is faster, found out by doing it.

/// The two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sequential,
    Parallel,
}

/// What either way took lately. Of each the best counts: whatever disturbs a run makes it longer.
#[derive(Debug, Default)]
pub(super) struct Race {
    recent: [Recent; 2],
    turns: u64,
}

/// The last runs of one way.
#[derive(Debug, Default)]
struct Recent {
    /// Picoseconds per command.
    costs: [u64; RECENT],
    runs: usize,
}

/// How many runs of a way are remembered.
const RECENT: usize = 8;

/// So often the way that is slower gets a run, since what blocks are made of changes. If it takes two
/// and a half times as long, that costs a fortieth.
const LOOK_AGAIN: u64 = 64;

impl Race {
    /// Who is to run next.
    pub(super) fn next(&mut self) -> Way {
        let [sequential, parallel] = self.recent.each_ref().map(Recent::best);
        let (faster, slower) = match (sequential, parallel) {
            (_, None) => return Way::Parallel,
            (None, _) => return Way::Sequential,
            (Some(sequential), Some(parallel)) if parallel < sequential => {
                (Way::Parallel, Way::Sequential)
            }
            _ => (Way::Sequential, Way::Parallel),
        };
        self.turns += 1;
        if self.turns.is_multiple_of(LOOK_AGAIN) {
            slower
        } else {
            faster
        }
    }

    /// A run of so many commands, not zero, took so many nanoseconds.
    pub(super) fn took(&mut self, way: Way, commands: u64, nanos: u64) {
        let recent = &mut self.recent[way as usize];
        recent.costs[recent.runs % RECENT] = nanos.saturating_mul(1_000) / commands;
        recent.runs += 1;
    }
}

impl Recent {
    fn best(&self) -> Option<u64> {
        self.costs[..self.runs.min(RECENT)].iter().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs it so often, and counts how often it was parallel.
    fn run(race: &mut Race, turns: u64, sequential: u64, parallel: u64) -> u64 {
        let mut count = 0;
        for _ in 0..turns {
            let way = race.next();
            count += u64::from(way == Way::Parallel);
            let cost = [sequential, parallel][way as usize];
            race.took(way, 100, cost * 100);
        }
        count
    }

    #[test]
    fn the_faster_way_runs_but_for_a_look_at_the_other() {
        let mut race = Race::default();
        assert_eq!(run(&mut race, 6_402, 400, 600), 1 + 100);
        let mut race = Race::default();
        assert_eq!(run(&mut race, 6_402, 600, 400), 6_402 - 1 - 100);
    }

    #[test]
    fn a_change_is_noticed() {
        let mut race = Race::default();
        run(&mut race, 1_000, 400, 600);
        // The next look at it finds that parallel is faster now.
        run(&mut race, LOOK_AGAIN, 400, 300);
        assert_eq!(run(&mut race, LOOK_AGAIN - 1, 400, 300), LOOK_AGAIN - 2);
    }

    #[test]
    fn a_disturbed_run_decides_nothing() {
        let mut race = Race::default();
        run(&mut race, 100, 400, 600);
        race.took(Way::Sequential, 100, 1_000_000_000);
        assert_eq!(race.next(), Way::Sequential);
    }
}
