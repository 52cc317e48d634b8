//! The candidate index: which profiles share a live blocking key.
//!
//! A key that more profiles than the model's limit share blocks nothing: it is hot. Hot or live is a function of the set
//! of profiles alone, so that candidates are too; whoever owns the edges is told which keys crossed the limit, either way.
//! Work per profile is bounded by keys × limit.

use rustc_hash::FxHashMap;

/// Nothing follows.
const END: u32 = u32::MAX;

/// One posting: 12 bytes, chained from its bucket.
#[derive(Clone, Copy)]
struct Posting {
    key: u32,
    profile: u32,
    next: u32,
}

/// Where the postings of one profile lie, side by side.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    start: u32,
    length: u16,
}

/// A key that crossed the limit.
pub(super) struct Crossed {
    /// Those who share it now.
    pub(super) profiles: Vec<u32>,
    /// Does it block now?
    pub(super) live: bool,
}

/// Postings in chunks: nothing moves when they grow. A run lies within one chunk.
#[derive(Default)]
struct Chunks {
    chunks: Vec<Vec<Posting>>,
    length: usize,
}

/// Postings of one chunk.
const CHUNK: usize = 1 << 16;

impl Chunks {
    /// Makes room for a run and says where it starts.
    fn extend(&mut self, keys: usize) -> u32 {
        let empty = Posting { key: 0, profile: END, next: END };
        let room = self.chunks.len() * CHUNK - self.length;
        if room < keys {
            if let Some(last) = self.chunks.last_mut() {
                last.resize(CHUNK, empty);
            }
            self.length += room;
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let start = self.length;
        self.length += keys;
        if let Some(last) = self.chunks.last_mut() {
            last.resize(last.len() + keys, empty);
        }
        u32::try_from(start).expect("the register is far below 2^32 keys")
    }

    fn run(&self, run: Run) -> &[Posting] {
        let (start, length) = (run.start as usize, usize::from(run.length));
        if length == 0 {
            return &[];
        }
        &self.chunks[start / CHUNK][start % CHUNK..start % CHUNK + length]
    }
}

impl std::ops::Index<u32> for Chunks {
    type Output = Posting;

