//! The defects that a device can be told to have.
//!
//! Each is switched at one place in the code, where `FlawSet::enabled` is asked.

/// One defect of the simulated device: what it is called, and what it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// The name that `--flaw` takes.
    pub name: &'static str,
    /// The id of the requirement that the defect breaks, e.g. `CR 1.1 RE(1)`.
    pub requirement: &'static str,
    /// What the flawed device does, in one line.
    pub description: &'static str,
    /// For a defect that only generated inputs find: where, and how many it takes. None for one that fixed cases see.
    pub deep: Option<Deep>,
}

/// Where generated inputs find a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deep {
    /// The trial that finds it.
    pub trial: &'static str,
    /// The fewest inputs that show it; 0 where it takes all of them, so that there is no reproducer.
    pub inputs: u32,
}

/// `--flaw` named a defect that this device cannot have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no flaw `{0}`; --list-flaws shows those there are")]
pub struct UnknownFlaw(pub String);

macro_rules! flaws {
    ($($defect:ident $name:literal $requirement:literal $description:literal $(, deep $inputs:literal $trial:literal)?;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Defect { $($defect),* }

        static FLAWS: &[Flaw] = &[$(Flaw {
            name: $name, requirement: $requirement, description: $description,
            deep: [$(Some(Deep { trial: $trial, inputs: $inputs }),)? None][0],
        }),*];
    };
}

flaws! {
    LockoutStallsControl "lockout-stalls-control" "CCSC 1" "the control loop stalls for 3 s when an account is locked";
    BackupStallsControl "backup-stalls-control" "CCSC 1" "the control loop stalls for 3 s when a backup is made";
    RefusedCertificateFalsifies "refused-certificate-falsifies" "CCSC 1" "after a refused client certificate the level reads 0 for 2 s";
    CommandBeforeLogin "command-before-login" "CR 1.1" "show output and set output work at the login prompt";
    RoleAsIdentity "role-as-identity" "CR 1.1 RE(1)" "whoami names the role instead of the user";
    SecondFactorIgnored "second-factor-ignored" "CR 1.1 RE(2)" "a second factor is demanded in words only: the password alone opens a session";
    SecondFactorNotByMqtt "second-factor-not-by-mqtt" "CR 1.1 RE(2)" "a second factor is asked for on the console and not by MQTT";
    SecondFactorForgotten "second-factor-forgotten" "CR 1.1 RE(2)" "after a restart nobody is asked for a second factor";
    OtpUnchecked "otp-unchecked" "CR 1.1 RE(2)" "any six digits are taken as the code of a second factor";
    OtpUsedAgain "otp-used-again" "CR 1.1 RE(2)" "the code of a second factor opens a second session";
    OtpLastAlone "otp-last-alone" "CR 1.1 RE(2)" "of the codes of a second factor that were used, the last one alone is refused";
    OtpStaysGood "otp-stays-good" "CR 1.1 RE(2)" "codes of a second factor are taken for a minute after their time";
    OtpIsEnough "otp-is-enough" "CR 1.1 RE(2)" "with the code of a second factor any password is taken";
    AnyClientCertificate "any-client-certificate" "CR 1.2" "Modbus/TLS takes a client certificate of any issuer";
    OneKeyForType "one-key-for-type" "CR 1.2 RE(1)" "every device of the type has the same key in a certificate of its own";
    OneKeyByMqtt "one-key-by-mqtt" "CR 1.2 RE(1)" "every device of the type has the same key on MQTT";
    OneSerialForAll "one-serial-for-all" "CR 1.2 RE(1)" "every device of the type tells the same serial number";
    DisabledLogsInByMqtt "disabled-logs-in-by-mqtt" "CR 1.3" "a disabled account still logs in by MQTT";
    DisableIgnored "disable-ignored" "CR 1.3" "disabling an account is acknowledged and does nothing";
    ClosedAccountGoesOn "closed-account-goes-on" "CR 1.3" "the open sessions of a disabled or removed account go on";
    RemovedAccountReturns "removed-account-returns" "CR 1.3" "a removed account is back after a restart";
    EnabledByRestart "enabled-by-restart" "CR 1.3" "a restart enables every account";
    DuplicateOverwrites "duplicate-overwrites" "CR 1.4" "an account is created again over one of the same name";
    DuplicateRefusedButActs "duplicate-refused-but-acts" "CR 1.4" "creating an account again is refused in words, and done";
    ProcessesNotListed "processes-not-listed" "CR 1.4" "the list of accounts leaves those of processes out";
    ServiceAccount "service-account" "CR 1.4" "the device has an undeclared account: service";
    OldPasswordWorks "old-password-works" "CR 1.5" "the old password still works after a change";
    WeakPasswords "weak-passwords" "CR 1.7" "the password policy is not enforced";
    PasswordReuse "password-reuse" "CR 1.7 RE(1)" "old passwords may be set again whatever the history";
    HistoryOfOne "history-of-one" "CR 1.7 RE(1)" "the history of passwords knows the present one only";
    NoMinimumAge "no-minimum-age" "CR 1.7 RE(1)" "a password may be changed again at once whatever its least age";
    NoMaximumAge "no-maximum-age" "CR 1.7 RE(1)" "a person's password never expires";
    ProcessPasswordsNeverExpire "process-passwords-never-expire" "CR 1.7 RE(2)" "a process's password never expires";
    RequestUnproven "request-unproven" "CR 1.8" "a request for a certificate is signed with another key than it is for";
    CertificateForAnyKey "certificate-for-any-key" "CR 1.8" "a certificate for another key than the request's is installed";
    CertificateOfAnyAuthority "certificate-of-any-authority" "CR 1.8" "a certificate is installed whoever issued it";
    RenewalIgnored "renewal-ignored" "CR 1.8" "a renewed certificate is acknowledged, and the one before goes on";
    MqttKeepsCertificate "mqtt-keeps-certificate" "CR 1.8" "MQTT shows the delivered certificate, whichever is installed";
    DistrustIgnored "distrust-ignored" "CR 1.8" "an authority that is trusted no more is acknowledged, and stays trusted";
    ServerCertificateAsClient "server-certificate-as-client" "CR 1.9" "Modbus/TLS takes a client certificate that is for servers only";
    ClientAsAuthority "client-as-authority" "CR 1.9" "Modbus/TLS takes a certificate that another client has issued";
    RevocationsIgnored "revocations-ignored" "CR 1.9" "a list of revoked certificates is acknowledged and not used";
    RevocationsForgotten "revocations-forgotten" "CR 1.9" "the list of revoked certificates is gone after a restart";
    RevocationsAnySigner "revocations-any-signer" "CR 1.9" "a list of revoked certificates may be signed by anybody";
    NamesTheUnknown "names-the-unknown" "CR 1.10" "the console says when a user name does not exist";
    PasswordEcho "password-echo" "CR 1.10" "the console echoes passwords";
    NoLockout "no-lockout" "CR 1.11" "failed logins are not counted";
    LockoutPerConnection "lockout-per-connection" "CR 1.11" "failed logins are counted for each connection, not for the account";
    LockoutPerInterface "lockout-per-interface" "CR 1.11" "failed logins on the console and by MQTT are counted apart", deep 4 "CR-1.11/fuzz-histories";
    LoginForgetsFailures "login-forgets-failures" "CR 1.11" "a login of anybody forgets the failures of all", deep 5 "CR-1.11/fuzz-histories";
    SpellingNotCounted "spelling-not-counted" "CR 1.11" "a name in capitals, or with a space or a NUL after it, opens the account and is not counted", deep 4 "CR-1.11/fuzz-histories";
    LeftLoginForgets "left-login-forgets" "CR 1.11" "a login that is left at the password forgets the failures of the account", deep 5 "CR-1.11/fuzz-histories";
    LockForgottenByRestart "lock-forgotten-by-restart" "CR 1.11" "a restart unlocks every account", deep 5 "CR-1.11/fuzz-histories";
    NoBanner "no-banner" "CR 1.12" "no notice is shown before login";
    BannerFixed "banner-fixed" "CR 1.12" "a new notice text is acknowledged but not taken over";
    UnsealedTaken "unsealed-taken" "CR 1.14" "a command without a seal is done";
    SealCutShort "seal-cut-short" "CR 1.14" "of a command's seal, as much is compared as it brings";
    SealReplayed "seal-replayed" "CR 1.14" "a sealed command that was done is done again";
    SealReplayedAfterRestart "seal-replayed-after-restart" "CR 1.14" "after a restart a sealed command that was done is done again";
    AnyPeersKey "any-peers-key" "CR 1.14" "a command may be sealed with the key of another peer";
    OneKeyForAll "one-key-for-all" "CR 1.14" "all peers have the same key";
    OldKeyWorks "old-key-works" "CR 1.14" "the key before a change still seals";
    KeyShown "key-shown" "CR 1.14" "the console shows the keys of the peers";
    ManagementOutside "management-outside" "NDR 1.13" "an undeclared debug service listens on TCP 2323 in the network outside";
    OutsideUnlogged "outside-unlogged" "NDR 1.13" "who comes from the network outside is not in the audit log";
    OutsideUnapproved "outside-unapproved" "NDR 1.13 RE(1)" "nobody has to approve access from the network outside";
    ApprovalForEver "approval-for-ever" "NDR 1.13 RE(1)" "an approval of access from the network outside does not end";
    AccessApprovedByAnyone "access-approved-by-anyone" "NDR 1.13 RE(1)" "every role may approve access from the network outside";
    ViewerWrites "viewer-writes" "CR 2.1" "a viewer may set the output on the console";
    SessionKeepsRights "session-keeps-rights" "CR 2.1 RE(1)" "an MQTT session keeps the rights that its role had when it began", deep 3 "CR-2.1-RE-1/fuzz-histories";
    RevokedRightReturns "revoked-right-returns" "CR 2.1" "after a restart every role has the rights that it was delivered with", deep 3 "CR-2.1/fuzz-histories";
    WriterLendsRight "writer-lends-right" "CR 2.1 RE(1)" "for 8 s after a write on the console every MQTT client may write", deep 4 "CR-2.1-RE-1/fuzz-histories";
    CertificateRoleIgnored "certificate-role-ignored" "CR 2.1 RE(1)" "any certificate of the device CA may write by Modbus/TLS";
    TopicAclIgnored "topic-acl-ignored" "CR 2.1 RE(1)" "every MQTT client may publish and subscribe to every topic";
    RoleChangeIgnored "role-change-ignored" "CR 2.1 RE(2)" "changed permissions of a role have no effect";
    OverrideForEver "override-for-ever" "CR 2.1 RE(3)" "a supervisor's override does not end";
    OverrideForOpenSession "override-for-open-session" "CR 2.1 RE(3)" "a session that is open when an override ends goes on with it";
    OverrideUnlogged "override-unlogged" "CR 2.1 RE(3)" "a supervisor's override is not in the audit log";
    ApprovesOwnRequest "approves-own-request" "CR 2.1 RE(4)" "who asks for a critical action may approve it";
    RequestActs "request-acts" "CR 2.1 RE(4)" "a critical action is done before anybody approves it";
    ApprovedByAnyone "approved-by-anyone" "CR 2.1 RE(4)" "a user without the right approves a critical action";
    ApprovalUsedAgain "approval-used-again" "CR 2.1 RE(4)" "an approved request can be approved again later";
    CodeByAnyone "code-by-anyone" "EDR 2.4" "every user of the console may load and run a program";
    CodeRefusedButRuns "code-refused-but-runs" "EDR 2.4" "who may not load a program is refused, and it runs";
    RemovedCodeReturns "removed-code-returns" "EDR 2.4" "a removed program runs again after a restart";
    CodeUnchecked "code-unchecked" "EDR 2.4 RE(1)" "the signature of a program is not checked";
    CodeAnySigner "code-any-signer" "EDR 2.4 RE(1)" "a program may be signed by anybody";
    RefusedCodeStored "refused-code-stored" "EDR 2.4 RE(1)" "a refused program is stored, and runs after a restart";
    RefusedCodeUnrecorded "refused-code-unrecorded" "EDR 2.4 RE(1)" "an altered program is refused, and the audit log does not tell";
    NoSessionLock "no-session-lock" "CR 2.5" "an idle session is not locked";
    LockKeepsGoing "lock-keeps-going" "CR 2.5" "a locked session still runs commands";
    MqttIdlesForEver "mqtt-idles-for-ever" "CR 2.6" "a silent MQTT session is not ended";
    EndSessionIgnored "end-session-ignored" "CR 2.6" "ending a session is acknowledged and does nothing";
    ModbusSessionNotEnded "modbus-session-not-ended" "CR 2.6" "a Modbus/TLS session is not ended, one of MQTT is";
    EndedSessionStillWrites "ended-session-still-writes" "CR 2.6" "an ended Modbus/TLS session gets exceptions, and its writes are done";
    RefusalKeepsSessions "refusal-keeps-sessions" "CR 2.6" "each login that is refused to anybody gives all silent sessions over a network their whole time again", deep 4 "CR-2.6/fuzz-histories";
    EndedSessionRevives "ended-session-revives" "CR 2.6" "a Modbus/TLS session that an administrator has ended goes on when its user comes again", deep 4 "CR-3.8/fuzz-histories";
    EndedClientIdReturns "ended-client-id-returns" "CR 2.6" "the client id of an MQTT session that an administrator has ended is let in without a password once its user has come again", deep 4 "CR-3.8/fuzz-histories";
    EndingTakesTheNext "ending-takes-the-next" "CR 2.6" "ending a session ends the next one of another user on its interface, too", deep 5 "CR-3.8/fuzz-histories";
    NoSessionLimit "no-session-limit" "CR 2.7" "a user may have any number of sessions";
    MqttSessionsUnlimited "mqtt-sessions-unlimited" "CR 2.7" "a user may have any number of MQTT sessions";
    SessionCountLeaks "session-count-leaks" "CR 2.7" "sessions that are over still count";
    SessionCountDrifts "session-count-drifts" "CR 2.7" "each session that is over makes room for two";
    DroppedHandshakeCounts "dropped-handshake-counts" "CR 2.7" "a Modbus/TLS connection that is dropped before its first request counts as a session for good", deep 4 "CR-2.7/fuzz-histories";
    ConsoleHidesMqtt "console-hides-mqtt" "CR 2.7" "the MQTT sessions of a user are not counted while that user is logged in on the console", deep 6 "CR-2.7/fuzz-histories";
    AuditWithoutConfiguration "audit-without-configuration" "CR 2.8" "configuration changes are not in the audit log";
    AuditWithoutResult "audit-without-result" "CR 2.8" "audit entries lack the result";
    AuditDoublesInTurn "audit-doubles-in-turn" "CR 2.8" "a change is in the audit log twice where another interface made one since the last on its own", deep 5 "CR-2.8/fuzz-histories";
    AuditDropsSecond "audit-drops-second" "CR 2.8" "a change is not in the audit log where the same user made one within 6 s before", deep 4 "CR-2.8/fuzz-histories";
    AuditFullDies "audit-full-dies" "CR 2.9" "the process ends when the audit log is full";
    AuditFullStops "audit-full-stops" "CR 2.9" "a full audit log takes no new entries, without a word";
    AuditFullStalls "audit-full-stalls" "CR 2.9" "the control loop stalls for 3 s when the audit log is full";
    NoAuditWarning "no-audit-warning" "CR 2.9 RE(1)" "nothing warns that the audit log is nearly full";
    AuditWarningFixed "audit-warning-fixed" "CR 2.9 RE(1)" "the warning's threshold is acknowledged but stays at 50 %";
    AuditFailureSilent "audit-failure-silent" "CR 2.10" "entries that cannot be written are dropped without a word";
    AuditFailureStopsControl "audit-failure-stops-control" "CR 2.10" "no value can be set while the audit log cannot be written";
    AuditFailureForGood "audit-failure-for-good" "CR 2.10" "after the audit log could not be written once, nothing more is recorded";
    ClockOff "clock-off" "CR 2.11" "audit entries are stamped an hour ahead";
    ClockResets "clock-resets" "CR 2.11" "after a power cut the clock begins at the date of its firmware";
    StampsJump "stamps-jump" "CR 2.11" "every other audit entry is stamped 900 ms early";
    TimeServerIgnored "time-server-ignored" "CR 2.11 RE(1)" "the time server is asked, and its answer thrown away";
    TimeServerOnce "time-server-once" "CR 2.11 RE(1)" "the time server is followed once, and never again";
    TimeSetByAnyone "time-set-by-anyone" "CR 2.11 RE(2)" "every user of the console may set the time";
    TimeRefusalUnlogged "time-refusal-unlogged" "CR 2.11 RE(2)" "a refused change of the time is not in the audit log";
    ImplausibleTimeTaken "implausible-time-taken" "CR 2.11 RE(2)" "the time server is followed however far it jumps";
    ImplausibleTimeUnlogged "implausible-time-unlogged" "CR 2.11 RE(2)" "an implausible time is not taken, and not in the audit log";
    AuditNamesTheRole "audit-names-the-role" "CR 2.12" "audit entries name the role instead of the user";
    AuditNamesTheLast "audit-names-the-last" "CR 2.8" "a change by MQTT is in the audit log under the name of who made one by MQTT within 8 s before", deep 4 "CR-2.8/fuzz-histories";
    AuditNamesTheClientId "audit-names-the-client-id" "CR 2.12 RE(1)" "what a process did by MQTT is in the audit log under its client id";
    AuditWithoutSubject "audit-without-subject" "CR 2.12 RE(1)" "what was done by Modbus/TLS is in the audit log without the certificate's subject";
    AcceptsBadCrc "accepts-bad-crc" "CR 3.1" "Modbus RTU frames with a wrong CRC are answered";
    PlainWrite "plain-write" "CR 3.1 RE(1)" "plain Modbus TCP takes writes";
    NoIntegrityAlert "no-integrity-alert" "CR 3.4 RE(2)" "an altered backup is refused, and nobody is told";
    IntegrityAlertAlways "integrity-alert-always" "CR 3.4 RE(2)" "every restored backup raises the alert of an altered one";
    RefusedConfigurationActs "refused-configuration-acts" "CR 3.4" "a configuration that was refused for its signature is in force after the next restart", deep 3 "CR-3.4/fuzz-configurations";
    TamperingUnrecorded "tampering-unrecorded" "CR 3.4" "an altered configuration is refused, and the audit log does not tell";
    ImportRefusedButApplied "import-refused-but-applied" "CR 3.4" "an altered configuration is refused, and its settings are taken";
    ImportAnySigner "import-any-signer" "CR 3.4 RE(1)" "a configuration may be signed by anybody";
    OverLimitRead "over-limit-read" "CR 3.5" "a read of 126 holding registers is answered with data";
    DiesOnLongLine "dies-on-long-line" "CR 3.5" "a console line of more than 1024 bytes ends the process";
    LoopStalls "loop-stalls" "CR 3.5" "the control loop stalls for 3 s after an illegal Modbus function";
    LateCrash "late-crash" "CR 3.5" "the process ends at the 40th Modbus request that it refuses", deep 40 "CR-3.5/fuzz-modbus@field";
    CrashAfterThree "crash-after-three" "CR 3.5" "the process ends at Modbus functions 43, 23 and 15 in a row on one connection", deep 3 "CR-3.5/fuzz-modbus@field";
    CrashOnRecordSum "crash-on-record-sum" "CR 3.5" "the process ends at a Modbus request for file records of more than 245 bytes in sum", deep 1 "CR-3.5/fuzz-modbus@field";
    CrashAtLength255 "crash-at-length-255" "CR 3.5" "the process ends at an MBAP header whose length is 255", deep 1 "CR-3.5/fuzz-modbus@field";
    DeafConnection "deaf-connection" "CR 3.5" "after Modbus function 24 the connection is not answered any more", deep 1 "CR-3.5/fuzz-modbus@field";
    DeafToNewcomers "deaf-to-newcomers" "CR 3.5" "after four Modbus connections that end inside a request, no new one is served", deep 4 "CR-3.5/fuzz-modbus@field";
    SpinsAfterUnfinished "spins-after-unfinished" "CR 3.5" "a Modbus connection that ends inside a request leaves a thread that spins", deep 0 "CR-3.5/fuzz-modbus@field";
    Degrades "degrades" "CR 3.5" "each Modbus function 11 makes all later answers 200 ms late", deep 1 "CR-3.5/fuzz-modbus@field";
    MaskStallsControl "mask-stalls-control" "CR 3.5" "the control loop stalls for 3 s after Modbus function 22 with an AND mask of 0", deep 1 "CR-3.5/fuzz-modbus@field";
    MapDestroyed "map-destroyed" "CR 3.5" "after Modbus function 16 without registers, input registers have illegal addresses", deep 2 "CR-3.5/fuzz-modbus@field";
    LieAccepted "lie-accepted" "CR 3.5" "Modbus function 15 with a byte count that lies is answered as done", deep 1 "CR-3.5/fuzz-modbus@plc";
    BeyondTheMap "beyond-the-map" "CR 3.5" "a read of input registers may go one beyond the last", deep 1 "CR-3.5/fuzz-modbus@field";
    PaddingBits "padding-bits" "CR 3.5" "the bits above the last coil that was asked for are set", deep 1 "CR-3.5/fuzz-modbus@field";
    PiecesLost "pieces-lost" "CR 3.5" "a Modbus request whose header comes in two segments is lost", deep 1 "CR-3.5/fuzz-modbus@field";
    JoinedLost "joined-lost" "CR 3.5" "of Modbus requests in one segment, only the first is answered", deep 1 "CR-3.5/fuzz-modbus@field";
    TransactionDrifts "transaction-drifts" "CR 3.5" "Modbus exception 3 has the transaction of the next request", deep 1 "CR-3.5/fuzz-modbus@field";
    AnswersTooEarly "answers-too-early" "CR 3.5" "a Modbus read is answered before its frame has ended", deep 1 "CR-3.5/fuzz-modbus@field";
    StaleObject "stale-object" "CR 3.5" "private objects of Modbus identification hold what the request before had", deep 2 "CR-3.5/fuzz-modbus@field";
    BareException "bare-exception" "CR 3.5" "the exception to Modbus function 17 has no code", deep 1 "CR-3.5/fuzz-modbus@field";
    WriteForgetsOutput "write-forgets-output" "CR 3.5" "a Modbus write of several registers is acknowledged, and leaves the output as it was", deep 1 "CR-3.5/fuzz-modbus@plc";
    BroadcastAnswered "broadcast-answered" "CR 3.5" "Modbus broadcasts on the serial line are answered", deep 1 "CR-3.5/fuzz-modbus@rtu";
    NextFrameLost "next-frame-lost" "CR 3.5" "on the serial line, the frame after one with a wrong CRC is lost", deep 1 "CR-3.5/fuzz-modbus@rtu";
    ConnectionLeaks "connection-leaks" "CR 3.5" "each Modbus connection leaves 2 kB behind", deep 0 "CR-3.5/fuzz-modbus@field";
    CrashOnDeepTopic "crash-on-deep-topic" "CR 3.5" "the process ends at an MQTT topic of more than 150 levels", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    CrashOnProperties "crash-on-properties" "CR 3.5" "the process ends at an MQTT packet with more than 300 user properties", deep 1 "CR-3.5/fuzz-mqtt@gateway";
    CrashAfterSubscribe "crash-after-subscribe" "CR 3.5" "the process ends at PUBLISH, SUBSCRIBE and PUBLISH in a row in one MQTT session", deep 3 "CR-3.5/fuzz-mqtt@gateway311";
    PubcompDeafens "pubcomp-deafens" "CR 3.5" "after a PUBCOMP the MQTT session is not answered any more", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    UnsubscribeStallsControl "unsubscribe-stalls-control" "CR 3.5" "the control loop stalls for 3 s after an UNSUBSCRIBE of more than 60 bytes", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    ConnackIgnored "connack-ignored" "CR 3.5" "a CONNACK from an MQTT client is ignored, and its session goes on", deep 1 "CR-3.5/fuzz-mqtt@gateway";
    ZeroIdentifier "zero-identifier" "CR 3.5" "MQTT acknowledgements of packet identifier 0 are answered", deep 1 "CR-3.5/fuzz-mqtt@gateway";
    AcknowledgedTwice "acknowledged-twice" "CR 3.5" "MQTT publications of quality of service 1 are acknowledged twice", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    SubackShort "suback-short" "CR 3.5" "the SUBACK for more than two filters lacks the last code", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    ForeignPubrec "foreign-pubrec" "CR 3.5" "a refused MQTT 3.1.1 publication of quality of service 2 is answered with a PUBREC of MQTT 5.0", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    ReleaseClearsLimit "release-clears-limit" "CR 3.5" "an MQTT PUBREL with a packet identifier above 255 sets the limit to 0", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    DeclaredBlocksNewcomers "declared-blocks-newcomers" "CR 3.5" "once an MQTT client has declared a packet of a megabyte, no new one is served", deep 1 "CR-3.5/fuzz-mqtt@gateway311";
    CrashOnForeignSuback "crash-on-foreign-suback" "CR 3.5" "as a client that has come again, the process ends at a SUBACK with another packet identifier", deep 1 "CR-3.5/fuzz-broker@site";
    CrashOnLatePubcomp "crash-on-late-pubcomp" "CR 3.5" "the process ends at PUBREC, PUBREL and PUBCOMP in a row from a broker", deep 3 "CR-3.5/fuzz-broker@site311";
    CrashOnConnackProperties "crash-on-connack-properties" "CR 3.5" "the process ends at a CONNACK with more than 100 user properties", deep 1 "CR-3.5/fuzz-broker@site";
    TopicAliasStallsControl "topic-alias-stalls-control" "CR 3.5" "the control loop stalls for 3 s after a PUBLISH with a topic alias from a broker", deep 1 "CR-3.5/fuzz-broker@site";
    MovedNeverReturns "moved-never-returns" "CR 3.5" "a broker that tells the device to use another is never come to again", deep 1 "CR-3.5/fuzz-broker@site";
    BusyComesAtOnce "busy-comes-at-once" "CR 3.5" "the device comes to a broker that is busy again without a pause", deep 1 "CR-3.5/fuzz-broker@site311";
    MalformedDemandTaken "malformed-demand-taken" "CR 3.5" "an order from a broker is carried out before the rest of its packet is looked at", deep 1 "CR-3.5/fuzz-broker@site";
    CutDemandTaken "cut-demand-taken" "CR 3.5" "an order from a broker is carried out though the connection ended inside its packet", deep 1 "CR-3.5/fuzz-broker@site311";
    QosThreeIgnored "qos-three-ignored" "CR 3.5" "a PUBLISH with QoS 3 from a broker is ignored, and the session goes on", deep 1 "CR-3.5/fuzz-broker@site311";
    PubrelLeaks "pubrel-leaks" "CR 3.5" "each PUBREL for no message from a broker leaves 256 kB behind", deep 0 "CR-3.5/fuzz-broker@site";
    CrashOnByteCount "crash-on-byte-count" "CR 3.5" "the process ends at a Modbus server's answer whose byte count is greater than what came", deep 1 "CR-3.5/fuzz-server@upstream";
    CrashOnThirdProtocol "crash-on-third-protocol" "CR 3.5" "the process ends at the third header of another protocol from a Modbus server", deep 3 "CR-3.5/fuzz-server@upstream";
    UnknownExceptionStallsControl "unknown-exception-stalls-control" "CR 3.5" "the control loop stalls for 3 s after an exception above 11 from a Modbus server", deep 1 "CR-3.5/fuzz-server@upstream";
    BusyEndsPolling "busy-ends-polling" "CR 3.5" "a Modbus server that says that it is busy is never polled again", deep 1 "CR-3.5/fuzz-server@upstream";
    HalfCloseDeafens "half-close-deafens" "CR 3.5" "a Modbus server that has closed its side is polled on the same connection for ever", deep 1 "CR-3.5/fuzz-server@upstream";
    RefusedComesAtOnce "refused-comes-at-once" "CR 3.5" "the device comes to a Modbus server that lets it in and answers nothing again without a pause", deep 1 "CR-3.5/fuzz-server@upstream";
    ForeignAnswerTaken "foreign-answer-taken" "CR 3.5" "a Modbus server's answer to another transaction is taken", deep 1 "CR-3.5/fuzz-server@upstream";
    ByteCountIgnored "byte-count-ignored" "CR 3.5" "the values of a Modbus server's answer are taken whatever its byte count", deep 1 "CR-3.5/fuzz-server@upstream";
    StaleBytesTold "stale-bytes-told" "CR 3.5" "the bytes too many of a Modbus server's answer stand behind the device's next write", deep 1 "CR-3.5/fuzz-server@upstream";
    SurplusRegistersTold "surplus-registers-told" "CR 3.5" "the registers too many of a Modbus server's answer are written behind the level", deep 1 "CR-3.5/fuzz-server@upstream";
    ForeignAnswerLeaks "foreign-answer-leaks" "CR 3.5" "each answer of a Modbus server to another transaction leaves 1 MiB behind", deep 0 "CR-3.5/fuzz-server@upstream";
    CrashOnRecordLength "crash-on-record-length" "CR 3.5" "the process ends at a TLS record header whose length is between 16641 and 18432 before a handshake", deep 1 "CR-3.5/fuzz-tls@gateway311";
    FragmentsBlockNewcomers "fragments-block-newcomers" "CR 3.5" "after a ClientHello in more than 20 records no new TLS client is served", deep 1 "CR-3.5/fuzz-tls@gateway";
    DeafAfterHalfOpen "deaf-after-half-open" "CR 3.5" "after five TLS handshakes that end behind the ServerHello, no new TLS client is served", deep 5 "CR-3.5/fuzz-tls@plc";
    PlainAfterRefusal "plain-after-refusal" "CR 3.5" "once a TLS handshake was refused, Modbus without TLS is answered on the port", deep 2 "CR-3.5/fuzz-tls@plc";
    EmptyExtensionsStallControl "empty-extensions-stall-control" "CR 3.5" "the control loop stalls for 3 s after a ClientHello with an empty list of extensions", deep 1 "CR-3.5/fuzz-tls@plc";
    AlertEchoes "alert-echoes" "CR 3.5" "an alert before a ClientHello is answered with one that holds bytes of the connection before", deep 2 "CR-3.5/fuzz-tls@plc";
    EarlyDataIgnored "early-data-ignored" "CR 3.5" "application data before a TLS handshake is ignored, and the handshake goes on", deep 1 "CR-3.5/fuzz-tls@gateway311";
    FatalAlertIgnored "fatal-alert-ignored" "CR 3.5" "a fatal TLS alert before a ClientHello is ignored, and the connection goes on", deep 1 "CR-3.5/fuzz-tls@plc";
    LongRecordsTaken "long-records-taken" "CR 3.5" "a ClientHello of TLS 1.3 is taken in a record of more than 16384 bytes", deep 1 "CR-3.5/fuzz-tls@gateway";
    HelloLeaks "hello-leaks" "CR 3.5" "each TLS connection that ends inside its ClientHello leaves its buffers of 64 kB behind", deep 0 "CR-3.5/fuzz-tls@gateway311";
    CrashOnKeyUpdates "crash-on-key-updates" "CR 3.5" "the process ends at two KeyUpdates in a row in a session of TLS 1.3", deep 1 "CR-3.5/fuzz-tls-session@plc";
    LongRecordBlocksNewcomers "long-record-blocks-newcomers" "CR 3.5" "after a TLS record of more than 2^14 bytes in a session no new TLS client is served", deep 1 "CR-3.5/fuzz-tls-session@gateway";
    AlertAnsweredInClear "alert-answered-in-clear" "CR 3.5" "an alert in a session of TLS 1.2 is answered with a record that is not sealed", deep 1 "CR-3.5/fuzz-tls-session@gateway311";
    KeyUpdateClearsLimit "key-update-clears-limit" "CR 3.5" "a KeyUpdate in a session of TLS 1.3 sets the limit to 0", deep 1 "CR-3.5/fuzz-tls-session@plc";
    CrashOnErase "crash-on-erase" "CR 3.5" "the process ends when a character of a console line is erased that the line had no room for", deep 1 "CR-3.5/fuzz-console@console";
    CrashAfterGivenUpLogins "crash-after-given-up-logins" "CR 3.5" "the process ends at the console login behind two in a row that were given up at the password", deep 2 "CR-3.5/fuzz-console@console";
    CrashOnFormatArgument "crash-on-format-argument" "CR 3.5" "the process ends at a console command with %n in its arguments", deep 1 "CR-3.5/fuzz-console@console";
    UnendedSequenceDeafens "unended-sequence-deafens" "CR 3.5" "an escape sequence for a title that does not end swallows all that is typed on the console", deep 1 "CR-3.5/fuzz-console@console";
    XoffDeafens "xoff-deafens" "CR 3.5" "after XOFF the console does not go on at XON", deep 1 "CR-3.5/fuzz-console@console";
    TabStallsControl "tab-stalls-control" "CR 3.5" "the control loop stalls for 3 s when a long console line is completed", deep 1 "CR-3.5/fuzz-console@console";
    ControlKeyClearsLimit "control-key-clears-limit" "CR 3.5" "Ctrl-T on the console sets the limit to 0, also before a login", deep 1 "CR-3.5/fuzz-console@console";
    FormFeedSlows "form-feed-slows" "CR 3.5" "after a form feed the console takes 300 ms longer for each line", deep 1 "CR-3.5/fuzz-console@console";
    ForgedLogLine "forged-log-line" "CR 3.5" "the audit log shows a line separator in a user name as the end of a line", deep 1 "CR-3.5/fuzz-console@console";
    PasswordInHistory "password-in-history" "CR 3.5" "the session after a refused login on the console shows what was typed as the password when the line before is asked for", deep 2 "CR-3.5/fuzz-console@console";
    LongNameOpensSession "long-name-opens-session" "CR 3.5" "a user name that is too long for the console opens a session of who was logged in last", deep 1 "CR-3.5/fuzz-console@console";
    CommandAsPassword "command-as-password" "CR 3.5" "a command that is typed as a password on the console is carried out", deep 1 "CR-3.5/fuzz-console@console";
    ParametersFlood "parameters-flood" "CR 3.5" "an escape sequence with many parameters makes the console print without an end", deep 1 "CR-3.5/fuzz-console@console";
    NulSpoilsSession "nul-spoils-session" "CR 3.5" "after a NUL in a console line its session understands no command any more", deep 1 "CR-3.5/fuzz-console@console";
    EscapesLeak "escapes-leak" "CR 3.5" "each escape sequence on the console leaves 256 kB behind", deep 0 "CR-3.5/fuzz-console@console";
    OutputHoldsOnLoss "output-holds-on-loss" "CR 3.6" "the output holds when its master is gone, whatever is configured";
    OutputFullAfterRestart "output-full-after-restart" "CR 3.6" "after a restart the output is at its maximum";
    StackTrace "stack-trace" "CR 3.7" "errors on the console come with a stack trace";
    InheritedClientId "inherited-client-id" "CR 3.8" "an MQTT client can take over another user's client id and session";
    LogoutKeepsSession "logout-keeps-session" "CR 3.8" "Enter at the login prompt resumes the session that was logged out";
    LockedOutlivesLogout "locked-outlives-logout" "CR 3.8" "Enter at the login prompt resumes the session that was logged out, if it was locked before", deep 4 "CR-3.8/fuzz-histories";
    ClientIdOutlivesRestart "client-id-outlives-restart" "CR 3.8" "after a restart, the client id of an MQTT session that was open before is let in without a password", deep 3 "CR-3.8/fuzz-histories";
    EndedSessionHandedOn "ended-session-handed-on" "CR 3.8" "an MQTT session that an administrator has ended goes to the next user who comes with its client id", deep 3 "CR-3.8/fuzz-histories";
    AuditClearByEngineer "audit-clear-by-engineer" "CR 3.9" "an engineer may clear the audit log";
    AuditClearedAnyway "audit-cleared-anyway" "CR 3.9" "who may not clear the audit log is refused, and it is cleared";
    AuditClearUnlogged "audit-clear-unlogged" "CR 3.9" "clearing the audit log leaves no entry";
    AuditVolatile "audit-volatile" "CR 3.9" "the audit log is empty after a power cut";
    UpdateForgotten "update-forgotten" "EDR 3.10" "an installed update is gone after a restart";
    UpdateMarkerFirst "update-marker-first" "EDR 3.10" "the new image is marked as the one to start before it is whole";
    UpdateAcknowledgedEarly "update-acknowledged-early" "EDR 3.10" "an update is acknowledged before it is stored";
    UpdateUnchecked "update-unchecked" "EDR 3.10 RE(1)" "the signature of an image is not checked";
    UpdateHeadOnly "update-head-only" "EDR 3.10 RE(1)" "only the first part of an image is under the signature that is checked";
    UpdateAnySigner "update-any-signer" "EDR 3.10 RE(1)" "an image may be signed by anybody";
    UpdateDowngrade "update-downgrade" "EDR 3.10 RE(1)" "an older image is installed";
    UpdateRefusedButStored "update-refused-but-stored" "EDR 3.10 RE(1)" "a refused image is stored, and started after a restart";
    UpdatePaddingUnchecked "update-padding-unchecked" "EDR 3.10 RE(1)" "the padding behind the product's name in an image may be anything", deep 1 "EDR-3.10-RE-1/fuzz-images";
    UpdateAfterCutUnchecked "update-after-cut-unchecked" "EDR 3.10 RE(1)" "the first image after a power cut under an update is taken without a look at its signature", deep 2 "EDR-3.10-RE-1/fuzz-images";
    UpdateKnownSignature "update-known-signature" "EDR 3.10 RE(1)" "an image with the signature of the one installed last is taken, whatever is under it", deep 3 "EDR-3.10-RE-1/fuzz-images";
    OwnerRootIgnored "owner-root-ignored" "EDR 3.13" "a root of trust of the owner's is acknowledged and not used";
    OwnerRootByAnyone "owner-root-by-anyone" "EDR 3.13" "every role may provision a root of trust";
    OwnerRootForgotten "owner-root-forgotten" "EDR 3.13" "the owner's roots of trust are gone after a restart";
    BootsAltered "boots-altered" "EDR 3.14" "a stored image that was altered is started";
    BootsForeign "boots-foreign" "EDR 3.14 RE(1)" "a stored image that somebody else has signed is started";
    PasswordInBackup "password-in-backup" "CR 4.1" "a backup holds the password that was changed last, in clear";
    SecretInNotice "secret-in-notice" "CR 4.1" "a notice on the console prints a changed password";
    FailedPasswordLogged "failed-password-logged" "CR 4.1" "the password of a login by MQTT that failed is in the audit log in base64 once its user is let in by MQTT", deep 3 "CR-4.1/fuzz-histories";
    SimplePasswordListed "simple-password-listed" "CR 4.1" "a new password that was refused as too simple stands below the list of accounts once its account gets another one", deep 3 "CR-4.1/fuzz-histories";
    ChangedPasswordInIdentity "changed-password-in-identity" "CR 4.1" "after a restart the identity by MQTT holds the password that was set last in hexadecimal", deep 3 "CR-4.1/fuzz-histories";
    OldPasswordTold "old-password-told" "CR 4.1" "a wrong old password of a change is told to another user who asks for the own name, in hexadecimal, once its user comes again", deep 3 "CR-4.1/fuzz-histories";
    PurgeKeepsAccounts "purge-keeps-accounts" "CR 4.2" "a purge erases values and the log, and keeps the accounts";
    PurgeKeepsLog "purge-keeps-log" "CR 4.2" "a purge keeps the audit log";
    PurgeLeavesTraces "purge-leaves-traces" "CR 4.2" "a purge hides what is stored, and does not erase it";
    ConsoleStaleLine "console-stale-line" "CR 4.2 RE(1)" "the console answers an unknown command with the rest of a longer line of an earlier session";
    ModbusStaleRegisters "modbus-stale-registers" "CR 4.2 RE(1)" "unused input registers hold bytes of an earlier request";
    ErasureUnreported "erasure-unreported" "CR 4.2 RE(2)" "nothing is told of an erasure";
    ErasureAlwaysVerified "erasure-always-verified" "CR 4.2 RE(2)" "the erasure is reported as verified at all times, before any as well";
    ErasureFailureHidden "erasure-failure-hidden" "CR 4.2 RE(2)" "an erasure that failed in part is reported as verified";
    Tls10 "tls-1.0" "CR 4.3" "the Modbus/TLS port goes along with TLS 1.0 and a CBC suite";
    ExpiredClientCertificate "expired-client-certificate" "CR 4.3" "Modbus/TLS takes an expired client certificate";
    BroadcastCrosses "broadcast-crosses" "CR 5.1" "what is sent to all outside is sent to all inside";
    MulticastCrosses "multicast-crosses" "CR 5.1" "what is sent to a group outside is sent to the group inside";
    UdpBridgedOut "udp-bridged-out" "CR 5.1" "some undeclared UDP ports pass to the network outside, none of TCP and none inwards";
    RuleBothWays "rule-both-ways" "NDR 5.2" "a rule for one direction lets connections of the other pass as well";
    RuleOffByOne "rule-off-by-one" "NDR 5.2" "a rule lets the next port pass as well";
    RuleForAnyProtocol "rule-for-any-protocol" "NDR 5.2" "a rule for TCP lets UDP pass as well";
    DefaultAllowAfterRestart "default-allow-after-restart" "NDR 5.2 RE(1)" "after a restart, what no rule knows passes";
    EmptyTableAllowsAll "empty-table-allows-all" "NDR 5.2 RE(1)" "a table without rules lets everything pass";
    ClearedRulesGoOn "cleared-rules-go-on" "NDR 5.2 RE(1)" "taking the rules away is acknowledged, and they go on";
    IslandLeaksOut "island-leaks-out" "NDR 5.2 RE(2)" "in island mode the way out stays open";
    IslandForEver "island-for-ever" "NDR 5.2 RE(2)" "ending island mode is acknowledged and does nothing";
    IslandKeepsConnections "island-keeps-connections" "NDR 5.2 RE(2)" "connections that are open go on in island mode";
    FilterFailsOpen "filter-fails-open" "NDR 5.2 RE(3)" "while the rules cannot be read everything passes";
    FilterFailsOpenOut "filter-fails-open-out" "NDR 5.2 RE(3)" "while the rules cannot be read the way out is open";
    ChatCrosses "chat-crosses" "NDR 5.3" "XMPP passes from outside";
    CallCrosses "call-crosses" "NDR 5.3" "SIP over UDP passes from outside";
    MailOnAnyPort "mail-on-any-port" "NDR 5.3" "a mail passes from outside on a port that is permitted for something else";
    AuditReadByOperator "audit-read-by-operator" "CR 6.1" "an operator may read the audit log";
    AuditReadingConsumes "audit-reading-consumes" "CR 6.1" "entries that were read are gone from the audit log";
    ExportLeavesOutFailures "export-leaves-out-failures" "CR 6.1 RE(1)" "the export of the audit log lacks what failed";
    ExportWithoutTime "export-without-time" "CR 6.1 RE(1)" "entries of the export have no time";
    ExportCutShort "export-cut-short" "CR 6.1 RE(1)" "the export ends in the middle of an entry";
    NoLockoutAlert "no-lockout-alert" "CR 6.2" "a lockout raises no alert";
    AlertLate "alert-late" "CR 6.2" "alerts are published after 4 s";
    AlertNotForMqtt "alert-not-for-mqtt" "CR 6.2" "a lockout by MQTT raises no alert";
    HandshakesStallControl "handshakes-stall-control" "CR 7.2" "the control loop stalls for 3 s under more than 10 TLS connections a second";
    FloodShutsPort "flood-shuts-port" "CR 7.2" "after 40 connections within a second plain Modbus TCP takes no more until a restart";
    RestoreIncomplete "restore-incomplete" "CR 7.3" "a restore says that it is done, and leaves the limit as it is";
    RestoreUnchecked "restore-unchecked" "CR 7.3 RE(1)" "the seal of a backup is not checked";
    RestoreKnownSeal "restore-known-seal" "CR 7.3 RE(1)" "once a backup was restored twice in a row, its seal stands for whatever it is put on", deep 5 "CR-7.3-RE-1/fuzz-backups";
    FirstBackupStale "first-backup-stale" "CR 7.3 RE(1)" "the first backup after a start holds the limit as it was at the start", deep 4 "CR-7.3-RE-1/fuzz-backups";
    RestoreRefusedButApplied "restore-refused-but-applied" "CR 7.3 RE(1)" "an altered backup is refused after its limit was taken";
    SettingsLost "settings-lost" "CR 7.4" "settings are back at their defaults after a restart";
    AccountsLost "accounts-lost" "CR 7.4" "accounts that were added are gone after a restart";
    PasswordsReset "passwords-reset" "CR 7.4" "the delivered passwords are back after a restart";
    SettingsReadDefaults "settings-read-defaults" "CR 7.6" "the settings that are shown are the defaults, whatever is in force";
    ReportStale "report-stale" "CR 7.6 RE(1)" "the machine-readable report tells the defaults, whatever is in force";
    DebugPort "debug-port" "CR 7.7" "an undeclared debug service listens on TCP 2323";
    DebugCommand "debug-command" "CR 7.7" "the console has an undeclared command: factory";
    WrongRevision "wrong-revision" "CR 7.8" "Modbus identification tells another revision than the console";
    NoIdentification "no-identification" "CR 7.8" "Modbus identification is refused";
}

/// Every flaw, in the order of the requirements they break.
pub fn flaws() -> &'static [Flaw] {
    FLAWS
}

