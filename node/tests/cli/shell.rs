//! A `keel client` process that tests talk to line by line, and the lines that they say.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Node, keel};

/// Longer than any answer takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client process.
pub(crate) struct Shell {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    events: VecDeque<Value>,
}

impl Shell {
    /// Connects with a development key.
    pub(crate) fn connect(node: &Node, key: &str) -> Self {
        Self::connect_with(node, &["--key", key])
    }

    /// Connects with these arguments.
    pub(crate) fn connect_with(node: &Node, arguments: &[&str]) -> Self {
        let mut process = keel()
            .args(["client", "--connect", &node.address.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                // A test that failed listens no more.
                let _ = sender.send(line.unwrap());
            }
        });
        Self {
            input: process.stdin.take(),
            process,
            lines,
            events: VecDeque::new(),
        }
    }

    /// Says one line and returns its reply. Events that come before it are kept.
    pub(crate) fn say(&mut self, line: &str) -> Value {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        loop {
            let reply = self.hear();
            if reply.get("event").is_none() {
                return reply;
            }
            self.events.push_back(reply);
        }
    }

    /// As [`Shell::say`], for a command in JSON.
    pub(crate) fn ask(&mut self, command: &Value) -> Value {
        self.say(&command.to_string())
    }

    /// Asks, and expects a reply that [`includes`] this.
    pub(crate) fn check(&mut self, command: &Value, expected: &Value) -> Value {
        let reply = self.ask(command);
        assert!(
            includes(&reply, expected),
            "{command}\n     got {reply}\nexpected {expected}"
        );
        reply
    }

    /// The next event that no reply has told.
    pub(crate) fn later_event(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.hear(),
        }
    }

    /// Ends the input and waits for the process.
    pub(crate) fn close(mut self) -> ExitStatus {
        self.input = None;
        self.process.wait().unwrap()
    }

    fn hear(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // After `close` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether everything that is expected is there; objects may have more.
pub(crate) fn includes(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let has = |(key, value)| found.get(key).is_some_and(|found| includes(found, value));
            expected.iter().all(has)
        }
        (Value::Array(found), Value::Array(expected)) => {
            let pairs = || found.iter().zip(expected);
            found.len() == expected.len() && pairs().all(|(f, e)| includes(f, e))
        }
        _ => found == expected,
    }
}

/// Each name that is expected must have exactly this value; there may be more names.
#[track_caller]
pub(crate) fn assert_has(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name} of {found}");
    }
}

/// A limit order in `BTC-USD`.
pub(crate) fn place(side: &str, price: &str, quantity: &str) -> Value {
    json!({"op": "place", "market": "BTC-USD", "side": side, "price": price, "quantity": quantity})
}

/// The same line with one more field.
pub(crate) fn with(mut line: Value, field: &str, value: impl Into<Value>) -> Value {
    line[field] = value.into();
    line
}

pub(crate) fn cancel(order_id: &Value) -> Value {
    json!({"op": "cancel", "order_id": order_id})
}

/// A line without arguments.
pub(crate) fn op(name: &str) -> Value {
    json!({ "op": name })
}

/// What an accepted command includes.
pub(crate) fn accepted() -> Value {
    json!({"status": "accepted"})
}

/// What a rejected command includes.
pub(crate) fn rejected(reason: &str) -> Value {
    json!({"status": "rejected", "reason": reason})
}
