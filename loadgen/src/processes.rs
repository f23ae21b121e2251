//! A run over several processes: one generator is one thread, and a fast node outruns it.
//!
//! The parent starts this program again for each part of the clients, lets all of them open their
//! sessions, starts them together, and merges what they saw as if it had been one run: the schedule is
//! that of all clients, so who sends a frame makes no difference to when it is meant to be sent. Parts
//! talk in lines of JSON: see `Said`. They start within the time in which a line reaches a process.
//!
//! Start with [`run_processes`] for the parent, [`run_part`] for its children.

use std::ffi::OsString;
use std::io::{BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::node_metrics::NodeFigures;
use crate::report::RunReport;
use crate::run::{Progress, RunOptions, measure};
use crate::tally::Tally;

/// Which clients of a run are this process's: those whose number leaves this remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The remainder, below `of`.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Part {
    /// Whether this client is one of this part.
    pub(crate) const fn has(&self, client: u32) -> bool {
        client % self.of == self.index
    }
}

/// What a part tells its parent, a line each.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// All sessions are open.
    Ready,
    /// So far.
    Progress { elapsed: Duration, orders: u64 },
    /// The end, with all that was seen.
    Done(Box<PartReport>),
    /// There is no report.
    Failed(String),
}

/// What one part measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PartReport {
    pub(crate) tally: Tally,
    /// CPU time of its process while it measured.
    pub(crate) cpu: Duration,
    /// The node's side, or why it could not be read; from the part that was asked for it.
    pub(crate) node: Option<Result<NodeFigures, String>>,
}

impl PartReport {
    /// The report of a run that this is all of.
    pub(crate) fn report(self, options: &RunOptions) -> RunReport {
        let mut report = RunReport::new(options, &self.tally, self.cpu);
        if let Some(node) = self.node {
            report.add_node(node);
        }
        report
    }
}

/// Runs in so many processes, each started with `arguments` behind its part, and reports.
pub fn run_processes(
    options: &RunOptions,
    processes: u32,
    arguments: &[OsString],
    mut progress: impl FnMut(Progress),
) -> Result<RunReport, LoadError> {
    options.check()?;
    if processes == 0 || options.clients < processes {
        let clients = options.clients;
        return Err(LoadError::Options(format!(
            "{clients} clients are for 1 to {clients} processes, not for {processes}"
        )));
    }
    let (mut parts, said) = Parts::start(processes, arguments)?;
    let mut ready = 0;
    while ready < processes {
        match parts.hear(&said)? {
            (_, Said::Ready) => ready += 1,
            (index, other) => return Err(out_of_turn(index, &other)),
        }
    }
    parts.go()?;
    let mut orders = vec![0; processes as usize];
    let mut total = PartReport {
        tally: Tally::new(),
        cpu: Duration::ZERO,
        node: None,
    };
    let mut done = 0;
    while done < processes {
        match parts.hear(&said)? {
            (index, Said::Progress { elapsed, orders: n }) => {
                orders[index as usize] = n;
                progress(Progress {
                    elapsed,
                    total: options.warm_up + options.duration,
                    orders: orders.iter().sum(),
                    watch: None,
                });
            }
            (_, Said::Done(report)) => {
                total.tally.merge(&report.tally);
                total.cpu += report.cpu;
                total.node = total.node.or(report.node);
                done += 1;
            }
            (index, other) => return Err(out_of_turn(index, &other)),
        }
    }
    parts.wait()?;
    Ok(total.report(options))
}

/// One part, in the process that the parent started for it: speaks to the parent over standard input
/// and output. Fails only if nobody listens.
pub fn run_part(options: &RunOptions, part: Part) -> Result<(), LoadError> {
    let options = RunOptions {
        part: Some(part),
        // Once is enough.
        metrics: options.metrics.filter(|_| part.index == 0),
        ..options.clone()
    };
    let gate = || {
        say(&Said::Ready)?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        match line.as_str() {
            GO => Ok(()),
            _ => Err(LoadError::Part("the parent has gone".to_owned())),
        }
    };
    let measured = measure(&options, gate, |progress| {
        // A parent that has gone is found out when the report is due.
        let _ = say(&Said::Progress {
            elapsed: progress.elapsed,
            orders: progress.orders,
        });
    });
    match measured {
        Ok(report) => say(&Said::Done(Box::new(report))),
        Err(error) => say(&Said::Failed(error.to_string())),
    }
}