impl Defect {
    /// The public description; the macro keeps both lists in the same order.
    pub(crate) fn flaw(self) -> &'static Flaw {
        &FLAWS[self as usize]
    }
}

/// The flaws that one device has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlawSet(Vec<&'static str>);

impl FlawSet {
    /// A device without a flaw.
    pub fn none() -> Self {
        Self::default()
    }

    /// The set of the named flaws; naming one twice is naming it once.
    ///
    /// # Errors
    /// [`UnknownFlaw`] for the first name that is not in [`flaws()`].
    pub fn named<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownFlaw> {
        let mut set = Vec::new();
        for name in names {
            let flaw = FLAWS
                .iter()
                .find(|flaw| flaw.name == name.as_ref())
                .ok_or_else(|| UnknownFlaw(name.as_ref().to_owned()))?;
            if !set.contains(&flaw.name) {
                set.push(flaw.name);
            }
        }
        Ok(Self(set))
    }

    pub(crate) fn enabled(&self, defect: Defect) -> bool {
        !self.0.is_empty() && self.0.contains(&defect.flaw().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_leads_to_its_own_row() {
        assert_eq!(
            Defect::CommandBeforeLogin.flaw().name,
            "command-before-login"
        );
        assert_eq!(Defect::Tls10.flaw().name, "tls-1.0");
        assert_eq!(Defect::NoIdentification.flaw().name, "no-identification");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = FLAWS.iter().map(|flaw| flaw.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAWS.len());
    }

    #[test]
    fn only_named_flaws_are_enabled() {
        let set = FlawSet::named(&["no-lockout", "no-lockout"]).unwrap();
        assert!(set.enabled(Defect::NoLockout));
        assert!(!set.enabled(Defect::NoBanner));
        assert_eq!(FlawSet::named(&["nope"]), Err(UnknownFlaw("nope".into())));
    }
}
