//! Checking a chain line by line: in bounded memory, and with the number of the record where something is wrong.

use std::collections::BTreeMap;
use std::fmt;

use super::chain::{AuditKind, Head};
use super::find::AuditRecord;
use super::heads::SignedHead;
use super::merkle::Edge;

/// Something wrong with a chain, by the numbers of the records concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFault {
    /// The record that stands in this place is not as it was written.
    Changed {
        /// The number that belongs in the place.
        seq: u64,
    },
    /// Records are not there, though later ones are.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The record comes after one with a higher number.
    OutOfOrder {
        /// Its number.
        seq: u64,
    },
    /// The record is there more than once.
    Duplicated {
        /// Its number.
        seq: u64,
    },
    /// The record is whole in itself but does not follow from the one before: one of the two was replaced.
    Unlinked {
        /// Its number.
        seq: u64,
    },
    /// The end is cut off: the head names records that are not there.
    Truncated {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// There are records after the head.
    BeyondHead {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The last record is not the one that the head names: the chain was rewritten.
    HeadDiffers {
        /// Its number.
        seq: u64,
    },
    /// The record, or one before it, is not what a signed head says of it: the chain was rewritten after it was signed.
    SignedHeadDiffers {
        /// Its number.
        seq: u64,
    },
    /// More, or fewer, records have lost whom they were about than erasures say.
    Redacted {
        /// How many have.
        found: u64,
        /// How many erasures speak of.
        recorded: u64,
    },
    /// There are more faults than are listed.
    More,
}

impl fmt::Display for AuditFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq } => write!(out, "record {seq} was changed"),
            Self::Missing { from, to } => write!(out, "records {from} to {to} are missing"),
            Self::OutOfOrder { seq } => write!(out, "record {seq} is out of order"),
            Self::Duplicated { seq } => write!(out, "record {seq} is there more than once"),
            Self::Unlinked { seq } => write!(out, "record {seq} does not follow from the one before it"),
            Self::Truncated { from, to } => write!(out, "the end is cut off: records {from} to {to}"),
            Self::BeyondHead { from, to } => write!(out, "records {from} to {to} lie beyond the head"),
            Self::HeadDiffers { seq } => write!(out, "record {seq} is not the one that the head names"),
            Self::SignedHeadDiffers { seq } => write!(out, "record {seq} is not the one that a signed head names"),
            Self::Redacted { found, recorded } => {
                write!(out, "{found} records do not say whom they were about, and erasures account for {recorded}")
            }
            Self::More => write!(out, "there are more faults"),
        }
    }
}

/// What an unbroken chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many records were looked at.
    pub records: u64,
    /// How many of them no longer say whom they were about, since the person was erased.
    pub redacted: u64,
    /// Where the chain ends.
    pub head: Head,
}

/// Checks a whole chain from its first record, against the head kept elsewhere if there is one.
pub fn verify<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
    expected: Option<Head>,
) -> Result<Verified, Vec<AuditFault>> {
    let mut verifier = Verifier::after(Head::default());
    for line in lines {
        verifier.push(line.as_ref());
    }
    verifier.finish(expected)
}

/// More faults than this are not listed: they say nothing new.
const FAULTS_LISTED: usize = 1_000;

/// A check in progress.
pub struct Verifier {
    records: u64,
    redacted: u64,
    /// How many records erasures say they redacted.
    redactions: u64,
    /// By number, the hash and root that signed heads name, each until it was compared.
    signed: BTreeMap<u64, SignedHead>,
    edge: Edge,
    /// The place that comes next has this number.
    next_seq: u64,
    /// Hash of the record before it, where that one can be relied on.
    previous: Option<[u8; 32]>,
    /// First and last number of each gap so far.
    gaps: BTreeMap<u64, u64>,
    faults: Vec<AuditFault>,
}

