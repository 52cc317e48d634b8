//! The candidate index: which profiles share a live blocking key.
//!
//! A key that more profiles than the model's limit share blocks nothing: it is hot. Hot or live is a function of the set
//! of profiles alone, so that candidates are too; whoever owns the edges is told which keys crossed the limit, either way.
//! Work per profile is bounded by keys × limit.
//!
//! Keys are spread over shards, so that no growth stops the world for long and many profiles can be posted on all cores.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::lists::{List, Lists};

/// How many shards, by the highest bits of a key.
const SHARD_BITS: u32 = 10;

/// From how many waiting profiles on it pays to post on several cores.
const WORTH_SHARING: usize = 1024;

/// Where the keys of one profile lie, side by side.
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

pub(super) struct Postings {
    shards: Vec<Shard>,
    keys: Keys,
    /// Taken in, but not posted yet.
    waiting: Vec<(u32, Run)>,
    /// Shards in which keys crossed since last asked; one may be named twice.
    crossed: Vec<usize>,
}

impl Postings {
    pub(super) fn new(limit: usize) -> Self {
        let shards = (0..1 << SHARD_BITS).map(|_| Shard::new(limit)).collect();
        Self { shards, keys: Keys::default(), waiting: Vec::new(), crossed: Vec::new() }
    }

    /// Takes a profile in under its keys, each once. It is found from the next [`Postings::post`] on.
    pub(super) fn insert(&mut self, profile: u32, keys: &[u32]) -> Run {
        let run = self.keys.keep(keys);
        self.waiting.push((profile, run));
        run
    }

    /// Posts whatever waits.
    pub(super) fn post(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.len() < WORTH_SHARING {
            for (profile, run) in waiting {
                // Looked up once before: the places of all keys, then all lists, wait for memory side by side.
                std::hint::black_box(self.places(run).iter().fold(0, |all, (key, place)| match place {
                    Place::Many(list) => all ^ self.shards[shard_of(*key)].lists.touch(*list),
                    Place::Hot => all ^ self.shards[shard_of(*key)].touch_hot(*key),
                    Place::Nowhere | Place::One(_) => all,
                }));
                for &key in self.keys.of(run) {
                    let shard = shard_of(key);
                    if self.shards[shard].insert(key, profile) {
                        self.crossed.push(shard);
                    }
                }
            }
            return;
        }
        let part = waiting.len().div_ceil(rayon::current_num_threads());
        let parts: Vec<_> = waiting.par_chunks(part).map(|part| self.by_shard(part)).collect();
        drop(waiting);
        let mut by_shard: Vec<Vec<Vec<(u32, u32)>>> = vec![Vec::new(); self.shards.len()];
        for part in parts {
            by_shard.iter_mut().zip(part).for_each(|(parts, part)| parts.push(part));
        }
        self.shards.par_iter_mut().zip(by_shard).for_each(|(shard, parts)| shard.insert_many(parts.concat()));
        let crossed = self.shards.iter().enumerate().filter(|(_, shard)| !shard.crossed.is_empty());
        self.crossed.extend(crossed.map(|(shard, _)| shard));
    }

    /// Keys and profiles, by the shard that they go to.
    fn by_shard(&self, profiles: &[(u32, Run)]) -> Vec<Vec<(u32, u32)>> {
        let mut counts = vec![0; self.shards.len()];
        for (_, run) in profiles {
            self.keys.of(*run).iter().for_each(|key| counts[shard_of(*key)] += 1);
        }
        let mut by_shard: Vec<Vec<(u32, u32)>> = counts.into_iter().map(Vec::with_capacity).collect();
        for (profile, run) in profiles {
            self.keys.of(*run).iter().for_each(|key| by_shard[shard_of(*key)].push((*key, *profile)));
        }
        by_shard
    }

