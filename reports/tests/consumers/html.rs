//! What a browser makes of `report.html`.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Failed};
use slcert_reports::html::html;
use slcert_reports::{Record, assess};
use tempfile::TempDir;

use crate::{chromium, example, leave_out};

/// How long a page's script is run for, and pages without the browser's own lines.
const PRINTED: [&str; 2] = ["--virtual-time-budget=5000", "--no-pdf-header-footer"];

struct Page(TempDir);

impl Page {
    fn of(record: &Record) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        fs::write(
            folder.path().join("report.html"),
            html(record, &assess(record))?,
        )?;
        Ok(Self(folder))
    }

    /// Runs Chromium on the page; what it prints, or why there is no Chromium.
    fn open(&self, hash: &str, argument: &str) -> Result<String, Result<Completion, Failed>> {
        let address = format!("file://{}/report.html{hash}", self.0.path().display());
        let output = Command::new("chromium")
            .args(chromium::ALONE)
            .args(PRINTED)
            .arg(format!(
                "--user-data-dir={}",
                self.0.path().join("profile").display()
            ))
            .args([argument, &address])
            .output();
        match output {
            Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Err(error) => Err(leave_out(&format!(
                "chromium does not run ({error}): install chromium"
            ))),
        }
    }
}

fn shown(dom: &str) -> Vec<&str> {
    let cards = dom.split("<details class=\"card\" id=\"").skip(1);
    let cards = cards.filter(|card| {
        !card
            .split('>')
            .next()
            .unwrap_or_default()
            .contains("hidden")
    });
    cards.filter_map(|card| card.split('"').next()).collect()
}

pub fn filters() -> Result<Completion, Failed> {
    let page = Page::of(&example::record())?;
    for (hash, expected) in [
        ("#v=FAIL", vec!["CR-1.11/lockout@console"]),
        (
            "#if=plc&fr=4",
            vec!["CR-4.1/wire@plc", "CR-4.3/ciphers@plc"],
        ),
        ("#q=Silent", vec!["CR-1.3/accounts@console"]),
        (
            "#v=FAIL,PASS&if=console&fr=CCSC",
            vec!["CCSC-1/essential@console"],
        ),
        ("#q=nothing%20has%20this", vec![]),
    ] {
        let dom = match page.open(hash, "--dump-dom") {
            Ok(dom) => dom,
            Err(left_out) => return left_out,
        };
        if shown(&dom) != expected {
            return Err(format!("{hash} shows {:?}, not {expected:?}", shown(&dom)).into());
        }
    }
    // The address of one trial opens it, and hides no other.
    let dom = match page.open("#CR-4.1/wire@plc", "--dump-dom") {
        Ok(dom) => dom,
        Err(left_out) => return left_out,
    };
    let card = dom
        .split("id=\"CR-4.1/wire@plc\"")
        .nth(1)
        .unwrap_or_default();
    let is_open = card.split('>').next().unwrap_or_default().contains("open");
    if shown(&dom).len() != 9 || !is_open {
        return Err(format!(
            "the address of a trial shows {:?}, open: {is_open}",
            shown(&dom)
        )
        .into());
    }
    Ok(Completion::Completed)
}

pub fn hostile() -> Result<Completion, Failed> {
    for text in [
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
        "</script></style></title><script>document.title='owned'</script>",
        "\" autofocus onfocus=\"document.title='owned'\" tabindex=1 x=\"",
        "javascript:document.title='owned'",
    ] {
        let mut record = example::record();
        text.clone_into(&mut record.dut.product);
        text.clone_into(&mut record.campaign);
        record.options = vec![text.to_owned()];
        for trial in &mut record.trials {
            trial.interface = Some(text.to_owned());
            text.clone_into(&mut trial.title);
            text.clone_into(&mut trial.reason);
            text.clone_into(&mut trial.checks[0].observed);
            trial.evidence = vec![example::file(text)];
        }
        let page = Page::of(&record)?;
        let dom = match page.open(
            "#q=<img src=x onerror=document.title='owned'>",
            "--dump-dom",
        ) {
            Ok(dom) => dom,
            Err(left_out) => return left_out,
        };
        let title = dom
            .split("<title>")
            .nth(1)
            .and_then(|rest| rest.split("</title>").next());
        if title.is_none_or(|title| title == "owned")
            || dom.contains("<img")
            || dom.matches("<script>").count() != 1
        {
            return Err(format!("{text} became something: title {title:?}\n{dom}").into());
        }
        // The page's own script has run.
        if !dom.contains("class=\"scripted\"") {
            return Err("the page's own script did not run".into());
        }
    }
    Ok(Completion::Completed)
}

pub fn prints() -> Result<Completion, Failed> {
    let page = Page::of(&example::record())?;
    let pdf = page.0.path().join("report.pdf");
    if let Err(left_out) = page.open("", &format!("--print-to-pdf={}", pdf.display())) {
        return left_out;
    }
    let text = match text_of(&pdf) {
        Ok(text) => text,
        Err(error) => {
            return leave_out(&format!(
                "pdftotext does not run ({error}): install poppler-utils"
            ));
        }
    };
    let cards = text.matches("To see whether it holds.").count();
    let pages = text.matches('\u{c}').count();
    let words: String = text.split_whitespace().collect();
    for wanted in [
        "Authorisedby,name",
        "Endofreport",
        &format!("{pages}/{pages}"),
    ] {
        if !words.contains(wanted) {
            return Err(format!("no `{wanted}` in print\n{text}").into());
        }
    }
    if cards != 9 {
        return Err(format!("{cards} of 9 cards are open in print\n{text}").into());
    }
    Ok(Completion::Completed)
}

fn text_of(pdf: &Path) -> std::io::Result<String> {
    let output = Command::new("pdftotext")
        .args(["-layout"])
        .arg(pdf)
        .arg("-")
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