fn say(said: &Said) -> Result<(), LoadError> {
    let mut line = serde_json::to_string(said).map_err(std::io::Error::from)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

fn out_of_turn(index: u32, said: &Said) -> LoadError {
    LoadError::Part(match said {
        Said::Failed(why) => why.clone(),
        other => format!("process {index} said {other:?} out of turn"),
    })
}

/// What starts a part.
const GO: &str = "go\n";

/// The processes; those that still run when it is dropped are ended.
struct Parts(Vec<(Child, ChildStdin)>);

/// A part's index and what it said; `None`: nothing more.
type Heard = (u32, Option<Said>);

impl Parts {
    fn start(processes: u32, arguments: &[OsString]) -> Result<(Self, Receiver<Heard>), LoadError> {
        let program = std::env::current_exe()?;
        let (sender, receiver) = channel();
        let mut parts = Self(Vec::new());
        for index in 0..processes {
            let mut child = Command::new(&program)
                .args(["part", "--index", &index.to_string()])
                .args(["--of", &processes.to_string()])
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let input = child.stdin.take().expect("it is a pipe");
            let output = child.stdout.take().expect("it is a pipe");
            parts.0.push((child, input));
            let sender = sender.clone();
            std::thread::spawn(move || listen(index, BufReader::new(output), &sender));
        }
        Ok((parts, receiver))
    }

    fn hear(&self, said: &Receiver<Heard>) -> Result<(u32, Said), LoadError> {
        let heard = said.recv();
        let gone = |index: u32| LoadError::Part(format!("process {index} ended too early"));
        match heard {
            Ok((index, Some(said))) => Ok((index, said)),
            Ok((index, None)) => Err(gone(index)),
            Err(_) => Err(gone(0)),
        }
    }

    fn go(&mut self) -> Result<(), LoadError> {
        for (_, input) in &mut self.0 {
            input.write_all(GO.as_bytes())?;
        }
        Ok(())
    }

    /// Until all have ended by themselves.
    fn wait(mut self) -> Result<(), LoadError> {
        for (child, _) in &mut self.0 {
            child.wait()?;
        }
        self.0.clear();
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for (child, _) in &mut self.0 {
            // One that has ended meanwhile is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Passes on what one part says. After its report the end of its output is no news.
fn listen(index: u32, mut output: impl std::io::BufRead, sender: &Sender<Heard>) {
    let mut line = String::new();
    loop {
        line.clear();
        let read = output.read_line(&mut line);
        let said = match read {
            Ok(length) if 0 < length => serde_json::from_str(&line).ok(),
            _ => None,
        };
        let is_last = matches!(said, None | Some(Said::Done(_) | Said::Failed(_)));
        if sender.send((index, said)).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_of_one_part() {
        for of in 1..5 {
            for client in 0..20 {
                let parts = (0..of).filter(|&index| Part { index, of }.has(client));
                assert_eq!(parts.count(), 1, "{client} of {of}");
            }
        }
    }

    #[test]
    fn what_a_part_says_is_heard_until_its_end() {
        let text = ["\"Ready\"", "{\"Failed\":\"no node\"}", "\"Ready\""].join("\n");
        let (sender, receiver) = channel();
        listen(7, text.as_bytes(), &sender);
        listen(8, &b"nonsense\n"[..], &sender);
        drop(sender);
        let heard: Vec<Heard> = receiver.iter().collect();
        assert!(matches!(
            heard[..],
            [
                (7, Some(Said::Ready)),
                (7, Some(Said::Failed(_))),
                (8, None)
            ]
        ));
    }

    #[test]
    fn more_processes_than_clients_are_refused() {
        let options = RunOptions::development(([127, 0, 0, 1], 1).into());
        for processes in [0, 5] {
            let error = run_processes(&options, processes, &[], |_| ()).unwrap_err();
            assert!(error.to_string().contains("1 to 4 processes"), "{error}");
        }
    }
}