    /// Takes a profile out.
    pub(super) fn remove(&mut self, profile: u32, run: Run) {
        // One that waits was never posted; the others go on waiting, for many are posted in the time of a few.
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == profile) {
            self.waiting.swap_remove(at);
        } else {
            for &key in self.keys.of(run) {
                let shard = shard_of(key);
                if self.shards[shard].remove(key, profile) {
                    self.crossed.push(shard);
                }
            }
        }
        self.keys.give_back(run);
    }

    /// Everybody who shares a live key with the profile, in order, each once.
    pub(super) fn candidates(&self, profile: u32, run: Run, found: &mut Vec<u32>) {
        found.clear();
        for (key, place) in self.places(run) {
            match place {
                Place::One(other) => found.push(other),
                Place::Many(list) => found.extend_from_slice(self.shards[shard_of(key)].lists.of(list)),
                Place::Hot | Place::Nowhere => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|other| *other != profile);
    }

    /// Where each key of a run is. Read once before, with nothing that depends on what is read: so the loads wait for memory
    /// side by side, while looking on goes by what stands in the slot.
    fn places(&self, run: Run) -> SmallVec<[(u32, Place); 64]> {
        let keys = self.keys.of(run);
        std::hint::black_box(keys.iter().fold(0, |all, key| all ^ self.shards[shard_of(*key)].touch(*key)));
        keys.iter().map(|key| (*key, self.shards[shard_of(*key)].place(*key))).collect()
    }

    /// Do two profiles share a live key?
    pub(super) fn share(&self, one: Run, two: Run) -> bool {
        let two = self.keys.of(two);
        self.keys.of(one).iter().any(|key| two.contains(key) && !self.shards[shard_of(*key)].hot.contains_key(key))
    }

    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.shards.iter().map(Shard::bytes).sum::<usize>()
    }

    /// The keys that crossed the limit since last asked.
    pub(super) fn take_crossed(&mut self) -> Vec<Crossed> {
        let mut shards = std::mem::take(&mut self.crossed);
        shards.sort_unstable();
        shards.dedup();
        shards.into_iter().flat_map(|shard| self.shards[shard].take_crossed()).collect()
    }
}

fn shard_of(key: u32) -> usize {
    (key >> (u32::BITS - SHARD_BITS)) as usize
}

/// Who has which key, for a part of the keys: a table with open addressing, and lists beside it.
struct Shard {
    limit: usize,
    slots: Vec<Slot>,
    used: usize,
    lists: Lists,
    /// Those who share each hot key.
    hot: FxHashMap<u32, Vec<u32>>,
    /// Keys that crossed since last asked, and whether they were live then.
    crossed: FxHashMap<u32, bool>,
}

/// A key, and where those who have it are.
#[derive(Clone, Copy)]
struct Slot {
    key: u32,
    place: u32,
}

/// Where those who share a key are; one of them takes no list.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    Hot,
    One(u32),
    Many(List),
}

const NOWHERE: u32 = u32::MAX;
const HOT: u32 = u32::MAX - 1;
const MANY: u32 = 1 << 31;

impl Place {
    fn unpack(packed: u32) -> Self {
        match packed {
            NOWHERE => Self::Nowhere,
            HOT => Self::Hot,
            one if one & MANY == 0 => Self::One(one),
            many => Self::Many(List(many ^ MANY)),
        }
    }

    fn pack(self) -> u32 {
        match self {
            Self::Nowhere => NOWHERE,
            Self::Hot => HOT,
            Self::One(profile) => profile,
            Self::Many(list) => list.0 | MANY,
        }
    }
}

impl Shard {
    fn new(limit: usize) -> Self {
        let (hot, crossed) = (FxHashMap::default(), FxHashMap::default());
        Self { limit, slots: Vec::new(), used: 0, lists: Lists::default(), hot, crossed }
    }

