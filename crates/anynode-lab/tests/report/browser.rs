//! A small comparison of real fleets, and its page in a real browser.

use std::fs;
use std::process::Stdio;

use anynode_lab::compare::html;
use anynode_lab::compare::report::Report;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::webdriver::{Browser, SCREENS};

/// Compares two strategies at a hundredth of the usual size, and returns what was printed.
async fn compared(out: &TempDir) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_anynode-lab"))
        .args(["compare", "--quick", "--seed", "7"])
        .args(["--strategy", "sticky-cookie", "--strategy", "central"])
        .args(["--users", "24", "--rate", "60"])
        .args(["--steady", "2", "--watched", "1", "--out"])
        .arg(out.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = run.await.unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{complaint}");
    String::from_utf8(run.stdout).unwrap()
}

#[tokio::test]
async fn a_comparison_tells_in_table_json_and_page_what_each_strategy_lost() {
    let out = TempDir::new().unwrap();
    let printed = compared(&out).await;

    let text = fs::read_to_string(out.path().join("report.json")).unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(report.table.strategies, ["sticky-cookie", "central"]);
    for line in &report.table.verdicts {
        for answer in &line.answers {
            assert!(printed.contains(&answer.evidence), "{printed}");
        }
    }
    let verdict = |id: &str, strategy: usize| {
        let line = report.table.verdicts.iter().find(|line| line.id == id);
        line.unwrap().answers[strategy].text.clone()
    };
    assert_eq!(verdict("death", 0), "sessions lost", "{printed}");
    assert_eq!(verdict("death", 1), "sessions survive", "{printed}");
    assert_eq!(verdict("stateless", 0), "no", "{printed}");
    assert_eq!(verdict("stateless", 1), "yes", "{printed}");
    assert_eq!(verdict("hop", 0), "no", "{printed}");
    assert_eq!(verdict("hop", 1), "yes", "{printed}");

    let browser = Browser::start(json!({})).await;
    let page = out.path().join("report.html");
    browser.open(&format!("file://{}", page.display())).await;
    for plot in html::PLOTS {
        let drawn = format!(
            "Array.from(document.querySelectorAll('#{plot} svg')).map(svg => \
             Array.from(svg.querySelectorAll('path,rect')).filter(part => \
             part.getBBox().width > 0).length)"
        );
        let drawn = browser.value(&drawn).await;
        let drawn: Vec<u64> = serde_json::from_value(drawn).unwrap();
        // One for wide screens and one for narrow ones, of which one is shown.
        assert!(drawn.iter().any(|parts| *parts > 0), "{plot}: {drawn:?}");
    }
    let rows = browser.value("document.querySelectorAll('tr[data-line]').length");
    assert_eq!(rows.await, Value::from(report.table.lines.len()));
    for screen in SCREENS {
        browser.picture("report", screen).await;
        let wider = "document.documentElement.scrollWidth > innerWidth";
        assert_eq!(browser.value(wider).await, false, "{}", screen.name);
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
