//! Clusters of one unit of records: average linkage with cannot-link constraints, a function of the unit's set alone.

/// How two nodes of a unit stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// Evidence for or against.
    Weight(Evidence),
    /// A person decided that they are one.
    Must(Evidence),
    /// They are two, whatever agrees.
    Cannot,
}

/// Evidence for or against, in 1/256 bit, summed over all pairs of two nodes' or groups' records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) sum: i64,
    /// How much more it is if who has two homes has moved.
    pub(super) moved: i64,
    /// Some record of each is of one home.
    pub(super) same_home: bool,
}

impl Evidence {
    /// Of groups that can't be one.
    const NEVER: Self = Self { sum: i64::MIN, moved: 0, same_home: false };

    /// Somebody who has moved is at home in two places: where two groups share one of them, it says nothing that others of
    /// their records are of another.
    fn total(self) -> i64 {
        self.sum + if self.same_home { self.moved } else { 0 }
    }

    fn and(self, other: Self) -> Self {
        if self == Self::NEVER || other == Self::NEVER {
            return Self::NEVER;
        }
        Self {
            sum: self.sum + other.sum,
            moved: self.moved + other.moved,
            same_home: self.same_home || other.same_home,
        }
    }
}

/// Some records that stand or fall together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// How many.
    pub(super) records: usize,
}

/// One cluster: its nodes in order, and the lowest average at which it was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) nodes: Vec<usize>,
    pub(super) weakest: Option<i32>,
}

/// Joins, again and again, the two groups with the highest average weight between them while it is at least `bar`; groups
/// with a `Cannot` between them never join. Ties go to the groups with the smallest nodes, so nodes must come in an order
/// of their own (by record id). Averages are compared as exact fractions.
///
/// A group that fits two others about equally well, which are clearly two themselves, joins neither: a record without a
/// date of birth beside father and son of one name is for a person to look at.
pub(super) fn partition(nodes: &[Node], rules: Rules, tie: impl Fn(usize, usize) -> Tie) -> Vec<Part> {
    let mut groups = Groups::new(nodes, rules.bar, tie);
    groups.join_decided();
    let mut torn: Vec<(usize, usize)> = Vec::new();
    while let Some((one, two, weakest)) = groups.best(rules, &torn) {
        if groups.is_torn(one, two, rules) || groups.is_torn(two, one, rules) {
            torn.push((one, two));
        } else {
            groups.join(one, two, weakest);
            torn.clear();
        }
    }
    groups.finish()
}

/// What decides over joining, in 1/256 bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The lowest average at which groups join.
    pub(super) bar: i32,
    /// How much better than the next a fit must be, where the two exclude each other.
    pub(super) margin: i32,
    /// The highest average at which two groups exclude each other.
    pub(super) conflict: i32,
    /// Groups join by the average of all weights between them; otherwise by the highest, as components do.
    pub(super) by_average: bool,
}

struct Groups {
    count: usize,
    /// Nodes of each group, at the place of its smallest node; empty where joined away.
    members: Vec<Vec<usize>>,
    /// Records of each group.
    records: Vec<i64>,
    weakest: Vec<Option<i32>>,
    alive: Vec<usize>,
    /// Evidence between groups.
    sums: Vec<Evidence>,
    /// The highest weight between two nodes of two groups.
    closest: Vec<i32>,
    /// Pairs of groups, the smaller first, that may be one and whose closest nodes reach the bar: no other pair
    /// joins, since an average is above the highest weight in it only where somebody has moved. In no order.
    near: Vec<(usize, usize)>,
    decided: Vec<(usize, usize)>,
}

impl Groups {
    fn new(nodes: &[Node], bar: i32, tie: impl Fn(usize, usize) -> Tie) -> Self {
        let count = nodes.len();
        let mut sums = vec![Evidence::NEVER; count * count];
        let mut closest = vec![i32::MIN; count * count];
        let (mut near, mut decided) = (Vec::new(), Vec::new());
        for one in 0..count {
            for two in one + 1..count {
                let sum = match tie(one, two) {
                    Tie::Weight(sum) => sum,
                    Tie::Must(sum) => {
                        decided.push((one, two));
                        sum
                    }
                    Tie::Cannot => continue,
                };
                let weight = average(sum.total(), pairs(&nodes[one], &nodes[two]));
                for place in [one * count + two, two * count + one] {
                    (sums[place], closest[place]) = (sum, weight);
                }
                if weight >= bar {
                    near.push((one, two));
                }
            }
        }
        let members = (0..count).map(|node| vec![node]).collect();
        let records = nodes.iter().map(|node| i64::try_from(node.records).expect("a unit is small")).collect();
        let (weakest, alive) = (vec![None; count], (0..count).collect());
        Self { count, members, records, weakest, alive, sums, closest, near, decided }
    }

