//! What a test from outside cannot show: a person reads a document, or looks at the device. Each of these is a REVIEW
//! until somebody has.
//!
//! A requirement that a procedure shows in part has its procedure in the requirement's own file, and its rest here.

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// A case that ends in REVIEW: what has to be found out, and what decides.
macro_rules! inspections {
    ($($id:literal [$($requirement:literal),+] $title:literal $objective:literal $criterion:literal;)*) => {
        /// The inspections, in the standard's order.
        pub const CASES: &[Case] = &[$(Case {
            id: $id,
            title: $title,
            requirements: &[$($requirement),+],
            kind: Kind::Inspection,
            scope: Scope::Device,
            needs: &[],
            objective: $objective,
            criterion: $criterion,
            svv: Svv::Requirements,
            body: |_: &mut Procedure<'_>| -> Run<'_> { Box::pin(review($title)) },
        }),*];
    };
}

async fn review(title: &str) -> Result<(), Stop> {
    Err(Stop::review(format!("for a person: {title}")))
}

inspections! {
    "compensating-measures" ["CCSC 2"]
        "compensating countermeasures are described"
        "Read which requirements the device meets only with measures around it, and whether its documents describe those measures."
        "For every requirement under `compensated` in the rig file the product's documents describe the measure; none other depends on one.";
    "least-privilege" ["CCSC 3"]
        "services and roles have the least privilege"
        "Read, from the documents or on the device's own process list, with which privileges each service runs."
        "No service has more privileges than its task needs; the rights of the roles are shown by CR 2.1.";
    "development-process" ["CCSC 4"]
        "the development process follows IEC 62443-4-1"
        "Read the supplier's certificate or assessment of IEC 62443-4-1."
        "The evidence covers this product, its version and the present date.";
    "hardware-key-store" ["CR 1.5 RE(1)", "CR 1.9 RE(1)", "CR 1.14 RE(1)"]
        "authenticators and keys are protected by hardware"
        "Read the data sheet of the secure element, and how the product uses it for passwords, private keys and shared keys."
        "Every authenticator of the kind that the requirement names is kept in, or bound to, hardware that does not give it out.";
    "wireless-access" ["NDR 1.6", "NDR 1.6 RE(1)"]
        "wireless users are identified"
        "Look for radios; where there is one, test on a radio bench that nobody uses it without being identified, each by an identity of their own."
        "There is no radio, or the radio bench's record shows it.";
    "wireless-use" ["CR 2.2"]
        "use of radio is authorised and monitored"
        "Look for radios on the device and in its documents; where there is one, test its use control on a radio bench."
        "There is no radio, or the radio bench's record shows that use is authorised, monitored and restricted.";
    "debug-ports" ["EDR 2.13", "HDR 2.13", "NDR 2.13"]
        "physical diagnostic and test interfaces are protected"
        "Open the device, find its debug and test connections (JTAG, SWD, UART, boot pins), and try to halt the processor, read memory and break into the boot loader."
        "No such interface gives access without authentication, or gives more than the rig file declares.";
    "debug-port-monitoring" ["EDR 2.13 RE(1)", "HDR 2.13 RE(1)", "NDR 2.13 RE(1)"]
        "use of diagnostic interfaces is recorded"
        "Attempt to use each diagnostic interface, and read the audit log."
        "Every attempt is in the audit log.";
    "malicious-code" ["EDR 3.2", "SAR 3.2", "HDR 3.2", "NDR 3.2"]
        "the device is protected from malicious code"
        "Read how the device keeps out code that it was not given by its supplier or owner (signatures, allow lists, scanners), and try the channels that it offers."
        "Code of none of the tried channels runs without authorisation; the documents name the protection.";
    "protection-version" ["HDR 3.2 RE(1)"]
        "the version of the code protection is reported"
        "Ask the device for the version of its protection against malicious code."
        "The version is reported, and is the one installed.";
    "self-verification" ["CR 3.3", "CR 3.3 RE(1)"]
        "security functions can be verified"
        "Carry out the supplier's procedure that verifies the security functions, before and (for RE(1)) during normal operation."
        "The procedure exists, finds each security function working, and does not disturb the essential functions.";
    "write-once-log" ["CR 3.9 RE(1)"]
        "audit records are on write-once media"
        "Read on what medium the audit records are kept, and try to alter one."
        "The medium does not take a second write.";
    "tamper-protection" ["EDR 3.11", "HDR 3.11", "NDR 3.11"]
        "tampering is resisted and shows"
        "Inspect the enclosure, its seals and switches, and try to open it without leaving traces."
        "It cannot be opened without leaving a trace that an inspection finds.";
    "tamper-notification" ["EDR 3.11 RE(1)", "HDR 3.11 RE(1)", "NDR 3.11 RE(1)"]
        "tampering is notified"
        "Open the enclosure while the device works, and read the audit log and the notifications."
        "The opening is notified, and is in the audit log.";
    "supplier-root" ["EDR 3.12", "HDR 3.12", "NDR 3.12"]
        "the supplier's root of trust is provisioned and protected"
        "Read the provisioning records of this sample, and how the root is protected on the device."
        "The root was provisioned at manufacture, and cannot be changed or read out by anybody else.";
    "denial-of-service" ["CR 7.1", "CR 7.1 RE(1)"]
        "the device survives floods, and does not cause any"
        "Flood each network interface up to the rate that the supplier declares on a bench of its own, and measure the device's own sending."
        "The essential functions hold at all declared rates, the device recovers within 120 s, and its own load stays bounded.";
}
