//! The Merkle tree over the chain (RFC 9162 §2.1), at its right edge: enough to add records and to know the root, in the
//! logarithm of their number. Proofs are made and checked with `ct-merkle`, which agrees on every root.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::{Digest, Sha256};

/// The roots of the complete subtrees that the tree consists of, the widest first.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Edge {
    size: u64,
    subtrees: Vec<[u8; 32]>,
}

impl Edge {
    /// Puts back what [`Edge::subtrees`] gave.
    pub(super) fn resume(size: u64, subtrees: Vec<[u8; 32]>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { size, subtrees })
    }

    pub(super) fn subtrees(&self) -> &[[u8; 32]] {
        &self.subtrees
    }

    /// Adds a record by its hash.
    pub(super) fn push(&mut self, record: &[u8; 32]) {
        let mut hash = hash(0, &[record]);
        let mut complete = self.size;
        while complete & 1 == 1 {
            let left = self.subtrees.pop().expect("a subtree for each bit of the size");
            hash = node(&left, &hash);
            complete >>= 1;
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub(super) fn root(&self) -> [u8; 32] {
        let right_to_left = self.subtrees.iter().rev().copied();
        right_to_left.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| Sha256::digest([]).into())
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash(1, &[left, right])
}

/// Leaves and nodes are hashed apart, so that neither can pass for the other.
fn hash(kind: u8, parts: &[&[u8; 32]]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix([kind]);
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The whole tree, to prove from: 96 bytes a record.
#[derive(Default)]
pub struct Tree(MemoryBackedTree<Sha256, [u8; 32]>);

impl Tree {
    /// Adds the next record by its hash.
    pub fn push(&mut self, record: [u8; 32]) {
        self.0.push(record);
    }

    /// How many records it holds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        (*self.0.root().as_bytes()).into()
    }

    /// Proves that the record of this number is in the tree; `None` when there is none.
    #[must_use]
    pub fn prove(&self, seq: u64) -> Option<Vec<u8>> {
        let index = seq.checked_sub(1).filter(|index| *index < self.size())?;
        Some(self.0.prove_inclusion(usize::try_from(index).ok()?).as_bytes().to_vec())
    }

    /// Proves that the tree goes on from its first `size` records; `None` when it has fewer, or none is asked about.
    #[must_use]
    pub fn prove_growth(&self, size: u64) -> Option<Vec<u8>> {
        let added = self.size().checked_sub(size).filter(|_| size > 0)?;
        Some(self.0.prove_consistency(usize::try_from(added).ok()?).as_bytes().to_vec())
    }
}

/// Is the record of this number and hash in the tree of this root and size?
#[must_use]
pub fn is_included(record: &[u8; 32], seq: u64, root: [u8; 32], size: u64, proof: &[u8]) -> bool {
    let root = RootHash::<Sha256>::new(root.into(), size);
    let proof = InclusionProof::<Sha256>::try_from_bytes(proof.to_vec());
    (1..=size).contains(&seq) && proof.is_ok_and(|proof| root.verify_inclusion(record, seq - 1, &proof).is_ok())
}

/// Does the later tree go on from the earlier one, with nothing of it changed?
#[must_use]
pub fn goes_on(earlier: ([u8; 32], u64), later: ([u8; 32], u64), proof: &[u8]) -> bool {
    if earlier.1 == later.1 {
        return earlier.0 == later.0;
    }
    let root = |(root, size): ([u8; 32], u64)| RootHash::<Sha256>::new(root.into(), size);
    let proof = ConsistencyProof::<Sha256>::try_from_bytes(proof.to_vec());
    earlier.1 < later.1 && proof.is_ok_and(|proof| root(later).verify_consistency(&root(earlier), &proof).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_agrees_with_the_whole_tree_and_proofs_hold_for_their_record_alone() {
        let (mut edge, mut tree) = (Edge::default(), Tree::default());
        let mut roots = Vec::new();
        for number in 0_u8..40 {
            edge.push(&[number; 32]);
            tree.push([number; 32]);
            assert_eq!(edge.root(), tree.root());
            assert_eq!(Edge::resume(edge.size, edge.subtrees().to_vec()), Some(edge.clone()));
            roots.push(edge.root());
        }
        for (seq, root) in (1..).zip(&roots) {
            let proof = tree.prove(seq).expect("it is there");
            let record = [u8::try_from(seq - 1).expect("small"); 32];
            assert!(is_included(&record, seq, tree.root(), 40, &proof));
            assert!(!is_included(&[99; 32], seq, tree.root(), 40, &proof));
            assert!(!is_included(&record, seq % 40 + 1, tree.root(), 40, &proof));
            let growth = tree.prove_growth(seq).expect("so many were there");
            assert!(goes_on((*root, seq), (tree.root(), 40), &growth));
            assert!(!goes_on(([7; 32], seq), (tree.root(), 40), &growth));
        }
        assert!(tree.prove(0).is_none() && tree.prove(41).is_none() && tree.prove_growth(41).is_none());
    }

    #[test]
    fn the_root_of_three_is_as_rfc_9162_has_it() {
        // Computed with Python's hashlib: H(1 || H(1 || H(0||a) || H(0||b)) || H(0||c)), a = 32 zeros, b = 32 ones, c = 32 twos.
        let mut edge = Edge::default();
        (0..3).for_each(|number| edge.push(&[number; 32]));
        assert_eq!(
            crate::model::ids::hex(&edge.root()),
            "ba8d94b7fbcecae7b81c4c80574fe24734a6917bf9c1ecd66ff3e0c34ead4620"
        );
    }
}
