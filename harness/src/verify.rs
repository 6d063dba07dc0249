//! `slcert verify` and `slcert sign`: whether a campaign's folder is what it was, and who stands for it.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use slcert_reports::bag::signature::{self, AllowedSigners, Key, SignError, Signature};
use slcert_reports::bag::{self, DATA, Fault, FaultKind};
use slcert_reports::{Journal, Record, one_line};

use crate::command::{Sign, Verify};
use crate::report;
use crate::sources::{BENCH, NOT_VERIFIED, USAGE};

/// Checks a campaign's folder.
pub fn verify(verify: &Verify) -> ExitCode {
    let root = &verify.campaign;
    let allowed = match verify
        .allowed_signers
        .as_deref()
        .map(AllowedSigners::read)
        .transpose()
    {
        Ok(allowed) => allowed,
        Err(error) => return usage(&error),
    };
    let mut said = Said::default();
    match bag::check(root) {
        Err(error @ bag::BagError::NotSealed(_)) => {
            let code = usage(&error);
            eprintln!(
                "       a campaign that was killed is not; `slcert report {}` makes its reports and seals it",
                root.display()
            );
            return code;
        }
        Err(error) => said.bad("files", &error.to_string()),
        Ok(Err(faults)) => said.faults(&faults),
        Ok(Ok(contents)) => {
            let text = format!(
                "{} files, {} bytes, as they were sealed",
                contents.files, contents.bytes
            );
            said.good("files", &text);
        }
    }
    said.journal_and_evidence(&root.join(DATA));
    match signature::check(root, allowed.as_ref()) {
        Err(error) => said.bad("signature", &error.to_string()),
        Ok(signature) => said.signature(&signature, allowed.is_some()),
    }
    let standing = if said.whole { "whole" } else { "NOT as it was" };
    println!("{}: {standing}\n{}", root.display(), said.lines);
    ExitCode::from(if said.whole { 0 } else { NOT_VERIFIED })
}

/// Tells what is not as it was sealed, and what comes of it.
pub(crate) fn tampered(root: &Path, faults: &[impl Display], so: &str) -> ExitCode {
    eprintln!(
        "error: {} is not what it was when it was sealed{so}",
        root.display()
    );
    for fault in faults {
        eprintln!("  {fault}");
    }
    ExitCode::from(NOT_VERIFIED)
}

/// Signs a campaign's folder that is whole.
pub fn sign(sign: &Sign) -> ExitCode {
    let root = &sign.campaign;
    let key = match Key::read(&sign.key) {
        Ok(key) => key,
        Err(error) => return usage(&error),
    };
    match bag::check(root) {
        Err(error) => return usage(&error),
        Ok(Err(faults)) => return tampered(root, &faults, ", so it is not signed"),
        Ok(Ok(_)) => {}
    }
    let record = match report::record(root) {
        Ok(record) => record,
        Err(unusable) => return unusable.into(),
    };
    match signature::sign(root, &key, &record) {
        Ok(()) => {
            println!("signed   {}", root.join(bag::SIGNATURE).display());
            ExitCode::SUCCESS
        }
        Err(error @ SignError::Bag(_)) => {
            eprintln!("error: {error}");
            ExitCode::from(BENCH)
        }
        Err(error) => usage(&error),
    }
}

fn usage(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(USAGE)
}

/// What is said of a folder.
struct Said {
    lines: String,
    whole: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            lines: String::new(),
            whole: true,
        }
    }
}

impl Said {
    fn good(&mut self, what: &str, text: &str) {
        self.lines.push_str(&format!("  {what:<9}  {text}\n"));
    }

    fn bad(&mut self, what: &str, text: &str) {
        self.whole = false;
        self.good(what, text);
    }

    fn faults(&mut self, faults: &[Fault]) {
        let count =
            |kind: fn(&FaultKind) -> bool| faults.iter().filter(|fault| kind(&fault.kind)).count();
        let changed = count(|kind| matches!(kind, FaultKind::Changed | FaultKind::Line(_)));
        let missing = count(|kind| *kind == FaultKind::Missing);
        let added = count(|kind| *kind == FaultKind::Added);
        self.bad(
            "files",
            &format!("{changed} changed, {missing} missing, {added} added"),
        );
        for fault in faults {
            self.lines.push_str(&format!("             {fault}\n"));
        }
    }

    fn journal_and_evidence(&mut self, data: &Path) {
        let record = match Record::read(&data.join("result.json")) {
            Ok(record) => record,
            Err(error) => return self.bad("record", &error.to_string()),
        };
        if let Some(cut) = &record.redaction {
            self.good("copy", &one_line(&cut.words()));
        }
        match journal(data, &record) {
            Ok(text) => self.good("journal", &text),
            Err(text) => self.bad("journal", &text),
        }
        match evidence(data, &record) {
            Ok(text) => self.good("evidence", &text),
            Err(text) => self.bad("evidence", &text),
        }
    }

    fn signature(&mut self, signature: &Signature, asked: bool) {
        let what = "signature";
        match signature {
            Signature::Good { signer, key } => {
                self.good(what, &format!("good, by {} with {key}", one_line(signer)))
            }
            Signature::None if asked => self.bad(what, "none"),
            Signature::None => self.good(
                what,
                "none: whoever can write here could have sealed it anew",
            ),
            Signature::Unknown { key } => self.good(
                what,
                &format!(
                    "good, with {key}; --allowed-signers FILE says whether that is one to trust"
                ),
            ),
            Signature::NotAllowed { key } => self.bad(
                what,
                &format!("good, but {key} is of none of the allowed signers"),
            ),
            Signature::Bad(why) => self.bad(what, &format!("NOT good: {why}")),
        }
    }
}

/// Whether the journal holds together, and tells of the campaign that the record tells of.
pub(crate) fn journal(data: &Path, record: &Record) -> Result<String, String> {
    let (entries, torn) =
        Journal::read(&data.join("journal.jsonl")).map_err(|error| error.to_string())?;
    if torn.is_some() && !record.interrupted {
        return Err("its last line has no end".to_owned());
    }
    let told = Record::from_journal(&entries).map_err(|error| error.to_string())?;
    if told != *record {
        return Err("it tells of another campaign than result.json".to_owned());
    }
    Ok(format!(
        "{} lines, each with the hash of the one before; it says what result.json says",
        entries.len()
    ))
}

/// Whether each file of evidence is what it was when its trial ended.
fn evidence(data: &Path, record: &Record) -> Result<String, String> {
    let of_trials = record.trials.iter().flat_map(|trial| &trial.evidence);
    let mut count = 0;
    for file in of_trials {
        match bag::sha256(&data.join(&file.path)) {
            Ok(hash) if hash == file.sha256 => count += 1,
            Ok(_) => {
                return Err(format!(
                    "{} is not what it was when its trial ended",
                    one_line(&file.path)
                ));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(format!(
        "{count} files, as they were when their trials ended"
    ))
}
