//! Proofs: that one record stands in the audit that was signed; that the audit only grew between two signed heads. Whoever
//! checks one needs the proof and our public key, and sees no other record.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::audit::{AuditArgs, SignedArgs, each_line, read_head};
use super::failure::{Failure, Kind};
use crate::audit::{AuditRecord, SignedHead, Tree, goes_on, is_included};
use crate::config::files;
use crate::keys::signing::SignerKeys;
use crate::log::MAX_RECORD_BYTES;
use crate::model::ids::{hex, unhex};

/// Bytes of a proof: a record as a text within a text, and some hashes.
const LARGEST_PROOF: usize = 4 * MAX_RECORD_BYTES;

/// What is handed over.
#[derive(Serialize, Deserialize)]
#[serde(tag = "proves", rename_all = "snake_case")]
enum Proof {
    /// The record is in the tree of the head.
    Inclusion {
        /// The record's line.
        record: String,
        /// The hashes beside its path, leaf to root (RFC 9162 §2.1.3), hexadecimal.
        path: String,
        /// The signed head.
        head: String,
    },
    /// The later tree goes on from the earlier one.
    Growth {
        /// The earlier signed head.
        earlier: String,
        /// The later one.
        later: String,
        /// The hashes of RFC 9162 §2.1.4, hexadecimal.
        path: String,
    },
}

/// Makes a proof from the log, or a copy of it.
pub(super) fn make(
    args: &AuditArgs,
    partition: i32,
    seq: u64,
    since: Option<u64>,
    signed: &SignedArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let heads = signed.read(&args.config, args.file.is_some())?;
    // The first head that covers a record is the smallest tree to prove from.
    let covering = |seq: u64| heads.iter().find(|(head, _)| head.partition == partition && head.seq >= seq);
    let none = |seq: u64| {
        let line = format!(
            "record {seq} of partition {partition}: no signed head covers it yet; the daemon signs one each minute"
        );
        Failure::new(Kind::CheckFailed, line)
    };
    let (head, signed_head) = covering(seq).ok_or_else(|| none(seq))?;
    let (mut tree, mut record) = (Tree::default(), None);
    each_line(&args.config, args.file.as_deref(), |stood_in, line| {
        let Ok(read) = AuditRecord::read(line) else { return Ok(()) };
        if stood_in.unwrap_or(read.partition) == partition && tree.size() < head.seq {
            tree.push(read.hash);
            if read.seq == seq {
                record = Some(String::from_utf8_lossy(line).into_owned());
            }
        }
        Ok(())
    })?;
    if tree.size() != head.seq || tree.root() != head.root {
        let line = "the audit is not what was signed; `priorityd audit verify` says where";
        return Err(Failure::new(Kind::CheckFailed, line));
    }
    let proof = match since {
        None => Proof::Inclusion {
            record: record.ok_or_else(|| none(seq))?,
            path: hex(&tree.prove(seq).ok_or_else(|| none(seq))?),
            head: signed_head.clone(),
        },
        Some(since) => {
            let (earlier, signed_earlier) = covering(since).ok_or_else(|| none(since))?;
            let path = hex(&tree.prove_growth(earlier.seq).ok_or_else(|| none(since))?);
            Proof::Growth { earlier: signed_earlier.clone(), later: signed_head.clone(), path }
        }
    };
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(&proof).expect("a proof has a JSON form"))?)
}

/// Checks a proof against the public keys alone.
pub(super) fn check(file: &Path, signers: &SignerKeys, out: &mut dyn Write) -> Result<(), Failure> {
    let text = files::read(file, LARGEST_PROOF).map_err(|why| Failure::unreadable(file, why))?;
    let no_proof = || {
        Failure::new(
            Kind::BadData,
            format!("{}: it is no proof of ours; take it as `priorityd audit prove` wrote it", file.display()),
        )
    };
    let proof: Proof = serde_json::from_slice(&text).map_err(|_| no_proof())?;
    let head = |signed: &str| -> Result<SignedHead, Failure> {
        read_head(signed, signers).map_err(|why| {
            Failure::new(
                Kind::CheckFailed,
                format!("the head: {why}; ask for another proof, and where the head came from"),
            )
        })
    };
    match proof {
        Proof::Inclusion { record, path, head: signed } => {
            let (head, path) = (head(&signed)?, unhex(&path).ok_or_else(no_proof)?);
            let read = AuditRecord::read(record.as_bytes());
            let read = read.map_err(|_| {
                Failure::new(
                    Kind::CheckFailed,
                    "the record: it was changed; keep what you have, and tell the partnership",
                )
            })?;
            let is_its = read.partition == head.partition;
            if !is_its || !is_included(&read.hash, read.seq, head.root, head.seq, &path) {
                return Err(Failure::new(
                    Kind::CheckFailed,
                    "the record: it is not in the audit that was signed; keep what you have, and tell the partnership",
                ));
            }
            writeln!(
                out,
                "record {} of partition {} stands in the audit signed at {}",
                read.seq, read.partition, head.at
            )?;
        }
        Proof::Growth { earlier, later, path } => {
            let (earlier, later, path) = (head(&earlier)?, head(&later)?, unhex(&path).ok_or_else(no_proof)?);
            let sides = ((earlier.root, earlier.seq), (later.root, later.seq));
            if earlier.partition != later.partition || !goes_on(sides.0, sides.1, &path) {
                return Err(Failure::new(
                    Kind::CheckFailed,
                    "the heads: the later audit does not go on from the earlier one; keep both, and tell the partnership",
                ));
            }
            let (from, to) = (earlier.seq, later.seq);
            writeln!(
                out,
                "partition {}: the {to} records signed at {} begin with the {from} signed at {}",
                later.partition, later.at, earlier.at
            )?;
        }
    }
    Ok(())
}