    /// Takes in many postings: into an empty shard key by key, in one go and at their size.
    fn insert_many(&mut self, mut postings: Vec<(u32, u32)>) {
        if self.used > 0 || postings.is_empty() {
            for (key, profile) in postings {
                self.insert(key, profile);
            }
            return;
        }
        postings.sort_unstable();
        let mut sizes = Vec::new();
        for sharing in postings.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len) {
            self.used += 1;
            if (2..=self.limit).contains(&sharing) {
                sizes.push(sharing);
            }
        }
        // Midway between the widest and the narrowest that growth makes it.
        self.slots = vec![Slot { key: 0, place: NOWHERE }; self.used * 10 / 7 + 1];
        self.lists.make_room(&sizes);
        let mut profiles: Vec<u32> = Vec::new();
        for sharing in postings.chunk_by(|one, other| one.0 == other.0) {
            let key = sharing[0].0;
            profiles.clear();
            profiles.extend(sharing.iter().map(|(_, profile)| *profile));
            let place = match profiles.as_slice() {
                [only] => Place::One(*only),
                some if some.len() <= self.limit => Place::Many(self.lists.make(some)),
                many => {
                    self.hot.insert(key, many.to_vec());
                    self.crossed.insert(key, true);
                    Place::Hot
                }
            };
            let at = self.find(key);
            self.slots[at] = Slot { key, place: place.pack() };
        }
    }

    /// Whether the key crossed the limit by it.
    fn insert(&mut self, key: u32, profile: u32) -> bool {
        if (self.used + 1) * 5 > self.slots.len() * 4 {
            self.grow();
        }
        let at = self.find(key);
        let mut crossed = false;
        let place = match Place::unpack(self.slots[at].place) {
            Place::Nowhere => {
                self.used += 1;
                Place::One(profile)
            }
            Place::One(first) => Place::Many(self.lists.make(&[first, profile])),
            Place::Many(list) if self.lists.of(list).len() < self.limit => Place::Many(self.lists.push(list, profile)),
            Place::Many(list) => {
                let mut sharing = self.lists.take(list);
                sharing.push(profile);
                self.hot.insert(key, sharing);
                self.crossed.entry(key).or_insert(true);
                crossed = true;
                Place::Hot
            }
            Place::Hot => {
                self.hot.entry(key).or_default().push(profile);
                Place::Hot
            }
        };
        self.slots[at] = Slot { key, place: place.pack() };
        crossed
    }

    /// Whether the key crossed the limit by it.
    fn remove(&mut self, key: u32, profile: u32) -> bool {
        let at = self.find(key);
        let mut crossed = false;
        let mut sharing = match Place::unpack(self.slots[at].place) {
            Place::Nowhere => return false,
            Place::One(one) => vec![one],
            Place::Many(list) => self.lists.take(list),
            Place::Hot => {
                let sharing = self.hot.get_mut(&key).expect("a hot key has its list");
                sharing.retain(|other| *other != profile);
                if sharing.len() > self.limit {
                    return false;
                }
                self.crossed.entry(key).or_insert(false);
                crossed = true;
                self.hot.remove(&key).unwrap_or_default()
            }
        };
        sharing.retain(|other| *other != profile);
        match sharing.as_slice() {
            [] => self.vacate(at),
            [one] => self.slots[at].place = Place::One(*one).pack(),
            many => self.slots[at].place = Place::Many(self.lists.make(many)).pack(),
        }
        crossed
    }

    /// Reads the slot where a key is looked for first, for the sake of reading it.
    fn touch(&self, key: u32) -> u32 {
        self.slots.get(self.home(key)).map_or(0, |slot| slot.key)
    }

    /// Reads where the next of a hot key will stand, for the sake of reading it.
    fn touch_hot(&self, key: u32) -> u32 {
        self.hot.get(&key).and_then(|sharing| sharing.last()).copied().unwrap_or_default()
    }

    fn place(&self, key: u32) -> Place {
        if self.slots.is_empty() { Place::Nowhere } else { Place::unpack(self.slots[self.find(key)].place) }
    }

    /// The slot of a key, or the one that it would take.
    fn find(&self, key: u32) -> usize {
        let mut at = self.home(key);
        while self.slots[at].place != NOWHERE && self.slots[at].key != key {
            at = self.after(at);
        }
        at
    }

    /// Keys are halves of keyed hashes, evenly spread already; the bits that chose the shard say nothing here.
    fn home(&self, key: u32) -> usize {
        ((u64::from(key << SHARD_BITS) * self.slots.len() as u64) >> u32::BITS) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Empties a slot and moves up those that stand behind it because it was taken.
    fn vacate(&mut self, mut gap: usize) {
        self.used -= 1;
        let count = self.slots.len();
        let mut at = gap;
        loop {
            at = self.after(at);
            let slot = self.slots[at];
            if slot.place == NOWHERE {
                break;
            }
            let walked = (at + count - self.home(slot.key)) % count;
            if walked >= (at + count - gap) % count {
                self.slots[gap] = slot;
                gap = at;
            }
        }
        self.slots[gap].place = NOWHERE;
    }

    fn grow(&mut self) {
        let wider = (self.slots.len() + self.slots.len() / 3).max(8);
        let old = std::mem::replace(&mut self.slots, vec![Slot { key: 0, place: NOWHERE }; wider]);
        for slot in old.into_iter().filter(|slot| slot.place != NOWHERE) {
            let at = self.find(slot.key);
            self.slots[at] = slot;
        }
    }

    fn take_crossed(&mut self) -> Vec<Crossed> {
        let mut crossed: Vec<(u32, bool)> = self.crossed.drain().collect();
        crossed.sort_unstable();
        let changed = |(key, was_live): (u32, bool)| {
            let (profiles, live) = match self.place(key) {
                Place::Hot => (self.hot.get(&key).cloned().unwrap_or_default(), false),
                Place::Many(list) => (self.lists.of(list).to_vec(), true),
                Place::One(one) => (vec![one], true),
                Place::Nowhere => (Vec::new(), true),
            };
            (live != was_live).then_some(Crossed { profiles, live })
        };
        crossed.into_iter().filter_map(changed).collect()
    }

    fn bytes(&self) -> usize {
        let hot: usize = self.hot.values().map(|sharing| sharing.capacity() * 4 + 32).sum();
        size_of::<Self>() + self.slots.capacity() * size_of::<Slot>() + self.lists.bytes() + hot
    }
}

