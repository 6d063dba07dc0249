//! What a signature states, for tools that ask for statements: an in-toto test result (v0.1) about the tag manifest, in
//! a DSSE envelope that is signed with the same ed25519 key.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signature::{Signer, Verifier};
use ssh_key::{Algorithm, HashAlg, PublicKey, Signature};

use super::{Key, SignError, signed};
use crate::assess::{Assessment, assess};
use crate::bag::{BagError, STATEMENT, TAG_MANIFEST, unread};
use crate::escape::{one_line, shorten};
use crate::record::Record;
use crate::sha256;
use crate::store::replace;
use crate::verdict::Verdict;

/// The type of an envelope's content.
const TYPE: &str = "application/vnd.in-toto+json";
/// The longest name of a test.
const LONGEST: usize = 300;

/// A DSSE envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

/// Writes the statement of a bag that has been sealed, if the key is one that such tools know.
pub(super) fn write(root: &Path, key: &Key, record: &Record) -> Result<(), SignError> {
    if key.0.algorithm() != Algorithm::Ed25519 {
        return Ok(());
    }
    let payload = statement(record, &assess(record), &signed(root)?).to_string();
    let signature: Signature = key
        .0
        .try_sign(&to_sign(payload.as_bytes()))
        .map_err(ssh_key::Error::from)?;
    let envelope = Envelope {
        payload_type: TYPE.to_owned(),
        payload: Base64::encode_string(payload.as_bytes()),
        signatures: vec![EnvelopeSignature {
            keyid: key.0.public_key().fingerprint(HashAlg::Sha256).to_string(),
            sig: Base64::encode_string(signature.as_bytes()),
        }],
    };
    let path = root.join(STATEMENT);
    replace(&path, text(&envelope).as_bytes()).map_err(|source| {
        SignError::Bag(BagError::Io {
            verb: "write",
            path,
            source,
        })
    })
}

/// Why the statement beside a signature is not good; none where it is, or where there is none.
pub(super) fn fault(root: &Path, key: &PublicKey) -> Result<Option<String>, BagError> {
    let path = root.join(STATEMENT);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(|source| unread(path, source))?;
    let checked = check(&bytes, key, &signed(root)?);
    Ok(checked.err().map(|why| format!("{STATEMENT}: {why}")))
}

fn check(bytes: &[u8], key: &PublicKey, manifest: &[u8]) -> Result<(), &'static str> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| "it is no envelope")?;
    // Strict: an envelope has one form, so that a changed byte of it is a changed envelope.
    if text(&envelope).as_bytes() != bytes || envelope.payload_type != TYPE {
        return Err("it is not in the form that slcert writes");
    }
    let [one] = &envelope.signatures[..] else {
        return Err("it does not have one signature");
    };
    let decode = |text: &str| Base64::decode_vec(text).map_err(|_| "it is no envelope");
    let (payload, sig) = (decode(&envelope.payload)?, decode(&one.sig)?);
    let signature =
        Signature::new(Algorithm::Ed25519, sig).map_err(|_| "it has no signature of ed25519")?;
    let same_key = one.keyid == key.fingerprint(HashAlg::Sha256).to_string();
    if !same_key || Verifier::verify(key, &to_sign(&payload), &signature).is_err() {
        return Err("it is not signed with the key of the signature");
    }
    let statement: Value =
        serde_json::from_slice(&payload).map_err(|_| "its statement is no JSON")?;
    if statement["subject"] != subject(manifest) {
        return Err("it states something about another folder");
    }
    Ok(())
}

/// DSSE's pre-authentication encoding: what the signature is over.
fn to_sign(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {TYPE} {} ", TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn text(envelope: &Envelope) -> String {
    // A plain structure of strings has no part that JSON does not take.
    serde_json::to_string(envelope).unwrap_or_default() + "\n"
}

fn subject(manifest: &[u8]) -> Value {
    json!([{ "name": TAG_MANIFEST, "digest": { "sha256": sha256::of_bytes(manifest) } }])
}

fn statement(record: &Record, assessment: &Assessment, manifest: &[u8]) -> Value {
    let word = |text: &str| shorten(&one_line(text), LONGEST);
    let tests = |wanted: &[Verdict]| -> Vec<String> {
        let trials = record
            .trials
            .iter()
            .filter(|trial| wanted.contains(&trial.verdict));
        trials.map(|trial| word(&trial.id)).collect()
    };
    // The predicate has no third list for what was not judged: it is never among those that passed.
    let failed = assessment.counts.of(Verdict::Fail) + assessment.counts.of(Verdict::Inconclusive);
    let result = match (assessment.is_demonstrated(), failed) {
        (true, _) => "PASSED",
        (false, 0) if !assessment.interrupted && assessment.has_run() => "WARNED",
        _ => "FAILED",
    };
    let file = |name: &str, sha256: &str| json!({ "name": word(name), "digest": { "sha256": word(sha256) } });
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject(manifest),
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": result,
            "configuration": [
                file(&record.profile.id, &record.profile.sha256),
                file(&record.rig.file, &record.rig.sha256),
            ],
            "passedTests": tests(&[Verdict::Pass, Verdict::NotApplicable]),
            "warnedTests": tests(&[Verdict::Review, Verdict::NotEvaluated]),
            "failedTests": tests(&[Verdict::Fail, Verdict::Inconclusive]),
        },
    })
}
