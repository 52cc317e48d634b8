//! Which cells of a system of sums must not be shown, so that no small one can be worked out from the rest.
//!
//! What somebody can work out is found as they would find it: each shown cell is known to within its rounding, the sums
//! hold, nothing is below nought, and linear programming gives the least and the most that a hidden cell can be. A small
//! cell is safe while that leaves it every value that its mark stands for.

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem};

/// A shown cell is a multiple of it.
const BASE: u64 = 5;

/// To the nearest multiple of 5.
pub(super) fn rounded(count: u64) -> u64 {
    (count + BASE / 2) / BASE * BASE
}

/// What else is hidden when a sum gives a small part away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// The smallest of its parts that is shown. There are two hidden parts at least, or none.
    Part,
    /// The total. Where the parts were published before, hiding them now is no use.
    Total,
}

/// A total and what it is the sum of.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) total: usize,
    pub(super) parts: Vec<usize>,
    pub(super) gives: Gives,
}

impl Relation {
    fn cells(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(self.total).chain(self.parts.iter().copied())
    }
}

/// Cells and the sums that they stand in.
#[derive(Debug, Default)]
pub(super) struct System {
    values: Vec<u64>,
    hidden: Vec<bool>,
    relations: Vec<Relation>,
}

impl System {
    /// A cell that is shown if it can be.
    pub(super) fn cell(&mut self, value: u64) -> usize {
        self.values.push(value);
        self.hidden.push(false);
        self.values.len() - 1
    }

    /// A cell that is nowhere written, and follows from others that are.
    pub(super) fn implied(&mut self, value: u64) -> usize {
        let cell = self.cell(value);
        self.hidden[cell] = true;
        cell
    }

    /// These add up. What does not add up is no relation, and is left out.
    pub(super) fn relate(&mut self, total: usize, parts: Vec<usize>, gives: Gives) {
        if parts.iter().map(|part| self.values[*part]).sum::<u64>() == self.values[total] {
            self.relations.push(Relation { total, parts, gives });
        }
    }

    /// Which cells are hidden in the end.
    pub(super) fn suppress(mut self, below: u64) -> Vec<bool> {
        for (value, hidden) in self.values.iter().zip(&mut self.hidden) {
            *hidden |= *value < below;
        }
        while let Some(next) = self.next_to_hide(below) {
            self.hidden[next] = true;
        }
        self.hidden
    }

    /// A shown cell that gives a small one away.
    fn next_to_hide(&self, below: u64) -> Option<usize> {
        let small = |cell: &usize| self.values[*cell] < below;
        let alone = self.relations.iter().filter(|relation| relation.gives == Gives::Part).find(|relation| {
            let mut hidden = relation.cells().filter(|cell| self.hidden[*cell]);
            hidden.next().is_some_and(|cell| small(&cell)) && hidden.next().is_none()
        });
        if let Some(next) = alone.and_then(|relation| self.companion(relation)) {
            return Some(next);
        }
        let related: BTreeSet<usize> = self.relations.iter().flat_map(Relation::cells).filter(small).collect();
        let exposed = related.into_iter().find(|cell| !self.is_safe(*cell, below))?;
        let about = |relation: &&Relation| relation.cells().any(|cell| cell == exposed);
        let near = self.relations.iter().filter(about).find_map(|relation| self.companion(relation));
        near.or_else(|| self.smallest_shown(self.connected(exposed).into_iter()))
    }

    fn companion(&self, relation: &Relation) -> Option<usize> {
        let total = Some(relation.total).filter(|total| !self.hidden[*total]);
        match relation.gives {
            Gives::Part => self.smallest_shown(relation.parts.iter().copied()).or(total),
            Gives::Total => total,
        }
    }

    fn smallest_shown(&self, cells: impl Iterator<Item = usize>) -> Option<usize> {
        cells.filter(|cell| !self.hidden[*cell]).min_by_key(|cell| (self.values[*cell], *cell))
    }

    /// The cell and everything that sums join to it.
    fn connected(&self, cell: usize) -> BTreeSet<usize> {
        let mut cells = BTreeSet::from([cell]);
        loop {
            let before = cells.len();
            for relation in &self.relations {
                if relation.cells().any(|cell| cells.contains(&cell)) {
                    cells.extend(relation.cells());
                }
            }
            if cells.len() == before {
                return cells;
            }
        }
    }

    /// Could it be anything from nought to just below the threshold, for all that can be worked out?
    fn is_safe(&self, cell: usize, below: u64) -> bool {
        let most = (below - 1) as f64;
        let reaches = |direction, bound: f64| match self.solve(cell, below, direction) {
            Ok(found) => {
                (found - bound).abs() < 1e-6 || (found < bound) == (direction == OptimizationDirection::Minimize)
            }
            // Whatever the solver cannot settle is taken as given away.
            Err(_) => false,
        };
        reaches(OptimizationDirection::Minimize, 0.0) && reaches(OptimizationDirection::Maximize, most)
    }

    /// The least or the most that a cell can be, up to the threshold.
    fn solve(&self, cell: usize, below: u64, direction: OptimizationDirection) -> Result<f64, Error> {
        let cells: Vec<usize> = self.connected(cell).into_iter().collect();
        let mut problem = Problem::new(direction);
        let bounds = |at: usize| {
            if at == cell {
                (0.0, below as f64)
            } else if self.hidden[at] {
                (0.0, f64::INFINITY)
            } else {
                let shown = rounded(self.values[at]);
                ((shown.saturating_sub(BASE / 2)).max(below) as f64, (shown + BASE / 2) as f64)
            }
        };
        let variables: Vec<_> =
            cells.iter().map(|at| problem.add_var(if *at == cell { 1.0 } else { 0.0 }, bounds(*at))).collect();
        let variable = |at: usize| variables[cells.binary_search(&at).expect("a relation is connected whole")];
        for relation in self.relations.iter().filter(|relation| cells.binary_search(&relation.total).is_ok()) {
            // One cell may stand in a sum twice, where two figures are the same number.
            let mut terms = BTreeMap::from([(relation.total, -1.0)]);
            for part in &relation.parts {
                *terms.entry(*part).or_default() += 1.0;
            }
            let terms: Vec<_> = terms.into_iter().map(|(at, times)| (variable(at), times)).collect();
            problem.add_constraint(&terms, ComparisonOp::Eq, 0.0);
        }
        let outcome = problem.solve()?;
        outcome.into_solution().map(|solution| solution.objective()).map_err(|_| Error::Infeasible)
    }
}