impl Verifier {
    /// Begins after a head that was verified before; after the default head for a whole chain.
    #[must_use]
    pub fn after(head: Head) -> Self {
        let Head { seq, hash } = head;
        Self {
            records: 0,
            redacted: 0,
            redactions: 0,
            signed: BTreeMap::new(),
            edge: Edge::default(),
            next_seq: seq + 1,
            previous: Some(hash),
            gaps: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Looks at the next line.
    pub fn push(&mut self, line: &[u8]) {
        self.take(AuditRecord::read(line).ok());
    }

    fn take(&mut self, record: Option<AuditRecord>) {
        self.records += 1;
        let Some(record) = record else {
            // Nothing in it can be relied on, its number included: it counts by its place.
            self.fault(AuditFault::Changed { seq: self.next_seq });
            self.next_seq += 1;
            self.previous = None;
            return;
        };
        let seq = record.seq;
        if seq < self.next_seq {
            let late = self.fill_gap(seq);
            self.fault(if late { AuditFault::OutOfOrder { seq } } else { AuditFault::Duplicated { seq } });
            return;
        }
        if seq > self.next_seq {
            if self.gaps.len() < FAULTS_LISTED {
                self.gaps.insert(self.next_seq, seq - 1);
            } else {
                self.fault(AuditFault::Missing { from: self.next_seq, to: seq - 1 });
            }
        } else if self.previous.is_some_and(|previous| previous != record.previous) {
            self.fault(AuditFault::Unlinked { seq });
        }
        self.redacted += u64::from(record.is_redacted);
        if record.kind == AuditKind::Erasure {
            self.redactions += record.body["lines_redacted"].as_u64().unwrap_or(0);
        }
        self.next_seq = seq.saturating_add(1);
        self.previous = Some(record.hash);
        self.edge.push(&record.hash);
        if let Some(head) = self.signed.remove(&seq) {
            // After another fault the tree is another one in any case, and that was told.
            let same_root = head.root == self.edge.root() || !self.faults.is_empty() || !self.gaps.is_empty();
            if head.hash != record.hash || !same_root {
                self.fault(AuditFault::SignedHeadDiffers { seq });
            }
        }
    }

    /// Ends the check; `expected` is the head kept apart from the lines. Without one a cut end cannot be seen.
    pub fn finish(mut self, expected: Option<Head>) -> Result<Verified, Vec<AuditFault>> {
        for (from, to) in std::mem::take(&mut self.gaps) {
            self.fault(AuditFault::Missing { from, to });
        }
        let last = self.next_seq - 1;
        let (found, recorded) = (self.redacted, self.redactions);
        if self.faults.is_empty() && found != recorded {
            self.fault(AuditFault::Redacted { found, recorded });
        }
        let cut = self.signed.last_key_value().map(|(seq, _)| *seq).filter(|seq| *seq > last);
        if let Some(to) = cut.filter(|to| expected.is_none_or(|head| head.seq < *to)) {
            self.fault(AuditFault::Truncated { from: self.next_seq, to });
        }
        if let Some(head) = expected {
            if head.seq > last {
                self.fault(AuditFault::Truncated { from: self.next_seq, to: head.seq });
            } else if head.seq < last {
                self.fault(AuditFault::BeyondHead { from: head.seq + 1, to: last });
            } else if self.previous.is_some_and(|hash| hash != head.hash) {
                self.fault(AuditFault::HeadDiffers { seq: last });
            }
        }
        match self.previous {
            Some(hash) if self.faults.is_empty() => {
                Ok(Verified { records: self.records, redacted: self.redacted, head: Head { seq: last, hash } })
            }
            Some(_) | None => Err(self.faults),
        }
    }

    /// Takes a number out of the gap that it belongs to, if it belongs to one.
    fn fill_gap(&mut self, seq: u64) -> bool {
        let Some((&from, &to)) = self.gaps.range(..=seq).next_back().filter(|(_, to)| **to >= seq) else {
            return false;
        };
        self.gaps.remove(&from);
        if from < seq {
            self.gaps.insert(from, seq - 1);
        }
        if seq < to {
            self.gaps.insert(seq + 1, to);
        }
        true
    }

    fn fault(&mut self, fault: AuditFault) {
        match self.faults.len() {
            0..FAULTS_LISTED => self.faults.push(fault),
            FAULTS_LISTED => self.faults.push(AuditFault::More),
            _ => {}
        }
    }
}

/// Something wrong with the chain of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFault {
    /// Whose chain.
    pub partition: i32,
    /// What is wrong with it.
    pub fault: AuditFault,
}

impl fmt::Display for PartitionFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "partition {}: {}", self.partition, self.fault)
    }
}

