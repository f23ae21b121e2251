//! Random programs in random orders, and what comes of running their steps one after the other.
//! Shared by the tests with real and virtual workers and by the one in which shuttle decides who runs.

use std::ops::Range;
#[cfg(not(feature = "shuttle"))]
use std::sync::Mutex;

#[cfg(feature = "shuttle")]
use shuttle::sync::Mutex;

use engine::parallel::{
    Access, Chaos, Commit, Estimate, Executor, Order, Storage, Transaction, Version,
};

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Mixes a value into what the transaction knows.
    Read(u32),
    /// Replaces a value by what it knows.
    Write(u32),
    /// Adds, and beside.
    Add(u32, i128),
    /// Takes so much if it is there.
    Take(u32, i128),
    /// Mixes its lane's state into what it knows, and changes it.
    Lane,
}

#[derive(Debug)]
pub(crate) struct Program<'a> {
    steps: Vec<(u32, Operation)>,
    lane: Option<&'a Mutex<Lane>>,
    number: u32,
}

/// Something that is changed in place: its state after every change, and who made it.
#[derive(Debug, Default)]
pub(crate) struct Lane(Vec<(u32, u64)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    values: Vec<u64>,
    amounts: Vec<(i128, i128)>,
}

impl Storage for Cells {
    type Value = u64;

    fn value(&self, location: u32) -> u64 {
        self.values[location as usize]
    }

    fn amount(&self, location: u32) -> i128 {
        self.amounts[location as usize].0
    }
}

/// What a transaction knows after each of its steps.
pub(crate) type Known = Vec<(u32, u64)>;

impl Transaction for Program<'_> {
    type Storage = Cells;
    type Output = Known;

    fn execute(&self, access: &mut Access<'_, Cells>) -> Result<Known, Estimate> {
        let mut lane = self.lane.map(|lane| lane.lock().unwrap());
        if let Some(lane) = &mut lane {
            let end = lane.0.partition_point(|(by, _)| *by < self.number);
            lane.0.truncate(end);
        }
        let mut known = u64::from(self.number);
        let mut all = Vec::new();
        for (position, operation) in &self.steps {
            access.at(*position);
            known = match *operation {
                Operation::Read(location) => mix(known ^ access.read(location)?),
                Operation::Write(location) => {
                    access.write(location, known);
                    mix(known)
                }
                Operation::Add(location, amount) => {
                    access.add(location, amount, amount / 2);
                    known
                }
                Operation::Take(location, amount) => {
                    let is_there = access.is_at_least(location, amount);
                    if is_there {
                        access.add(location, -amount, 0);
                    }
                    mix(known ^ u64::from(is_there))
                }
                Operation::Lane => {
                    let lane = lane.as_mut().unwrap();
                    let last = lane.0.last().map_or(0, |(_, state)| *state);
                    let state = mix(last ^ known);
                    lane.0.push((self.number, state));
                    state
                }
            };
            all.push((*position, known));
        }
        Ok(all)
    }
}

/// One after the other, by position.
fn oracle(programs: &[Program<'_>], cells: &mut Cells, lanes: usize) -> (Vec<Known>, Vec<u64>) {
    let mut steps: Vec<(u32, usize, Operation)> = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let all = program.steps.iter();
        steps.extend(all.map(|(position, operation)| (*position, number, *operation)));
    }
    steps.sort_by_key(|(position, ..)| *position);
    let mut known: Vec<u64> = (0..programs.len() as u64).collect();
    let mut all = vec![Known::new(); programs.len()];
    let mut states = vec![0; lanes];
    for (position, number, operation) in steps {
        let known = &mut known[number];
        *known = match operation {
            Operation::Read(location) => mix(*known ^ cells.values[location as usize]),
            Operation::Write(location) => {
                cells.values[location as usize] = *known;
                mix(*known)
            }
            Operation::Add(location, amount) => {
                cells.amounts[location as usize].0 += amount;
                cells.amounts[location as usize].1 += amount / 2;
                *known
            }
            Operation::Take(location, amount) => {
                let cell = &mut cells.amounts[location as usize].0;
                let is_there = amount <= *cell;
                if is_there {
                    *cell -= amount;
                }
                mix(*known ^ u64::from(is_there))
            }
            Operation::Lane => {
                let state = &mut states[number % lanes];
                *state = mix(*state ^ *known);
                *state
            }
        };
        all[number].push((position, *known));
    }
    (all, states)
}

/// Windows of as many transactions as there are lanes (one: none alternates), by turns.
pub(crate) struct Shape {
    lanes: usize,
    windows: u32,
    cells: u64,
    has_values: bool,
    has_amounts: bool,
    /// Whether each follows the one before it in its lane.
    has_lanes: bool,
}

impl Shape {
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn random(random: &mut Random) -> Self {
        let lanes = [1, 1, 2, 3, 5][random.below(5) as usize];
        Self {
            lanes,
            windows: 1 + random.below(if lanes == 1 { 24 } else { 6 }) as u32,
            cells: [1, 2, 4, 16][random.below(4) as usize],
            has_values: lanes == 1 && random.below(2) == 0,
            // Who meets no amounts meets estimates all the more often.
            has_amounts: lanes > 1 || random.below(3) > 0,
            has_lanes: random.below(3) > 0,
        }
    }