    /// Decisions come first, in order; one that contradicts a constraint has no effect.
    fn join_decided(&mut self) {
        for (one, two) in std::mem::take(&mut self.decided) {
            let (one, two) = (self.group_of(one), self.group_of(two));
            let sum = self.sums[one * self.count + two];
            if one != two && sum != Evidence::NEVER {
                let weight = average(sum.total(), self.records[one] * self.records[two]);
                self.join(one.min(two), one.max(two), weight);
            }
        }
    }

    fn group_of(&self, node: usize) -> usize {
        let holds = |group: &&usize| self.members[**group].contains(&node);
        *self.alive.iter().find(holds).expect("every node is in one group")
    }

    /// Does `group` fit some third group about as well as `chosen`, while the two exclude each other? A fit goes by the
    /// closest records: somebody who has moved is still who they were at their old address.
    fn is_torn(&self, group: usize, chosen: usize, rules: Rules) -> bool {
        let best = self.closest[group * self.count + chosen];
        self.alive.iter().filter(|other| ![group, chosen].contains(other)).any(|&other| {
            let next = self.closest[group * self.count + other];
            let rival = rules.margin > 0 && next >= rules.bar && best.saturating_sub(next) < rules.margin;
            rival && self.average(chosen, other).is_none_or(|between| between <= rules.conflict)
        })
    }

    fn average(&self, one: usize, two: usize) -> Option<i32> {
        let sum = self.sums[one * self.count + two];
        (sum != Evidence::NEVER).then(|| average(sum.total(), self.records[one] * self.records[two]))
    }

    fn best(&self, rules: Rules, torn: &[(usize, usize)]) -> Option<(usize, usize, i32)> {
        let mut best: Option<(usize, usize, i64, i64)> = None;
        for &(one, two) in &self.near {
            let (sum, pairs) = match rules.by_average {
                true => (self.sums[one * self.count + two].total(), self.records[one] * self.records[two]),
                false => (i64::from(self.closest[one * self.count + two]), 1),
            };
            let better = match best {
                None => sum >= i64::from(rules.bar) * pairs,
                Some((first, second, best_sum, best_pairs)) => {
                    let order = (sum * best_pairs).cmp(&(best_sum * pairs));
                    order.is_gt() || (order.is_eq() && (one, two) < (first, second))
                }
            };
            if better && !torn.contains(&(one, two)) {
                best = Some((one, two, sum, pairs));
            }
        }
        best.map(|(one, two, sum, pairs)| (one, two, average(sum, pairs)))
    }

    /// `one` is the group with the smaller node and takes the other in.
    fn join(&mut self, one: usize, two: usize, weight: i32) {
        let taken = std::mem::take(&mut self.members[two]);
        self.members[one].extend(taken);
        self.records[one] += self.records[two];
        let weakest = [self.weakest[one], self.weakest[two], Some(weight)].into_iter().flatten().min();
        self.weakest[one] = weakest;
        self.alive.retain(|group| *group != two);
        for &other in self.alive.iter().filter(|other| **other != one) {
            let (here, there) = (one * self.count + other, two * self.count + other);
            let sum = self.sums[here].and(self.sums[there]);
            let closest = self.closest[here].max(self.closest[there]);
            for place in [here, other * self.count + one] {
                (self.sums[place], self.closest[place]) =
                    (sum, if sum == Evidence::NEVER { i32::MIN } else { closest });
            }
        }
        let (count, sums) = (self.count, &self.sums);
        let mut of_both: Vec<usize> = Vec::new();
        self.near.retain(|(first, second)| {
            let other = match (*first, *second) {
                (first, second) if first == one || first == two => second,
                (first, second) if second == one || second == two => first,
                _ => return true,
            };
            of_both.push(other);
            false
        });
        of_both.sort_unstable();
        of_both.dedup();
        let joinable = |other: &usize| ![one, two].contains(other) && sums[one * count + other] != Evidence::NEVER;
        let of_both = of_both.into_iter().filter(joinable);
        self.near.extend(of_both.map(|other| (one.min(other), one.max(other))));
    }

