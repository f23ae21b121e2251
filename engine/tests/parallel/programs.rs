//! The library alone: random programs in random orders on real and on virtual workers, compared with
//! running their steps one after the other.

use std::ops::Range;
use std::sync::Mutex;

use engine::parallel::simulation::Costs;
use engine::parallel::workers::{Pool, Workers};
use engine::parallel::{
    Access, Chaos, Commit, Estimate, Executor, Order, Storage, Transaction, Version,
};

/// SplitMix64.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Clone, Copy, Debug)]
enum Operation {
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
struct Program<'a> {
    steps: Vec<(u32, Operation)>,
    lane: Option<&'a Mutex<Lane>>,
    number: u32,
}

/// Something that is changed in place: its state after every change, and who made it.
#[derive(Debug, Default)]
struct Lane(Vec<(u32, u64)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cells {
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
type Known = Vec<(u32, u64)>;

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
struct Shape {
    lanes: usize,
    windows: u32,
    cells: u64,
    has_values: bool,
}

impl Shape {
    fn random(random: &mut Random) -> Self {
        let lanes = [1, 1, 2, 3, 5][random.below(5) as usize];
        Self {
            lanes,
            windows: 1 + random.below(if lanes == 1 { 24 } else { 6 }) as u32,
            cells: [1, 2, 4, 16][random.below(4) as usize],
            has_values: lanes == 1 && random.below(2) == 0,
        }
    }

    fn operation(&self, random: &mut Random, has_lane: bool) -> Operation {
        let location = random.below(self.cells) as u32;
        match random.below(10) {
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
    let has_lanes = random.below(3) > 0;
    let mut position = 0;
    for window in 0..shape.windows {
        let first = programs.len() as u32;
        for lane in 0..shape.lanes {
            let previous = has_lanes && window > 0;
            let number = order.push(previous.then(|| first + lane as u32 - shape.lanes as u32));
            programs.push(Program {
                steps: Vec::new(),
                lane: has_lanes.then(|| &lanes[lane]),
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
struct Committed<'a> {
    outputs: &'a mut Vec<Known>,
}

impl Commit<Known> for Committed<'_> {
    fn commit(&mut self, window: Range<u32>, outputs: &mut dyn Iterator<Item = Known>) {
        assert_eq!(window.start as usize, self.outputs.len());
        self.outputs.extend(outputs);
        assert_eq!(window.end as usize, self.outputs.len());
    }
}

/// Everything takes as long as chance will have it.
pub(crate) struct Dice(Random, u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random(seed), 0)
    }
}

impl Costs for Dice {
    fn now(&mut self) -> u64 {
        let longest = [1, 10, 1_000][self.0.below(3) as usize];
        self.1 += self.0.below(longest);
        self.1
    }

    fn locked(&mut self, call: u64) -> u64 {
        call
    }

    fn wake(&mut self) -> u64 {
        self.0.below(500)
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

fn apply(executor: &mut Executor<u64>, cells: &mut Cells) {
    let Cells { values, amounts } = cells;
    executor.drain(
        |location, added, aside| {
            amounts[location as usize].0 += added;
            amounts[location as usize].1 += aside;
        },
        |location, value| values[location as usize] = value,
    );
}

fn check(
    seed: u64,
    run: &mut dyn FnMut(&mut Random, &[Program<'_>], &Order, &Cells) -> (Vec<Known>, Cells),
) {
    let mut random = Random(seed);
    let shape = Shape::random(&mut random);
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

#[test]
fn virtual_workers_have_the_effect_of_one_after_the_other() {
    let mut executor = Executor::new(16, 16);
    let (mut aborts, mut suspensions) = (0, 0);
    for seed in 0..6_000 {
        check(seed, &mut |random, programs, order, cells| {
            let workers = 1 + random.below(8) as usize;
            let disorder = Disorder {
                seed,
                fails_one_in: [0, 0, 3, 10][random.below(4) as usize],
                yields: false,
            };
            let mut dice = Dice::new(seed ^ 0xd1ce);
            let mut outputs = Vec::new();
            let commit = Committed {
                outputs: &mut outputs,
            };
            let block = (programs, order);
            let place = (
                workers,
                &mut dice as &mut dyn Costs,
                Some(&disorder as &dyn Chaos),
            );
            let (counts, _) = executor.simulate(block, cells, commit, place);
            aborts += counts.aborts;
            suspensions += counts.suspensions;
            let mut cells = cells.clone();
            apply(&mut executor, &mut cells);
            (outputs, cells)
        });
    }
    assert!(
        aborts > 10_000 && suspensions > 50,
        "{aborts} {suspensions}"
    );
}

#[test]
fn real_workers_have_the_effect_of_one_after_the_other() {
    for workers in [1, 2, 3, 4, 8] {
        let pool = Pool::new(workers).unwrap();
        let mut executor = Executor::new(16, 16);
        for seed in 0..400 {
            check(seed, &mut |random, programs, order, cells| {
                let disorder = Disorder {
                    seed,
                    fails_one_in: [0, 3][random.below(2) as usize],
                    yields: random.below(2) == 0,
                };
                let mut outputs = Vec::new();
                let commit = Committed {
                    outputs: &mut outputs,
                };
                let place: (&dyn Workers, Option<&dyn Chaos>) = (&pool, Some(&disorder));
                executor.run((programs, order), cells, commit, place);
                let mut cells = cells.clone();
                apply(&mut executor, &mut cells);
                (outputs, cells)
            });
        }
    }
}
