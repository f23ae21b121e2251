//! The page of `loadgen run --html`, opened in a real browser: every figure of the JSON report must
//! be read back from it, and nothing else may be on it. And what the clients of that run saw, held
//! against the journal: it must fit, and must not once a byte of an answer was changed.
//!
//! The browser's DOM is read, not the file: what a broken tag hides is not on the page.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::node::{Folder, Node, binary, build, target};
use crate::project::{Failure, Project};

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    find_browser(project)?;
    build(project, &[])?;
    // They stay, so that one can look at them.
    let kept = target(project).join("report");
    std::fs::create_dir_all(&kept)
        .map_err(|error| Failure::new(format!("{}: {error}", kept.display())))?;
    let (json, html) = (kept.join("report.json"), kept.join("report.html"));
    let folder = Folder::new("report")?;
    load(project, &folder.path, &json, &html)?;
    let browser = |arguments: &[&str]| {
        let mut browser = project.command(BROWSER);
        browser.args(["--headless=new", "--no-sandbox", "--disable-gpu"]);
        browser.arg("--hide-scrollbars").args(arguments);
        browser.arg(format!("--user-data-dir={}", folder.path.display()));
        browser.arg(format!("file://{}", html.display()));
        project.capture(browser)
    };
    let dom = browser(&["--dump-dom"])?;
    let picture = kept.join("report.png");
    let option = format!("--screenshot={}", picture.display());
    browser(&[&option, "--window-size=1240,2400"])?;
    let text = std::fs::read_to_string(&json)
        .map_err(|error| Failure::new(format!("{}: {error}", json.display())))?;
    let report: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{}: {error}", json.display())))?;
    let shown = figures(&dom);
    Failure::unless_empty(faults(&report, &dom, &shown))?;
    println!(
        "report: {} figures on the page are those of the JSON ({})",
        shown.len(),
        picture.display()
    );
    Ok(())
}

/// Two seconds of load, and what it leaves.
fn load(project: &Project, folder: &Path, json: &Path, html: &Path) -> Result<(), Failure> {
    let data: PathBuf = folder.join("node");
    let node = Node::start_of(project, "debug", &data, &["--metrics", "127.0.0.1:0"])?;
    let metrics = node.metrics.as_deref();
    let metrics =
        metrics.ok_or_else(|| Failure::new("keel serve: no metrics in its ready line"))?;
    let mut loadgen = project.command(&binary(project, "debug", "loadgen"));
    loadgen.args(["run", "--connect", &node.listen, "--metrics", metrics]);
    // Two generators and a scenario from a file, so that those are run somewhere, too.
    loadgen.args(["--processes", "2", "--scenario", SCENARIO]);
    loadgen.args(["--seconds", "2", "--warm-up", "0.5", "--json"]);
    let record = folder.join("record");
    loadgen.arg(json).arg("--html").arg(html);
    loadgen.arg("--record").arg(&record);
    print!("{}", project.capture(loadgen)?);
    node.kill()?;
    reconcile(project, &data, &record)
}