    fn index(&self, slot: u32) -> &Posting {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl std::ops::IndexMut<u32> for Chunks {
    fn index_mut(&mut self, slot: u32) -> &mut Posting {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

pub(super) struct Postings {
    limit: usize,
    buckets: Vec<u32>,
    /// How many postings each bucket chains: where that is within the limit, no key in it can be hot.
    lengths: Vec<u8>,
    postings: Chunks,
    /// Runs given back, by length.
    free: FxHashMap<u16, Vec<u32>>,
    /// Slots of the postings of each hot key, out of any chain.
    hot: FxHashMap<u32, Vec<u32>>,
    /// Keys that crossed since last asked, and whether they were live then.
    crossed: FxHashMap<u32, bool>,
}

impl Postings {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            buckets: vec![END; 1024],
            lengths: vec![0; 1024],
            postings: Chunks::default(),
            free: FxHashMap::default(),
            hot: FxHashMap::default(),
            crossed: FxHashMap::default(),
        }
    }

    /// Posts a profile under its keys, each once.
    pub(super) fn insert(&mut self, profile: u32, keys: &[u32]) -> Run {
        let length = u16::try_from(keys.len()).expect("a profile has some dozens of keys");
        let start = match self.free.get_mut(&length).and_then(Vec::pop) {
            Some(start) => start,
            None => self.postings.extend(keys.len()),
        };
        for (slot, &key) in (start..).zip(keys) {
            self.postings[slot] = Posting { key, profile, next: END };
            if let Some(members) = self.hot.get_mut(&key) {
                members.push(slot);
            } else {
                self.chain(slot);
                let length = self.lengths[self.bucket(key)];
                let crowded = length == u8::MAX || usize::from(length) > self.limit;
                if crowded && self.chained(key).nth(self.limit).is_some() {
                    self.heat(key);
                }
            }
        }
        if self.postings.length > 2 * self.buckets.len() {
            self.widen();
        }
        Run { start, length }
    }

    /// Takes a profile's postings out.
    pub(super) fn remove(&mut self, run: Run) {
        for slot in run.start..run.start + u32::from(run.length) {
            let key = self.postings[slot].key;
            self.postings[slot].profile = END;
            if let Some(members) = self.hot.get_mut(&key) {
                members.retain(|member| *member != slot);
                if members.len() <= self.limit {
                    self.cool(key);
                }
            } else {
                self.unchain(slot);
            }
        }
        if run.length > 0 {
            self.free.entry(run.length).or_default().push(run.start);
        }
    }

    /// Everybody who shares a live key with the profile, in order, each once.
    pub(super) fn candidates(&self, profile: u32, run: Run, found: &mut Vec<u32>) {
        found.clear();
        for posting in self.run(run) {
            if !self.is_hot(posting.key) {
                let sharing = self.chained(posting.key).map(|slot| self.postings[slot].profile);
                found.extend(sharing.filter(|other| *other != profile));
            }
        }
        found.sort_unstable();
        found.dedup();
    }

    /// Do two profiles share a live key?
    pub(super) fn share(&self, one: Run, two: Run) -> bool {
        self.run(one)
            .iter()
            .any(|posting| self.run(two).iter().any(|other| other.key == posting.key) && !self.is_hot(posting.key))
    }

    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let hot: usize = self.hot.values().map(|slots| slots.capacity() * 4 + 32).sum();
        self.postings.chunks.len() * CHUNK * size_of::<Posting>() + self.buckets.capacity() * 5 + hot
    }

    /// The keys that crossed the limit since last asked.
    pub(super) fn take_crossed(&mut self) -> Vec<Crossed> {
        let mut crossed: Vec<(u32, bool)> = self.crossed.drain().collect();
        crossed.sort_unstable();
        let changed = |(key, was_live): (u32, bool)| {
            let live = !self.hot.contains_key(&key);
            (live != was_live).then(|| Crossed {
                profiles: match self.hot.get(&key) {
                    Some(slots) => slots.iter().map(|slot| self.postings[*slot].profile).collect(),
                    None => self.chained(key).map(|slot| self.postings[slot].profile).collect(),
                },
                live,
            })
        };
        crossed.into_iter().filter_map(changed).collect()
    }

    fn is_hot(&self, key: u32) -> bool {
        !self.hot.is_empty() && self.hot.contains_key(&key)
    }

    fn run(&self, run: Run) -> &[Posting] {
        self.postings.run(run)
    }

    fn bucket(&self, key: u32) -> usize {
        // Keys are halves of keyed hashes, evenly spread already.
        key as usize & (self.buckets.len() - 1)
    }

    /// Slots of a live key's postings.
    fn chained(&self, key: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.buckets[self.bucket(key)];
        std::iter::from_fn(move || {
            while at != END {
                let slot = at;
                let posting = &self.postings[slot];
                at = posting.next;
                if posting.key == key {
                    return Some(slot);
                }
            }
            None
        })
    }

    fn chain(&mut self, slot: u32) {
        let bucket = self.bucket(self.postings[slot].key);
        self.lengths[bucket] = self.lengths[bucket].saturating_add(1);
        self.postings[slot].next = std::mem::replace(&mut self.buckets[bucket], slot);
    }

    fn unchain(&mut self, slot: u32) {
        let bucket = self.bucket(self.postings[slot].key);
        // A length that reached its end is no longer counted; widening counts afresh.
        if self.lengths[bucket] < u8::MAX {
            self.lengths[bucket] -= 1;
        }
        let next = self.postings[slot].next;
        if self.buckets[bucket] == slot {
            self.buckets[bucket] = next;
            return;
        }
        let mut at = self.buckets[bucket];
        while at != END {
            let following = self.postings[at].next;
            if following == slot {
                self.postings[at].next = next;
                return;
            }
            at = following;
        }
    }

    /// Takes a key's postings out of their chain and remembers only who shares it.
    fn heat(&mut self, key: u32) {
        let members: Vec<u32> = self.chained(key).collect();
        let bucket = self.bucket(key);
        let mut kept = END;
        let mut length = 0;
        let mut at = self.buckets[bucket];
        while at != END {
            let next = self.postings[at].next;
            if self.postings[at].key != key {
                self.postings[at].next = kept;
                kept = at;
                length = u8::saturating_add(length, 1);
            }
            at = next;
        }
        (self.buckets[bucket], self.lengths[bucket]) = (kept, length);
        self.hot.insert(key, members);
        self.crossed.entry(key).or_insert(true);
    }

    /// Chains a key's postings again.
    fn cool(&mut self, key: u32) {
        let slots = self.hot.remove(&key).expect("only a hot key cools");
        self.crossed.entry(key).or_insert(false);
        slots.into_iter().for_each(|slot| self.chain(slot));
    }

    fn widen(&mut self) {
        self.buckets = vec![END; self.buckets.len() * 2];
        self.lengths = vec![0; self.buckets.len()];
        for slot in 0..u32::try_from(self.postings.length).expect("the register is far below 2^32 keys") {
            let posting = self.postings[slot];
            if posting.profile != END && !self.is_hot(posting.key) {
                self.chain(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(index: &Postings, profile: u32, run: Run) -> Vec<u32> {
        let mut found = Vec::new();
        index.candidates(profile, run, &mut found);
        found
    }

    #[test]
    fn keys_heat_and_cool_with_the_set_alone() {
        let mut index = Postings::new(3);
        let runs: Vec<Run> = (0..4).map(|profile| index.insert(profile, &[7, 100 + profile])).collect();
        assert!(candidates(&index, 0, runs[0]).is_empty(), "four share key 7: it is hot");
        let crossed = index.take_crossed();
        assert_eq!(crossed.len(), 1);
        assert!(!crossed[0].live && crossed[0].profiles.len() == 4);
        index.remove(runs[2]);
        assert_eq!(candidates(&index, 0, runs[0]), [1, 3]);
        assert!(index.share(runs[0], runs[3]));
        assert!(index.take_crossed()[0].live);
        // Up and down again between two questions is no crossing.
        let run = index.insert(9, &[7, 1]);
        index.remove(run);
        assert!(index.take_crossed().is_empty());
    }

    #[test]
    fn many_profiles_are_found_after_widening_and_removal() {
        let mut index = Postings::new(50);
        let runs: Vec<Run> =
            (0..5000).map(|profile| index.insert(profile, &[profile / 10, (1 << 20) | (profile % 977)])).collect();
        let found = candidates(&index, 4242, runs[4242]);
        assert!((4240..4250).filter(|other| *other != 4242).all(|other| found.contains(&other)));
        for profile in (0..5000).filter(|profile| profile % 2 == 0) {
            index.remove(runs[profile as usize]);
        }
        assert!(candidates(&index, 4243, runs[4243]).iter().all(|other| other % 2 == 1));
    }
}
