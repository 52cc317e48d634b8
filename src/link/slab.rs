//! A growing list of slots in chunks: nothing moves when it grows, and no memory waits for a doubling.

/// Slots of one chunk.
const CHUNK: usize = 4096;

/// Values by slot; slots given back are used again.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    length: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), length: 0 }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            *self.place(slot) = Some(value);
            return slot;
        }
        if self.length.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut().expect("there is room").push(Some(value));
        self.length += 1;
        u32::try_from(self.length - 1).expect("a scope is far below 2^32 records")
    }

    pub(super) fn remove(&mut self, slot: u32) -> T {
        self.free.push(slot);
        self.place(slot).take().expect("only a held slot is given back")
    }

    /// How many slots are held.
    pub(super) fn count(&self) -> usize {
        self.length - self.free.len()
    }

    /// Every held slot and what is in it.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.chunks.iter().flatten()).filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    pub(super) fn held_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten().flatten()
    }

    pub(super) fn held(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().flatten()
    }

    /// Roughly how many bytes the slots take.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Option<T>>() + self.free.capacity() * 4
    }

    fn place(&mut self, slot: u32) -> &mut Option<T> {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, slot: u32) -> &T {
        self.chunks[slot as usize / CHUNK][slot as usize % CHUNK].as_ref().expect("slots in use are held")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        self.place(slot).as_mut().expect("slots in use are held")
    }
}

/// Small values by the slots of a slab, side by side.
#[derive(Default)]
pub(super) struct Beside<T> {
    chunks: Vec<Vec<T>>,
}

impl<T: Copy + Default> Beside<T> {
    /// Puts a value beside a slot, whatever was there.
    pub(super) fn put(&mut self, slot: u32, value: T) {
        let (chunk, place) = (slot as usize / CHUNK, slot as usize % CHUNK);
        while self.chunks.len() <= chunk {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let values = &mut self.chunks[chunk];
        if values.len() <= place {
            values.resize(place + 1, T::default());
        }
        values[place] = value;
    }

    /// Roughly how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<T>()
    }
}

impl<T> std::ops::Index<u32> for Beside<T> {
    type Output = T;

    fn index(&self, slot: u32) -> &T {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_beside_slots_in_any_order() {
        let mut beside = Beside::default();
        for slot in [9_000, 3, 4_096, 3] {
            beside.put(slot, slot + 1);
        }
        assert_eq!([3, 4_096, 9_000].map(|slot| beside[slot]), [4, 4_097, 9_001]);
        assert_eq!(beside.bytes(), 3 * CHUNK * 4);
    }

    #[test]
    fn slots_are_kept_and_used_again() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..10_000).map(|value| slab.insert(value)).collect();
        assert!(slots.iter().all(|slot| slab[*slot] == *slot));
        assert_eq!(slab.remove(7), 7);
        assert_eq!(slab.insert(70), 7);
        slab[7] += 1;
        assert_eq!((slab[7], slab.held().count()), (71, 10_000));
        assert_eq!(slab.remove(9_999), 9_999);
        assert_eq!((slab.count(), slab.slots().last()), (9_999, Some((9_998, &9_998))));
    }
}
