//! Requirements that a flaw breaks beside its own.

use slcert_profiles::RequirementId;

/// The flaw, the requirements, and why one defect breaks them all.
const RELATED: &[(&str, &[&str], &str)] = &[
    (
        "audit-full-stalls",
        &["CCSC 1"],
        "a full audit log is one of the events that control has to go on through",
    ),
    (
        "audit-full-dies",
        &["CCSC 1", "CR 2.9 RE(1)"],
        "control has to go on through a full audit log, and the log is filled to see the warning too",
    ),
    (
        "audit-without-configuration",
        &["CR 2.1 RE(3)"],
        "an override is recorded as a change of the configuration",
    ),
    (
        "audit-names-the-role",
        &["CR 2.1 RE(3)", "CR 2.11 RE(2)", "CR 2.12 RE(1)"],
        "the entries of an override, of a refused change of the time and of processes have to name the user too",
    ),
    (
        "clock-resets",
        &["CR 1.5"],
        "with the clock in the past, a password counts as changed too recently to be changed",
    ),
    (
        "old-password-works",
        &["CR 7.4"],
        "where the old password goes on working, it does so after a power cut too",
    ),
    (
        "any-client-certificate",
        &["CR 1.9", "CR 4.3"],
        "what is of any authority may have any signature, period and usage",
    ),
    (
        "expired-client-certificate",
        &["CR 1.9"],
        "the period is part of the validation",
    ),
    (
        "plain-write",
        &["CR 1.2", "CR 2.1 RE(1)"],
        "who writes on plain Modbus is neither known nor authorised",
    ),
    (
        "password-echo",
        &["CR 4.1"],
        "what is echoed comes back on the line",
    ),
    (
        "removed-account-returns",
        &["CR 1.4"],
        "an account that comes back is not declared",
    ),
    (
        "time-set-by-anyone",
        &["CR 2.1"],
        "the rights matrix tries every operation",
    ),
    (
        "audit-clear-by-engineer",
        &["CR 2.1"],
        "the rights matrix tries every operation",
    ),
    (
        "audit-clear-unlogged",
        &["CR 2.8"],
        "clearing the log is the event that its case provokes",
    ),
    (
        "audit-read-by-operator",
        &["CR 2.1", "CR 3.9"],
        "the rights matrix tries every operation; reading is what CR 3.9 protects from as well",
    ),
    (
        "purge-keeps-accounts",
        &["CR 4.2 RE(2)"],
        "what the purge keeps is reported as erased",
    ),
    (
        "purge-keeps-log",
        &["CR 4.2 RE(2)"],
        "what the purge keeps is reported as erased",
    ),
    (
        "purge-leaves-traces",
        &["CR 4.2 RE(2)"],
        "what the purge hides is reported as erased",
    ),
    ("alert-late", &["CR 3.4 RE(2)"], "all alerts are late"),
    (
        "audit-reading-consumes",
        &["CR 2.9 RE(1)", "CR 3.9", "CR 6.1 RE(1)"],
        "entries are gone before they are looked for a second time",
    ),
    (
        "override-for-ever",
        &["CR 2.8"],
        "what the override has left permitted is no request error",
    ),
    (
        "session-count-leaks",
        &["CR 3.5"],
        "who came and went too often is shut out",
    ),
    (
        "import-any-signer",
        &["EDR 3.13"],
        "the owner's configuration is taken before the owner is known",
    ),
    (
        "import-refused-but-applied",
        &["CR 3.4 RE(1)", "EDR 3.13"],
        "what any refused configuration sets is taken",
    ),
    (
        "settings-read-defaults",
        &["CR 7.6 RE(1)"],
        "the report tells what is in force, and what is shown does not",
    ),
    (
        "password-in-backup",
        &["CR 7.3"],
        "a backup that holds a password holds a secret",
    ),
    (
        "restore-unchecked",
        &["CR 3.4 RE(2)"],
        "what is not found altered is not told",
    ),
    (
        "access-approved-by-anyone",
        &["CR 2.1"],
        "the rights matrix tries every operation",
    ),
    (
        "rule-both-ways",
        &["CR 5.1", "NDR 5.2 RE(1)"],
        "what a rule permits in one direction is not declared in the other",
    ),
    (
        "udp-bridged-out",
        &["NDR 5.2 RE(1)"],
        "what is not declared is not permitted either",
    ),
    (
        "default-allow-after-restart",
        &["NDR 1.13"],
        "what passes by default answers to the untrusted network",
    ),
    (
        "rule-off-by-one",
        &["NDR 1.13"],
        "the port that the rule lets pass too answers to the untrusted network",
    ),
    (
        "filter-fails-open",
        &["NDR 1.13"],
        "what passes while there are no rules answers to the untrusted network",
    ),
    (
        "chat-crosses",
        &["NDR 1.13"],
        "the messages that pass come from the untrusted network",
    ),
    (
        "handshakes-stall-control",
        &[
            "CR 1.9",
            "CR 2.1 RE(1)",
            "CR 2.7",
            "CR 3.1",
            "CR 3.5",
            "CR 3.8",
            "CR 4.3",
        ],
        "their cases, and the ends of those before them, open more than ten TLS connections within a second, too",
    ),
    (
        "session-count-leaks",
        &["CR 7.2"],
        "the sessions of a flood go on counting, so that nobody is served after it",
    ),
    (
        "no-identification",
        &["CR 7.2"],
        "the legal user that has to be served through a flood asks for the identification",
    ),
    (
        "loop-stalls",
        &["CR 3.7", "CR 4.2 RE(1)", "CR 7.7"],
        "their cases send unknown functions as well",
    ),
];

/// Why it is right that a trial of these requirements turned red; none if it is not.
pub(super) fn why(flaw: &str, requirements: &[RequirementId]) -> Option<&'static str> {
    RELATED
        .iter()
        .filter(|(name, _, _)| *name == flaw)
        .find(|(_, ids, _)| {
            let owner = requirements.first().map(ToString::to_string);
            owner.is_some_and(|owner| ids.contains(&owner.as_str()))
        })
        .map(|(_, _, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_flaw_and_requirements_that_there_are() {
        for (flaw, ids, why) in RELATED {
            assert!(
                slcert_sim::flaws().iter().any(|one| one.name == *flaw),
                "{flaw}"
            );
            assert!(!why.is_empty());
            for id in *ids {
                assert!(id.parse::<RequirementId>().is_ok(), "{id}");
            }
        }
    }
}