    fn finish(mut self) -> Vec<Part> {
        let part = |group: usize| {
            let mut nodes = std::mem::take(&mut self.members[group]);
            nodes.sort_unstable();
            Part { nodes, weakest: self.weakest[group] }
        };
        self.alive.iter().copied().map(part).collect()
    }
}

fn pairs(one: &Node, two: &Node) -> i64 {
    i64::try_from(one.records * two.records).expect("a unit is small")
}

fn average(sum: i64, pairs: i64) -> i32 {
    i32::try_from(sum.div_euclid(pairs)).expect("an average lies among its weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { bar: 500, margin: 500, conflict: -2000, by_average: true };

    fn bits(sum: i64) -> Evidence {
        Evidence { sum, moved: 0, same_home: false }
    }

    fn nodes(parts: &[Part]) -> Vec<Vec<usize>> {
        parts.iter().map(|part| part.nodes.clone()).collect()
    }

    #[test]
    fn a_chain_does_not_pull_its_ends_together() {
        // 0-1 and 1-2 agree, 0-2 speaks against it more than they speak for it.
        let tie = |one: usize, two: usize| Tie::Weight(bits(if two - one == 1 { 1000 } else { -3000 }));
        assert_eq!(
            nodes(&partition(&[Node { records: 1 }; 3], Rules { conflict: -9000, ..RULES }, tie)),
            [vec![0, 1], vec![2]]
        );
    }

    #[test]
    fn components_would_pull_them_together() {
        let tie = |one: usize, two: usize| Tie::Weight(bits(if two - one == 1 { 1000 } else { -3000 }));
        let rules = Rules { conflict: -9000, by_average: false, ..RULES };
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], rules, tie)), [vec![0, 1, 2]]);
    }

    #[test]
    fn what_cannot_be_one_is_not_joined_through_a_third() {
        let tie = |one: usize, two: usize| match (one, two) {
            (0, 2) => Tie::Cannot,
            (0, 1) => Tie::Weight(bits(3000)),
            _ => Tie::Weight(bits(2000)),
        };
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], RULES, tie)), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn what_fits_two_that_exclude_each_other_joins_neither() {
        let fits = |best: i64| {
            move |one: usize, two: usize| match (one, two) {
                (0, 1) => Tie::Weight(bits(-3000)),
                (0, 2) => Tie::Weight(bits(best)),
                _ => Tie::Weight(bits(1000)),
            }
        };
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], RULES, fits(1100))), [vec![0], vec![1], vec![2]]);
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], RULES, fits(2000))), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn decisions_win_over_scores_but_not_over_constraints() {
        let tie = |one: usize, two: usize| match (one, two) {
            (0, 1) => Tie::Must(bits(-2000)),
            (0, 2) => Tie::Cannot,
            (1, 2) => Tie::Must(bits(0)),
            _ => Tie::Weight(bits(-3000)),
        };
        let parts = partition(&[Node { records: 1 }; 3], RULES, tie);
        assert_eq!(nodes(&parts), [vec![0, 1], vec![2]]);
        assert_eq!(parts[0].weakest, Some(-2000));
    }

    #[test]
    fn who_has_moved_is_who_they_were() {
        // 0 at the old address, 1 at the new; 2 at the new without a date: by itself it fits 1 and not 0.
        let tie = |same_home: bool| {
            move |one: usize, two: usize| match (one, two) {
                (0, 1) => Tie::Weight(bits(3000)),
                (0, 2) => Tie::Weight(Evidence { sum: -900, moved: 1200, same_home: false }),
                _ => Tie::Weight(Evidence { sum: 800, moved: 0, same_home }),
            }
        };
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], RULES, tie(true))), [vec![0, 1, 2]]);
        assert_eq!(nodes(&partition(&[Node { records: 1 }; 3], RULES, tie(false))), [vec![0, 1], vec![2]]);
    }
}