/// The record of a run against its journal, as it is and with one outcome changed.
fn reconcile(project: &Project, data: &Path, record: &Path) -> Result<(), Failure> {
    let check = || {
        let mut check = project.command(&binary(project, "debug", "loadgen"));
        check.args(["check", "--record"]).arg(record);
        check.arg("--dir").arg(data);
        project.capture(check)
    };
    print!("{}", check()?);
    let messages = record.join("client-0.messages");
    let failed = |error| Failure::new(format!("{}: {error}", messages.display()));
    let mut bytes = std::fs::read(&messages).map_err(failed)?;
    // The last byte of the last answer is of the lots of its last command.
    if let Some(last) = bytes.last_mut() {
        *last ^= 0x40;
    }
    std::fs::write(&messages, bytes).map_err(failed)?;
    match check() {
        Ok(_) => Err(Failure::new("loadgen check overlooks a changed answer")),
        Err(failure) if failure.to_string().contains("discrepancies: 1") => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// `.ci/run` installs it; on a desk that is its owner's to do.
fn find_browser(project: &Project) -> Result<(), Failure> {
    let mut version = project.command(BROWSER);
    version.arg("--version");
    project.capture(version).map(drop).map_err(|failure| {
        Failure::new(format!(
            "{failure}\ninstall {BROWSER} to check the report's page"
        ))
    })
}

/// A figure as the page shows it.
#[derive(Debug, PartialEq)]
struct Shown {
    /// Its place in the JSON report, with dots between the keys.
    key: String,
    /// What is shown over what is in the report.
    scale: f64,
    text: String,
}

/// All elements of a DOM that are marked as figures.
fn figures(dom: &str) -> Vec<Shown> {
    let mut shown = Vec::new();
    for tag in dom.split('<').skip(1) {
        let Some((head, text)) = tag.split_once('>') else {
            continue;
        };
        if let Some(key) = attribute(head, "data-figure") {
            let scale = attribute(head, "data-scale");
            shown.push(Shown {
                key: unescaped(key),
                scale: scale.and_then(|scale| scale.parse().ok()).unwrap_or(1.0),
                text: unescaped(text.trim()),
            });
        }
    }
    shown
}

/// The value of an attribute in the inside of a tag.
fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&nbsp;", "\u{a0}").replace("&amp;", "&")
}

/// What is wrong with a page: one line each.
fn faults(report: &Value, dom: &str, shown: &[Shown]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expected = Vec::new();
    leaves(report, "", &mut expected);
    for (key, value) in &expected {
        // What was not measured may be left out.
        if !value.is_null() && !shown.iter().any(|figure| figure.key == *key) {
            faults.push(format!("{key} is not on the page"));
        }
    }
    for figure in shown {
        let value = expected.iter().find(|(key, _)| *key == figure.key);
        // What is below a null is not in the report at all.
        let value = value.map_or(&Value::Null, |(_, value)| value);
        if !agrees(&figure.text, value, figure.scale) {
            let Shown { key, text, .. } = figure;
            faults.push(format!("{key} is {value}, and the page says {text:?}"));
        }
    }
    if let Some(rows) = report["series"].as_array() {
        let sum: u64 = rows.iter().filter_map(|row| row["orders"].as_u64()).sum();
        if report["orders"].as_u64() != Some(sum) {
            faults.push(format!("the intervals have {sum} orders in all"));
        }
    }
    let drawings = dom.matches("<svg").count();
    let told = dom.matches("role=\"img\" aria-label=\"").count();
    if (drawings, told) != (CHARTS, CHARTS) {
        faults.push(format!("{drawings} charts, {told} of them told in words"));
    }
    if dom.contains("<script") {
        faults.push("the page has a script".to_owned());
    }
    faults
}

/// All values that are neither object nor list, with their keys.
fn leaves<'a>(value: &'a Value, key: &str, found: &mut Vec<(String, &'a Value)>) {
    let join = |part: &str| match key {
        "" => part.to_owned(),
        key => format!("{key}.{part}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves(value, &join(name), found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                leaves(value, &join(&number.to_string()), found);
            }
        }
        value => found.push((key.to_owned(), value)),
    }
}

