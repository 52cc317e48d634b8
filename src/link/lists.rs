//! Short lists in blocks whose sizes are powers of two: four bytes an entry, and one line of memory to read most of them.

/// Nothing stands here.
const VACANT: u32 = u32::MAX;

/// Bits of a list's name that say where it lies within its size.
const PLACE_BITS: u32 = 27;

/// A list, named in 31 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List(pub(super) u32);

impl List {
    fn new(class: usize, place: usize) -> Self {
        let place = u32::try_from(place).expect("a shard is far below 2^27 lists");
        debug_assert!(place >> PLACE_BITS == 0);
        #[allow(clippy::cast_possible_truncation)]
        Self((class as u32) << PLACE_BITS | place)
    }

    fn class(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    fn place(self) -> usize {
        (self.0 & ((1 << PLACE_BITS) - 1)) as usize
    }
}

/// All lists of up to 2^14 entries, by size.
#[derive(Default)]
pub(super) struct Lists {
    classes: Vec<Class>,
}

/// Blocks of one size.
#[derive(Default)]
struct Class {
    blocks: Vec<u32>,
    free: Vec<u32>,
}

/// The class of the smallest block that holds so many entries.
fn class_of(entries: usize) -> usize {
    entries.next_power_of_two().trailing_zeros() as usize
}

impl Lists {
    /// Makes room for lists of these sizes.
    pub(super) fn make_room(&mut self, sizes: &[usize]) {
        let mut counts: Vec<usize> = Vec::new();
        for class in sizes.iter().map(|size| class_of(*size)) {
            counts.resize(counts.len().max(class + 1), 0);
            counts[class] += 1;
        }
        if self.classes.len() < counts.len() {
            self.classes.resize_with(counts.len(), Class::default);
        }
        for (class, count) in counts.into_iter().enumerate() {
            self.classes[class].blocks.reserve_exact(count << class);
        }
    }

    pub(super) fn make(&mut self, entries: &[u32]) -> List {
        let class = class_of(entries.len());
        let size = 1 << class;
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, Class::default);
        }
        let Class { blocks, free } = &mut self.classes[class];
        let place = match free.pop() {
            Some(place) => place as usize,
            None => {
                if blocks.len() == blocks.capacity() {
                    // A quarter at a time: no memory waits for a doubling.
                    blocks.reserve_exact((blocks.len() / 4).max(size * 4));
                }
                blocks.resize(blocks.len() + size, VACANT);
                blocks.len() / size - 1
            }
        };
        let block = &mut blocks[place * size..(place + 1) * size];
        block[..entries.len()].copy_from_slice(entries);
        block[entries.len()..].fill(VACANT);
        List::new(class, place)
    }

    pub(super) fn of(&self, list: List) -> &[u32] {
        let size = 1 << list.class();
        let block = &self.classes[list.class()].blocks[list.place() * size..(list.place() + 1) * size];
        // A block is more than half full, or was before something left it.
        let length = block.iter().rposition(|entry| *entry != VACANT).map_or(0, |last| last + 1);
        &block[..length]
    }

    /// Reads the list's first entry, for the sake of reading it.
    pub(super) fn touch(&self, list: List) -> u32 {
        self.classes[list.class()].blocks[list.place() << list.class()]
    }

    pub(super) fn push(&mut self, list: List, entry: u32) -> List {
        let length = self.of(list).len();
        let size = 1 << list.class();
        if length < size {
            self.classes[list.class()].blocks[list.place() * size + length] = entry;
            return list;
        }
        let mut entries = self.take(list);
        entries.push(entry);
        self.make(&entries)
    }

    /// The entries of a list that is no more.
    pub(super) fn take(&mut self, list: List) -> Vec<u32> {
        let entries = self.of(list).to_vec();
        #[allow(clippy::cast_possible_truncation)]
        self.classes[list.class()].free.push(list.place() as u32);
        entries
    }

    pub(super) fn bytes(&self) -> usize {
        self.classes.iter().map(|class| (class.blocks.capacity() + class.free.capacity()) * 4).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_and_their_blocks_are_used_again() {
        let mut lists = Lists::default();
        let mut list = lists.make(&[1, 2]);
        for entry in 3..=33 {
            list = lists.push(list, entry);
            assert_eq!(lists.of(list), (1..=entry).collect::<Vec<_>>());
        }
        assert_eq!(lists.take(list).len(), 33);
        let again = lists.make(&[7; 40]);
        assert_eq!((lists.of(again).len(), again), (40, list));
    }
}
