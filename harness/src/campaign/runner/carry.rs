//! A trial from its begin to its record.

use std::sync::atomic::Ordering;

use slcert_reports::record::{CheckRecord, TrialRecord};
use slcert_reports::{Event, Verdict};
use slcert_suites::Trial;
use tokio::time::Instant;

use super::super::{evidence, timeline};
use super::Runner;
use super::judge::Judged;

impl Runner {
    pub(super) fn carry_out(&self, trial: &Trial) -> Option<TrialRecord> {
        self.bench.recorder().clear();
        self.bench.begin_curves();
        let fault = self.record().bench_fault();
        let sound = fault.is_none();
        let mut judged = match fault {
            Some(fault) => Judged::without_checks(Verdict::Inconclusive, fault),
            None => self.judge_safely(trial),
        };
        let interrupted = self.interrupted.load(Ordering::SeqCst);
        if judged.verdict == Verdict::Inconclusive && sound && !interrupted {
            // A device is not blamed for the bench: once more, on a bench that has recovered.
            self.runtime.block_on(self.recover());
            self.bench.recorder().note("bench", "once more");
            if let Some(going) = self.going().as_mut()
                && !going.files.is_empty()
            {
                going.stem = self.free_stem(&trial.id(), true);
            }
            judged = self.judge_safely(trial);
        }
        let mut requirements = trial.requirements.clone();
        if let Some(essential) = judged.essential
            && !requirements.contains(&essential)
        {
            requirements.push(essential);
        }
        let going = self.going().clone()?;
        let took = going.began.elapsed();
        let recording = self.bench.recorder().take();
        let curves = self.bench.curves();
        let from = Instant::from_std(going.began);
        let timeline = timeline::timeline(&recording, &curves, from, took);
        // Where nothing was done, the device had nothing to bear.
        let timeline = Some(timeline).filter(|timeline| !timeline.is_empty());
        if timeline.is_some()
            && let Some(readings) = timeline::readings(&curves, from)
        {
            judged.kept.push(("monitor.csv".to_owned(), readings));
        }
        let kept = evidence::keep(
            &self.folder,
            &going.stem,
            &recording,
            (&going.files, judged.kept),
            &self.evidence,
        );
        // A verdict without its evidence is none.
        let evidence = kept.map_err(|error| self.end_here(&error)).ok()?;
        let record = TrialRecord {
            requirements,
            duration_ms: took.as_millis() as u64,
            waited_ms: judged.waited.as_millis() as u64,
            timeline,
            evidence,
            ..going.record(trial, judged.verdict, &judged.reason, judged.checks)
        };
        self.tell(&Event::TrialFinished(record.clone()))?;
        self.record().add(&record);
        Some(record)
    }

    /// Keeps what a trial has come to so far, and a text that shows it, with its file's name: what comes next may be its end.
    pub(super) fn found(&self, trial: &Trial, checks: &[CheckRecord], shows: Option<(&str, &str)>) {
        let mut going = self.going();
        let Some(going) = going.as_mut() else { return };
        if let Some((name, text)) = shows {
            match evidence::keep_now(&self.folder, &going.stem, name, text) {
                Ok(file) => going.files.push(file),
                Err(error) => return self.end_here(&error),
            }
        }
        let so_far = going.so_far(trial, checks);
        if self.tell(&Event::TrialFound(so_far.clone())).is_some() {
            going.so_far = Some(so_far);
        }
    }

    /// What the files of a trial are called: those of an earlier attempt, which the journal names, stay.
    pub(super) fn free_stem(&self, id: &str, again: bool) -> String {
        let plain = id.replace('/', ".");
        if !again {
            return plain;
        }
        let mut attempts = (2..100).map(|attempt| format!("{plain}.{attempt}"));
        let free = |stem: &String| !evidence::has(&self.folder, stem);
        attempts.find(free).unwrap_or(plain)
    }
}