/// The keys of all profiles, in chunks: nothing moves when they grow. A run lies within one chunk.
#[derive(Default)]
struct Keys {
    chunks: Vec<Vec<u32>>,
    length: usize,
    /// Runs given back, by length.
    free: FxHashMap<u16, Vec<u32>>,
}

/// Keys of one chunk.
const CHUNK: usize = 1 << 16;

impl Keys {
    fn keep(&mut self, keys: &[u32]) -> Run {
        let length = u16::try_from(keys.len()).expect("a profile has some dozens of keys");
        if let Some(start) = self.free.get_mut(&length).and_then(Vec::pop) {
            let at = start as usize;
            self.chunks[at / CHUNK][at % CHUNK..at % CHUNK + keys.len()].copy_from_slice(keys);
            return Run { start, length };
        }
        let room = self.chunks.len() * CHUNK - self.length;
        if room < keys.len() {
            self.length += room;
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let start = u32::try_from(self.length).expect("the register is far below 2^32 keys");
        self.length += keys.len();
        if let Some(last) = self.chunks.last_mut() {
            last.extend_from_slice(keys);
        }
        Run { start, length }
    }

    fn give_back(&mut self, run: Run) {
        if run.length > 0 {
            self.free.entry(run.length).or_default().push(run.start);
        }
    }

    fn of(&self, run: Run) -> &[u32] {
        let (start, length) = (run.start as usize, usize::from(run.length));
        if length == 0 {
            return &[];
        }
        &self.chunks[start / CHUNK][start % CHUNK..start % CHUNK + length]
    }

    fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(index: &mut Postings, profile: u32, run: Run) -> Vec<u32> {
        let mut found = Vec::new();
        index.post();
        index.candidates(profile, run, &mut found);
        found
    }

    /// Spreads a small number over all bits, as a keyed hash would.
    fn spread(number: u32) -> u32 {
        number.wrapping_mul(0x9e37_79b9)
    }

    #[test]
    fn keys_heat_and_cool_with_the_set_alone() {
        let mut index = Postings::new(3);
        let runs: Vec<Run> = (0..4).map(|profile| index.insert(profile, &[7, 100 + profile])).collect();
        assert!(candidates(&mut index, 0, runs[0]).is_empty(), "four share key 7: it is hot");
        let crossed = index.take_crossed();
        assert_eq!(crossed.len(), 1);
        assert!(!crossed[0].live && crossed[0].profiles.len() == 4);
        index.remove(2, runs[2]);
        assert_eq!(candidates(&mut index, 0, runs[0]), [1, 3]);
        assert!(index.share(runs[0], runs[3]));
        assert!(index.take_crossed()[0].live);
        // Up and down again between two questions is no crossing, and who went before being posted is nowhere.
        let run = index.insert(9, &[7, 1]);
        index.post();
        index.remove(9, run);
        assert!(index.take_crossed().is_empty());
        let run = index.insert(9, &[7, 1]);
        index.remove(9, run);
        assert_eq!(candidates(&mut index, 0, runs[0]), [1, 3]);
        assert!(index.take_crossed().is_empty());
    }

    #[test]
    fn many_at_once_are_as_good_as_one_by_one() {
        let keys = |profile: u32| {
            [spread(profile / 40), spread((1 << 20) | (profile % 977)), spread((1 << 21) | (profile / 3))]
        };
        let (mut at_once, mut one_by_one) = (Postings::new(32), Postings::new(32));
        let runs: Vec<[Run; 2]> = (0..5000)
            .map(|profile| {
                let run = one_by_one.insert(profile, &keys(profile));
                one_by_one.post();
                [at_once.insert(profile, &keys(profile)), run]
            })
            .collect();
        for (profile, [run, other]) in (0..).zip(&runs) {
            assert_eq!(candidates(&mut at_once, profile, *run), candidates(&mut one_by_one, profile, *other));
        }
        let crossed = |postings: &mut Postings| postings.take_crossed().len();
        assert_eq!((crossed(&mut at_once), crossed(&mut one_by_one)), (125, 125), "forty share each key of the first");
        // And go on as such.
        for postings in [&mut at_once, &mut one_by_one] {
            postings.remove(7, runs[7][0]);
            postings.insert(7, &[1, 2]);
        }
        assert_eq!(candidates(&mut at_once, 8, runs[8][0]), candidates(&mut one_by_one, 8, runs[8][1]));
    }

    #[test]
    fn many_profiles_are_found_after_growth_and_removal() {
        let mut index = Postings::new(50);
        let keys = |profile: u32| [spread(profile / 10), spread((1 << 20) | (profile % 977))];
        let runs: Vec<Run> = (0..5000).map(|profile| index.insert(profile, &keys(profile))).collect();
        let found = candidates(&mut index, 4242, runs[4242]);
        let alike: Vec<u32> =
            (0..5000).filter(|other| *other != 4242 && (other / 10 == 424 || other % 977 == 4242 % 977)).collect();
        assert_eq!(found, alike);
        for profile in (0..5000).filter(|profile| profile % 2 == 0) {
            index.remove(profile, runs[profile as usize]);
        }
        let odd: Vec<u32> = (0..5000)
            .filter(|other| *other != 4243 && other % 2 == 1 && (other / 10 == 424 || other % 977 == 4243 % 977))
            .collect();
        assert_eq!(candidates(&mut index, 4243, runs[4243]), odd);
        for profile in (0..5000).filter(|profile| profile % 2 == 1) {
            index.remove(profile, runs[profile as usize]);
        }
        assert!(index.shards.iter().all(|shard| shard.used == 0));
    }
}
