//! What the demonstration found: a line for each thing when it is found, or one object at the end, and
//! a verdict over what had to be so.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::{Failure, Outcome, print_text};

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    told: Map<String, Value>,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            told: Map::new(),
            failures: Vec::new(),
        }
    }

    /// Something to know.
    pub(super) fn tell(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).expect("it is text, a number or JSON already");
        self.print_line(name, &value);
        self.told.insert(name.to_owned(), value);
    }

    /// Something that is right or wrong.
    pub(super) fn check(&mut self, name: &str, value: impl Serialize, is_right: bool) {
        self.tell(name, value);
        if !is_right {
            let value = self.told(name);
            self.failures.push(format!("{name}: {value}"));
        }
    }

    /// Something that could not be done.
    pub(super) fn fail(&mut self, reason: String) {
        self.failures.push(reason);
    }

    /// What was told; null if it was not.
    pub(super) fn told(&self, name: &str) -> &Value {
        self.told.get(name).unwrap_or(&Value::Null)
    }

    /// The verdict. A bad one is printed with all that led to it, for a failure has only its reasons.
    pub(super) fn end(mut self) -> Outcome {
        let is_fine = self.failures.is_empty();
        let verdict = if is_fine { "pass" } else { "fail" };
        self.print_line("verdict", &verdict.to_uppercase().into());
        self.told.insert("verdict".to_owned(), verdict.into());
        let told = match self.json {
            true => Value::Object(self.told),
            false => Value::Object(Map::new()),
        };
        if is_fine {
            return Ok(told);
        }
        if self.json {
            print_or_not(&format!("{told}\n"));
        }
        Err(Failure::Failed(self.failures.join("; ")))
    }

    fn print_line(&self, name: &str, value: &Value) {
        if !self.json {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            print_or_not(&format!("{name:<21} {value}\n"));
        }
    }
}

/// A reader that went away must not end this program before it has ended what it started.
fn print_or_not(text: &str) {
    let _ = print_text(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_thing_makes_the_verdict() {
        let mut report = Report::new(true);
        report.tell("known", 7);
        report.check("right", "yes", true);
        let Ok(told) = report.end() else {
            panic!("nothing was wrong");
        };
        let expected = serde_json::json!({"known": 7, "right": "yes", "verdict": "pass"});
        assert_eq!(told, expected);
        let mut report = Report::new(true);
        report.check("wrong", 8, false);
        report.check("right", "yes", true);
        let Err(Failure::Failed(reasons)) = report.end() else {
            panic!("something was wrong");
        };
        assert_eq!(reasons, "wrong: 8");
        let mut report = Report::new(false);
        report.fail("no node".to_owned());
        let Err(Failure::Failed(reasons)) = report.end() else {
            panic!("something could not be done");
        };
        assert_eq!(reasons, "no node");
    }
}
