//! What the engine does with a finding: known ones are counted, others isolated and written down.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Reported};
use crate::fuzz::device::SHOWN;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::isolate::{Cause, Isolated, isolate};
use crate::fuzz::target::Target;

/// How long isolating one finding may take.
const ISOLATION: Duration = Duration::from_secs(60);
/// The most findings that are isolated in one suite.
const MAX_FINDINGS: usize = 12;
/// So often an answer may come late that does not when the same is sent again: a bench is late at times, too.
const MAX_LATE: usize = 3;
/// After so many findings of one kind of input, no more of that kind are sent.
const ENOUGH: u64 = 2;

impl<T: Target> Engine<'_, T> {
    /// Isolates a finding, and writes it down. One that is known is counted.
    pub(super) async fn broke(&mut self, found: Option<Finding>, link: &mut Option<T::Link>) {
        let Some(found) = found else { return };
        if !found.oracle.is_about_the_device()
            && let Some(known) = self.known(&found)
        {
            known.count += 1;
            if found.oracle == Oracle::State {
                self.device.restore().await;
            }
            return;
        }
        let began = Instant::now();
        self.isolating = Some(found.clone());
        // As it happened, and below as it was isolated.
        self.device.bench.recorder().keep_window();
        // What an answer lacks may be the device's end.
        let found = match self.device.look(false).await {
            Some(whole) if !found.oracle.is_about_the_device() => whole,
            _ => found,
        };
        self.isolating = Some(found.clone());
        *link = None;
        if let Some(since) = found.since {
            self.window.forget_after(since + SHOWN);
        }
        let left = self.budget.isolation().saturating_sub(self.paused);
        let limit = ISOLATION.min(left);
        let isolated = isolate(&self.device, self.budget.seed, &self.window, &found, limit).await;
        self.isolating = None;
        self.paused += began.elapsed();
        self.device.bench.recorder().keep_window();
        if let Some(why) = &isolated.lost {
            self.outcome.ended = Some(format!(
                "the device did not come back ({why}): switch it off and on by hand; nothing more was sent"
            ));
        }
        // It was switched off and on: what was sent before cannot be the cause of what comes.
        if self.device.bench.can_power_cycle() {
            self.window.clear();
            self.outcome.memory.clear();
        }
        let (confirmed, tries) = isolated.confirmed;
        let again = confirmed * 2 > tries;
        if isolated.finding.by_silence
            && !again
            && isolated.lost.is_none()
            && self.outcome.late.len() < MAX_LATE
        {
            self.outcome.late.push(isolated.finding);
        } else {
            self.report(isolated);
        }
    }

    /// Writes down a leak. It belongs to all inputs, so that there is none to isolate.
    pub(super) fn leaks(&mut self) {
        if let Some(finding) = self.outcome.memory.grows(self.outcome.time) {
            self.leaked = true;
            self.report(Isolated::unclear(finding));
        }
    }

    fn known(&mut self, found: &Finding) -> Option<&mut Reported> {
        let mut reported = self.outcome.reported.iter_mut();
        reported.find(|one| {
            one.isolated.finding.is_like(found) && one.isolated.finding.what == found.what
        })
    }

    pub(super) fn report(&mut self, isolated: Isolated) {
        let labels = |one: &Isolated| -> Vec<String> {
            one.inputs
                .iter()
                .map(|one| one.input.label.clone())
                .collect()
        };
        let own = labels(&isolated);
        let same = self.outcome.reported.iter_mut().find(|one| {
            one.isolated.finding.is_like(&isolated.finding) && labels(&one.isolated) == own
        });
        let count = match same {
            Some(known) => {
                known.count += 1;
                known.count
            }
            None => {
                let new = Reported {
                    isolated: isolated.clone(),
                    count: 1,
                };
                (self.told)(&new);
                self.outcome.reported.push(new);
                1
            }
        };
        // What brings the device down again and again would leave no time for anything else.
        if count >= ENOUGH
            && isolated.finding.oracle.is_about_the_device()
            && let Some(last) = own.last()
        {
            self.outcome.muted_kinds.insert(last.clone());
        }
        let unclear = self
            .outcome
            .reported
            .iter()
            .map(|one| match one.isolated.cause {
                Cause::LoadOrTime => one.count,
                _ => 0,
            });
        if self.budget.first {
            self.outcome.ended = Some("at its first finding, as asked".to_owned());
        } else if self.outcome.reported.len() >= MAX_FINDINGS || unclear.sum::<u64>() >= 4 {
            self.outcome.ended = Some(format!(
                "after {} different findings nothing more was sent",
                self.outcome.reported.len()
            ));
        }
    }
}