/// A check in progress of every partition's chain.
#[derive(Default)]
pub struct ChainsVerifier {
    chains: BTreeMap<i32, Verifier>,
    /// The chain of the line before: an unreadable one counts there.
    last: i32,
}

impl ChainsVerifier {
    /// Looks at the next line. `stood_in` is the partition that it was read from, where that is known: a record of
    /// another one does not belong there.
    pub fn push(&mut self, stood_in: Option<i32>, line: &[u8]) {
        let record = AuditRecord::read(line).ok();
        let record = record.filter(|record| stood_in.is_none_or(|partition| partition == record.partition));
        self.last = stood_in.or(record.as_ref().map(|record| record.partition)).unwrap_or(self.last);
        let chain = self.chains.entry(self.last).or_insert_with(|| Verifier::after(Head::default()));
        chain.take(record);
    }

    /// Takes a head whose signature was good, before the records that it covers.
    pub fn expect(&mut self, head: &SignedHead) {
        let chain = self.chains.entry(head.partition).or_insert_with(|| Verifier::after(Head::default()));
        chain.signed.insert(head.seq, head.clone());
    }

    /// Ends the check. Where there are heads, a partition without one is expected to be empty.
    ///
    /// # Errors
    /// Every fault, with its partition.
    pub fn finish(mut self, expected: &BTreeMap<i32, Head>) -> Result<BTreeMap<i32, Verified>, Vec<PartitionFault>> {
        for partition in expected.keys() {
            self.chains.entry(*partition).or_insert_with(|| Verifier::after(Head::default()));
        }
        let (mut verified, mut faults) = (BTreeMap::new(), Vec::new());
        for (partition, chain) in self.chains {
            let head = (!expected.is_empty()).then(|| expected.get(&partition).copied().unwrap_or_default());
            match chain.finish(head) {
                Ok(found) => drop(verified.insert(partition, found)),
                Err(found) => faults.extend(found.into_iter().map(|fault| PartitionFault { partition, fault })),
            }
        }
        if faults.is_empty() { Ok(verified) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::chain::{AuditKind, Chain};
    use super::*;

    fn chain_of(count: u32) -> (Vec<Vec<u8>>, Head) {
        let scope = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(0, None).expect("a new chain");
        let append =
            |number| chain.append(number, AuditKind::Collection, &scope, json!({"event": number}), [1; 16]).json;
        let lines = (0..i64::from(count)).map(append).collect();
        (lines, chain.head())
    }

    fn faults(change: impl Fn(&mut Vec<Vec<u8>>)) -> Vec<AuditFault> {
        let (mut lines, head) = chain_of(10);
        change(&mut lines);
        verify(&lines, Some(head)).expect_err("it was broken")
    }

    #[test]
    fn an_unbroken_chain_is_verified() {
        let (lines, head) = chain_of(10);
        assert_eq!(verify(&lines, Some(head)), Ok(Verified { records: 10, redacted: 0, head }));
        assert_eq!(verify(&lines, None), Ok(Verified { records: 10, redacted: 0, head }));
        assert_eq!(verify(&[] as &[Vec<u8>], None), Ok(Verified { records: 0, redacted: 0, head: Head::default() }));
        let part = verify(&lines[..4], None).expect("a whole beginning");
        let mut rest = Verifier::after(part.head);
        lines[4..].iter().for_each(|line| rest.push(line));
        assert_eq!(rest.finish(Some(head)), Ok(Verified { records: 6, redacted: 0, head }));
    }

    #[test]
    fn every_fault_is_named_with_its_record() {
        assert_eq!(faults(|lines| lines[4][20] ^= 1), [AuditFault::Changed { seq: 5 }]);
        assert_eq!(faults(|lines| drop(lines.remove(4))), [AuditFault::Missing { from: 5, to: 5 }]);
        assert_eq!(faults(|lines| drop(lines.drain(..3))), [AuditFault::Missing { from: 1, to: 3 }]);
        assert_eq!(faults(|lines| lines.swap(4, 5)), [AuditFault::OutOfOrder { seq: 5 }]);
        assert_eq!(faults(|lines| lines.insert(7, lines[4].clone())), [AuditFault::Duplicated { seq: 5 }]);
        assert_eq!(faults(|lines| lines.truncate(8)), [AuditFault::Truncated { from: 9, to: 10 }]);
        assert_eq!(faults(|lines| lines[9].truncate(100)), [AuditFault::Changed { seq: 10 }]);
        let swapped_far = faults(|lines| lines.swap(2, 6));
        let late: Vec<_> = [4, 5, 6, 3].map(|seq| AuditFault::OutOfOrder { seq }).into();
        assert_eq!(swapped_far, late);
    }

    #[test]
    fn every_partition_has_a_chain_of_its_own() {
        let scope = "portsmouth".parse().expect("a valid name");
        let chain_of = |partition, count: i64| {
            let mut chain = Chain::resume(partition, None).expect("a new chain");
            let append =
                |number| chain.append(number, AuditKind::Collection, &scope, json!({"event": number}), [1; 16]).json;
            let lines: Vec<_> = (0..count).map(append).collect();
            (lines, chain.head())
        };
        let ((first, first_head), (third, third_head)) = (chain_of(0, 3), chain_of(2, 4));
        let check = |lines: &[(Option<i32>, &Vec<u8>)], heads: &[(i32, Head)]| {
            let mut verifier = ChainsVerifier::default();
            lines.iter().for_each(|(stood_in, line)| verifier.push(*stood_in, line));
            verifier.finish(&heads.iter().copied().collect())
        };
        let heads = [(0, first_head), (2, third_head)];
        let export: Vec<_> = first.iter().chain(&third).map(|line| (None, line)).collect();
        let topic: Vec<_> =
            first.iter().map(|line| (Some(0), line)).chain(third.iter().map(|line| (Some(2), line))).collect();
        for whole in [&export, &topic] {
            let verified = check(whole, &heads).expect("unbroken");
            assert_eq!((verified[&0].records, verified[&2].records), (3, 4));
        }
        let told = |lines: &[(Option<i32>, &Vec<u8>)], heads: &[(i32, Head)]| -> Vec<String> {
            check(lines, heads).expect_err("it was broken").iter().map(ToString::to_string).collect()
        };
        let dropped: Vec<_> =
            export.iter().copied().enumerate().filter(|(at, _)| *at != 4).map(|(_, line)| line).collect();
        assert_eq!(told(&dropped, &[]), ["partition 2: records 2 to 2 are missing"]);
        assert_eq!(told(&export[..3], &heads), ["partition 2: the end is cut off: records 1 to 4"]);
        assert_eq!(told(&export, &heads[..1]), ["partition 2: records 1 to 4 lie beyond the head"]);
        // A chain that was moved to another partition is none.
        let moved: Vec<_> = third.iter().map(|line| (Some(1), line)).collect();
        assert_eq!(told(&moved, &[])[0], "partition 1: record 1 was changed");
        // A record that is there again belongs to the chain that it came from.
        let again: Vec<_> = export.iter().copied().chain([(None, &first[0])]).collect();
        assert_eq!(told(&again, &[]), ["partition 0: record 1 is there more than once"]);
    }

    #[test]
    fn a_rewritten_record_or_chain_is_noticed() {
        let scope = "portsmouth".parse().expect("a valid name");
        // Somebody replaces record 5 by one with a good hash of its own.
        let (lines, _) = chain_of(4);
        let fourth = AuditRecord::read(&lines[3]).expect("as written");
        let mut forger = Chain::after(Head { seq: 4, hash: fourth.hash });
        let forged = forger.append(0, AuditKind::Collection, &scope, json!({"event": "forged"}), [1; 16]);
        assert_eq!(faults(|lines| lines[4] = forged.json.clone()), [AuditFault::Unlinked { seq: 6 }]);
        // Somebody rewrites everything from there on: the head kept apart tells.
        let rewritten = |lines: &mut Vec<Vec<u8>>| {
            let mut forger = forger.clone();
            lines[4] = forged.json.clone();
            for line in &mut lines[5..] {
                *line = forger.append(0, AuditKind::Collection, &scope, json!({}), [1; 16]).json;
            }
        };
        assert_eq!(faults(rewritten), [AuditFault::HeadDiffers { seq: 10 }]);
        let (lines, _) = chain_of(10);
        let early = AuditRecord::read(&lines[6]).expect("as written");
        let head = Head { seq: 7, hash: early.hash };
        assert_eq!(verify(&lines, Some(head)), Err(vec![AuditFault::BeyondHead { from: 8, to: 10 }]));
    }
}
