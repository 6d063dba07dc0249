//! How long `report.html` of a campaign of 10,000 trials takes: to be rendered, to be opened in Chromium, and to be filtered.
//! Medians, and as ratios to the page of nine trials and to one without timelines, since machines differ.

#![allow(clippy::expect_used, reason = "a benchmark may end by a panic")]

mod browser;
#[path = "../../tests/chromium/mod.rs"]
mod chromium;
#[allow(dead_code)]
#[path = "../../tests/example/mod.rs"]
mod example;

use std::path::Path;
use std::time::Instant;

use browser::Browser;
use slcert_reports::html::html;
use slcert_reports::{Record, assess};

const RUNS: usize = 5;
const TRIALS: usize = 10_000;

/// What is measured, and its unit.
const MEASURES: [(&str, &str); 7] = [
    ("rendered", "ms"),
    ("size", "KiB"),
    ("first paint", "ms"),
    ("loaded", "ms"),
    ("filter by verdict", "ms"),
    ("search", "ms"),
    ("memory of the page", "MiB"),
];

const PAINTED: &str = "new Promise((done) => new PerformanceObserver((list) => \
     done(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))";
/// From a click or a key to the picture after it.
const FILTER: &str = "timed(() => { document.querySelector('.filters [data-v=FAIL]').click(); })";
const SEARCH: &str = "timed(() => { document.querySelector('#q').value = 'case77'; \
     document.querySelector('#if').dispatchEvent(new Event('change')); })";
const TIMED: &str = "timed = async (act) => { const began = performance.now(); act(); \
     await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); return performance.now() - began; }";

fn main() {
    let bare = {
        let mut record = example::many(TRIALS);
        record
            .trials
            .iter_mut()
            .for_each(|trial| trial.timeline = None);
        record
    };
    let pages = [
        measure(&example::record()),
        measure(&bare),
        measure(&example::many(TRIALS)),
    ];
    println!(
        "{:25} {:>10} {:>22} {:>30}",
        "", "9 trials", "10,000 trials", "and with timelines"
    );
    for (at, (name, unit)) in MEASURES.iter().enumerate() {
        let [few, many, drawn] = pages.map(|page| page[at]);
        println!(
            "{name:20} {unit:4} {few:10.1} {many:10.1}, {:5.1} times {drawn:10.1}, {:5.2} times that",
            many / few,
            drawn / many
        );
    }
}

/// The medians of one page.
fn measure(record: &Record) -> [f64; MEASURES.len()] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("report.html");
    let runs: Vec<_> = (0..RUNS).map(|_| run(record, &page)).collect();
    std::array::from_fn(|at| {
        let mut values: Vec<f64> = runs.iter().map(|run| run[at]).collect();
        values.sort_by(f64::total_cmp);
        values[RUNS / 2]
    })
}

fn run(record: &Record, page: &Path) -> [f64; MEASURES.len()] {
    let began = Instant::now();
    let text = html(record, &assess(record)).expect("a page");
    let rendered = began.elapsed().as_secs_f64() * 1000.0;
    std::fs::write(page, &text).expect("a file");
    let mut browser = Browser::start();
    browser.open(page);
    browser.number(&format!("{TIMED}; timed(() => {{}})"));
    let loaded = browser.number("performance.getEntriesByType('navigation')[0].loadEventEnd");
    let painted = browser.number(PAINTED);
    let (filter, search) = (browser.number(FILTER), browser.number(SEARCH));
    let size = text.len() as f64 / 1024.0;
    [
        rendered,
        size,
        painted,
        loaded,
        filter,
        search,
        browser.memory(),
    ]
}