/// Whether a text says a value, to as many decimals as it has; a count is said exactly.
fn agrees(text: &str, value: &Value, scale: f64) -> bool {
    match value {
        Value::Null => !text.is_empty() && !text.contains(|c: char| c.is_ascii_digit()),
        Value::Bool(value) => text == if *value { "yes" } else { "no" },
        Value::String(value) => text == value.trim(),
        Value::Number(number) => {
            let plain = text.replace(',', "");
            if scale == 1.0
                && let Some(count) = number.as_u64()
            {
                return plain.parse() == Ok(count);
            }
            let decimals = plain
                .split_once('.')
                .map_or(0, |(_, decimals)| decimals.len());
            let half = 0.5 * 10_f64.powi(-(decimals as i32));
            let said = plain.parse::<f64>();
            let meant = number.as_f64().unwrap_or(f64::NAN) * scale;
            said.is_ok_and(|said| (said - meant).abs() <= half * (1.0 + ROUNDING))
        }
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// The shipped scenario file.
const SCENARIO: &str = "loadgen/scenarios/makers.toml";
/// Debian's name of it.
const BROWSER: &str = "chromium";
/// Charts of the page.
const CHARTS: usize = 6;
/// Decimal fractions are not exact in binary; this much of half a digit is more than they miss.
const ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with these figures and all charts.
    fn page(figures: &str) -> String {
        let chart = "<svg viewBox=\"0 0 1 1\" role=\"img\" aria-label=\"words\"></svg>";
        format!("<html>{figures}{}</html>", chart.repeat(CHARTS))
    }

    fn faults_of(json: &str, dom: &str) -> String {
        let report = serde_json::from_str(json).unwrap();
        faults(&report, dom, &figures(dom)).join("; ")
    }

    #[test]
    fn figures_are_read_from_a_dom() {
        let dom = "<td data-figure=\"a.b\">1,234.5</td><p>7</p>\
                   <span class=\"x\" data-figure=\"c\" data-scale=\"0.001\"> a &amp; &lt;b&gt; </span>";
        let shown = |key: &str, scale, text: &str| Shown {
            key: key.to_owned(),
            scale,
            text: text.to_owned(),
        };
        assert_eq!(
            figures(dom),
            [shown("a.b", 1.0, "1,234.5"), shown("c", 0.001, "a & <b>")]
        );
    }

    #[test]
    fn a_wrong_page_is_found() {
        let json = r#"{"rate":512345.678,"node":null,"list":[{"us":null},{"us":2000}],"ok":true}"#;
        let fine = "<b data-figure=\"rate\">512,345.7</b><b data-figure=\"list.1.us\">2,000</b>\
                    <b data-figure=\"list.1.us\" data-scale=\"0.001\">2.00</b>\
                    <b data-figure=\"ok\">yes</b><b data-figure=\"node.cpu\">not measured</b>";
        for (right, wrong, expected) in [
            ("", "", ""),
            (
                "512,345.7",
                "512,345.6",
                "rate is 512345.678, and the page says \"512,345.6\"",
            ),
            (
                "512,345.7",
                "",
                "rate is 512345.678, and the page says \"\"",
            ),
            (
                "2,000",
                "2,001",
                "list.1.us is 2000, and the page says \"2,001\"",
            ),
            (
                "2.00",
                "2.01",
                "list.1.us is 2000, and the page says \"2.01\"",
            ),
            ("yes", "no", "ok is true, and the page says \"no\""),
            ("data-figure=\"ok\"", "", "ok is not on the page"),
            (
                "not measured",
                "0",
                "node.cpu is null, and the page says \"0\"",
            ),
            (
                "node.cpu\">not measured",
                "more\">7",
                "more is null, and the page says \"7\"",
            ),
        ] {
            let planted = fine.replacen(right, wrong, usize::from(right != wrong));
            assert_eq!(faults_of(json, &page(&planted)), expected, "{wrong:?}");
        }
    }

    #[test]
    fn intervals_that_do_not_add_up_are_found() {
        let page = page(
            "<b data-figure=\"orders\">5</b><b data-figure=\"series.0.orders\">2</b>\
             <b data-figure=\"series.1.orders\">3</b>",
        );
        let json = r#"{"orders":5,"series":[{"orders":2},{"orders":3}]}"#;
        assert_eq!(faults_of(json, &page), "");
        let planted = json.replace("\"orders\":3", "\"orders\":4");
        assert_eq!(
            faults_of(&planted, &page),
            "series.1.orders is 4, and the page says \"3\"; the intervals have 6 orders in all"
        );
    }

    #[test]
    fn a_page_without_charts_or_with_a_script_is_found() {
        for (dom, expected) in [
            (page(""), ""),
            (
                page("").replacen("<svg", "<div", 1),
                "5 charts, 6 of them told in words",
            ),
            (
                page("").replacen("aria-label", "class", 1),
                "6 charts, 5 of them told in words",
            ),
            (page("<script>"), "the page has a script"),
        ] {
            assert_eq!(faults_of("{}", &dom), expected);
        }
    }
}