    /// Little of everything: the fewer steps, the larger the part of all schedules that is tried.
    #[cfg(feature = "shuttle")]
    pub(crate) fn small(random: &mut Random) -> Self {
        let lanes = [1, 1, 1, 2, 3][random.below(5) as usize];
        Self {
            lanes,
            windows: 2 + random.below(if lanes == 1 { 5 } else { 2 }) as u32,
            cells: 1 + random.below(2),
            has_values: lanes == 1 && random.below(4) > 0,
            // Who meets no amounts meets estimates all the more often.
            has_amounts: lanes > 1 || random.below(2) == 0,
            // Who has one lane to follow has nothing to be scheduled.
            has_lanes: random.below(if lanes == 1 { 8 } else { 2 }) == 0,
        }
    }

    fn operation(&self, random: &mut Random, has_lane: bool) -> Operation {
        let location = random.below(self.cells) as u32;
        let kinds = if self.has_amounts || !self.has_values {
            10
        } else {
            4
        };
        match random.below(kinds) {
            0 | 1 if self.has_values => Operation::Read(location),
            2 | 3 if self.has_values => Operation::Write(location),
            4 if has_lane => Operation::Lane,
            0..6 => Operation::Add(location, random.below(40) as i128),
            _ => Operation::Take(location, random.below(60) as i128),
        }
    }
}

fn programs<'a>(
    random: &mut Random,
    shape: &Shape,
    lanes: &'a [Mutex<Lane>],
) -> (Vec<Program<'a>>, Order) {
    let (mut programs, mut order) = (Vec::new(), Order::new());
    let has_lanes = shape.has_lanes;
    let mut position = 0;
    for window in 0..shape.windows {
        let first = programs.len() as u32;
        for (lane, state) in (0..).zip(lanes) {
            let previous = has_lanes && window > 0;
            let number = order.push(previous.then(|| first + lane - lanes.len() as u32));
            programs.push(Program {
                steps: Vec::new(),
                lane: has_lanes.then_some(state),
                number,
            });
        }
        order.end_window();
        for _ in 0..random.below(5 * shape.lanes as u64) {
            let lane = random.below(shape.lanes as u64) as u32;
            let program = &mut programs[(first + lane) as usize];
            program
                .steps
                .push((position, shape.operation(random, has_lanes)));
            position += 1;
        }
    }
    (programs, order)
}

/// Gathers what commits, and sees to the order.
pub(crate) struct Committed<'a> {
    pub(crate) outputs: &'a mut Vec<Known>,
}

impl Commit<Known> for Committed<'_> {
    fn commit(&mut self, window: Range<u32>, outputs: &mut dyn Iterator<Item = Known>) {
        assert_eq!(window.start as usize, self.outputs.len());
        self.outputs.extend(outputs);
        assert_eq!(window.end as usize, self.outputs.len());
    }
}

/// Fails one validation in so many, of the first incarnations, and yields.
#[derive(Debug)]
pub(crate) struct Disorder {
    pub(crate) seed: u64,
    pub(crate) fails_one_in: u64,
    pub(crate) yields: bool,
}

impl Chaos for Disorder {
    fn fails(&self, version: Version) -> bool {
        let at = u64::from(version.transaction) << 32 | u64::from(version.incarnation);
        version.incarnation < 3
            && self.fails_one_in > 0
            && mix(self.seed ^ at).is_multiple_of(self.fails_one_in)
    }

    fn pause(&self) {
        if self.yields {
            std::thread::yield_now();
        }
    }
}

struct Outcome {
    outputs: Vec<Known>,
    cells: Cells,
    lanes: Vec<u64>,
}

/// What a block has left goes into the cells.
pub(crate) fn apply(executor: &mut Executor<u64>, cells: &mut Cells) {
    let Cells { values, amounts } = cells;
    executor.drain(
        |location, added, aside| {
            amounts[location as usize].0 += added;
            amounts[location as usize].1 += aside;
        },
        |location, value| values[location as usize] = value,
    );
}

/// Runs programs in an order on top of cells; yields what each knew, and the cells after.
type RunProgram<'a> =
    &'a mut dyn FnMut(&mut Random, &[Program<'_>], &Order, &Cells) -> (Vec<Known>, Cells);

/// Runs the program of a seed, and panics with the seed if what comes of it is not what the oracle says.
pub(crate) fn check(seed: u64, shape: fn(&mut Random) -> Shape, run: RunProgram<'_>) {
    let mut random = Random(seed);
    let shape = shape(&mut random);
    let cells = Cells {
        values: (0..16).collect(),
        amounts: (0..16).map(|_| (random.below(100) as i128, 0)).collect(),
    };
    let lanes: Vec<_> = (0..shape.lanes).map(|_| Mutex::default()).collect();
    let (programs, order) = programs(&mut random, &shape, &lanes);
    let mut expected_cells = cells.clone();
    let (expected, states) = oracle(&programs, &mut expected_cells, shape.lanes);
    let (outputs, after) = run(&mut random, &programs, &order, &cells);
    let found = Outcome {
        outputs,
        cells: after,
        lanes: lanes
            .iter()
            .map(|lane| lane.lock().unwrap().0.last().map_or(0, |(_, state)| *state))
            .collect(),
    };
    assert_eq!(found.outputs, expected, "seed {seed}");
    assert_eq!(found.cells, expected_cells, "seed {seed}");
    assert_eq!(found.lanes, states, "seed {seed}");
}
