//! The population: households, who is in them, how they are connected. What is true, before any agency writes it down.

use jiff::ToSpan;
use jiff::civil::Date;

use super::dice::{Dice, Stream};
use super::names::{self, Custom, FamilyName, GivenNames, Written};
use super::places::PlaceRates;
use super::rates;
use super::{City, canary};
use crate::model::event::Relationship;

/// One person as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    pub(super) household: u32,
    pub(super) born: Date,
    pub(super) moves_on: Option<Date>,
    /// Whose new home it is: a household moves together.
    moves_with: u32,
    pub(super) custom: Custom,
    pub(super) given: GivenNames,
    pub(super) family: FamilyName,
    pub(super) former: Option<FamilyName>,
    pub(super) female: bool,
    pub(super) child: bool,
    pub(super) perpetrator: bool,
    pub(super) victim: bool,
}

/// Two people between whom there is abuse.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relation {
    pub(super) perpetrator: u32,
    pub(super) victim: u32,
    /// Where the children live.
    pub(super) household: u32,
    pub(super) kind: Relationship,
}

/// Kinds of household, in the order of `PlaceRates::households`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Couple,
    CoupleWithChildren,
    /// A parent with children, and the other parent elsewhere.
    LoneParent,
    /// Parents with a grown-up son or daughter.
    GrownUpChild,
    Siblings,
    Alone,
}

const KINDS: [Kind; 6] =
    [Kind::Couple, Kind::CoupleWithChildren, Kind::LoneParent, Kind::GrownUpChild, Kind::Siblings, Kind::Alone];

/// Everybody.
pub(super) struct Population {
    pub(super) seed: u64,
    pub(super) rates: &'static PlaceRates,
    /// How many years the play has, begun ones counted.
    pub(super) years: u32,
    pub(super) end: Date,
    pub(super) start: Date,
    pub(super) people: Vec<Person>,
    /// The first person of each household, and one past the last.
    pub(super) households: Vec<u32>,
    pub(super) relations: Vec<Relation>,
    /// Adults who live alone.
    pub(super) alone: Vec<u32>,
    /// From this number on, people are canaries.
    pub(super) first_canary: u32,
}

impl Population {
    /// Settles the city.
    pub(super) fn new(city: &City) -> Self {
        let start = city.start();
        let mut settled = Self {
            seed: city.seed,
            rates: city.place.rates(),
            years: city.months.div_ceil(12).max(1),
            end: city.end,
            start,
            people: Vec::with_capacity((city.people + city.canaries) as usize),
            households: vec![0],
            relations: Vec::new(),
            alone: Vec::new(),
            first_canary: city.people,
        };
        while settled.count() < city.people {
            settled.settle(city.people - settled.count());
        }
        while settled.count() < city.people + city.canaries {
            settled.settle_canaries(city.people + city.canaries - settled.count());
        }
        settled
    }

    /// How many people there are.
    pub(super) fn count(&self) -> u32 {
        self.people.len() as u32
    }

    /// The person of this number.
    pub(super) fn person(&self, number: u32) -> &Person {
        &self.people[number as usize]
    }

    /// Who lives in a household.
    pub(super) fn members(&self, household: u32) -> std::ops::Range<u32> {
        self.households[household as usize]..self.households[household as usize + 1]
    }

    /// Members of a household who are under 18 on a day.
    pub(super) fn children(&self, household: u32, on: Date) -> impl Iterator<Item = u32> + '_ {
        self.members(household).filter(move |member| self.person(*member).child && self.age(*member, on) < 18)
    }

    /// Age in whole years.
    pub(super) fn age(&self, number: u32, on: Date) -> i16 {
        let born = self.person(number).born;
        let not_yet = (on.month(), on.day()) < (born.month(), born.day());
        on.year() - born.year() - i16::from(not_yet)
    }

    /// Where a person lives on a day: the household's home, or after a move one of their own.
    pub(super) fn home(&self, number: u32, on: Date) -> u32 {
        let person = self.person(number);
        match person.moves_on {
            Some(moved) if moved <= on => self.households.len() as u32 + person.moves_with,
            _ => person.household,
        }
    }

    /// The name as the person would write it, and the one before marriage.
    pub(super) fn name(&self, number: u32) -> (Written, Option<Written>) {
        let person = self.person(number);
        if number >= self.first_canary {
            return canary::name(self.seed, number);
        }
        let write = |family| names::written(person.custom, person.female, person.given, family);
        (write(person.family), person.former.map(write))
    }

    fn settle(&mut self, room: u32) {
        let household = self.households.len() as u32 - 1;
        let mut dice = Dice::new(self.seed, Stream::Household, u64::from(household), 0);
        let kind = KINDS[dice.weighted(&self.rates.households)];
        let children = 1 + dice.weighted(&[0.45, 0.37, 0.14, 0.04]) as u32;
        let needed = match kind {
            Kind::Couple | Kind::Siblings => 2,
            Kind::CoupleWithChildren | Kind::LoneParent => 2 + children,
            Kind::GrownUpChild => 3,
            Kind::Alone => 1,
        };
        match kind {
            _ if needed > room => self.live_alone(&mut dice),
            Kind::Alone => self.live_alone(&mut dice),
            Kind::Couple => {
                let (first, second) = self.couple(&mut dice, 18);
                if dice.chance(0.35) {
                    // They parted: the second lives elsewhere.
                    self.part(second);
                    self.relate_couple(first, second, Relationship::ExPartner, household, &mut dice);
                } else {
                    self.close();
                    self.relate_couple(first, second, Relationship::Partner, household, &mut dice);
                }
            }
            Kind::CoupleWithChildren => {
                let (first, second) = self.couple(&mut dice, 20);
                self.bear(first, second, children, (0, 17), &mut dice);
                self.close();
                self.relate_couple(first, second, Relationship::Partner, household, &mut dice);
            }
            Kind::LoneParent => {
                let (father, _) = self.couple(&mut dice, 20);
                // The father lives elsewhere, so he stands last, after the children.
                let his = self.people.remove(father as usize);
                let mother = father;
                self.bear_of(his, self.people[mother as usize], children, (0, 17), &mut dice);
                self.people.push(his);
                let father = self.count() - 1;
                self.part(father);
                self.relate_couple(father, mother, Relationship::ExPartner, household, &mut dice);
            }
            Kind::GrownUpChild => {
                let (father, mother) = self.couple(&mut dice, 42);
                let youngest = if dice.chance(0.06) { 12 } else { 16 };
                self.bear(father, mother, 1, (youngest, 24), &mut dice);
                let child = self.count() - 1;
                self.people[child as usize].child = self.age(child, self.start) < 18;
                let like_father = !self.people[child as usize].female && dice.chance(rates::NAMED_AFTER_FATHER);
                let (his, like_him) = (self.people[father as usize], &mut self.people[child as usize]);
                // The first of two women stands in his place.
                if like_father && !his.female && his.custom == like_him.custom {
                    like_him.given[0] = his.given[0];
                }
                self.close();
                let parent = if dice.chance(self.rates.mother_is_victim) { mother } else { father };
                self.relate(child, parent, Relationship::ParentChild, household, &mut dice);
            }
            Kind::Siblings => {
                let (father, mother) = self.couple(&mut dice, 50);
                self.bear(father, mother, 2, (18, 30), &mut dice);
                // The parents were needed for the names only.
                self.people.drain(father as usize..=mother as usize);
                for sibling in father..=mother {
                    self.people[sibling as usize].child = false;
                }
                self.close();
                let (perpetrator, victim) = if dice.chance(0.5) { (father, mother) } else { (mother, father) };
                self.relate(perpetrator, victim, Relationship::Sibling, household, &mut dice);
            }
        }
    }

    /// Two adults who are or were together: the man first, unless they are of one sex.
    fn couple(&mut self, dice: &mut Dice, youngest: i64) -> (u32, u32) {
        let custom = Custom::draw(dice);
        let other_custom = if dice.chance(rates::SAME_CUSTOM) { custom } else { Custom::draw(dice) };
        let same_sex = dice.chance(rates::SAME_SEX);
        let first_is_woman = same_sex && dice.chance(0.5);
        let age = youngest + 2 + (f64::from(48) * dice.unit() * (0.3 + 0.7 * dice.unit())) as i64;
        let first = self.adult(custom, first_is_woman, age, dice);
        let other_age = (age - 2 + dice.between(-5, 5)).max(youngest);
        let mut second = self.adult(other_custom, !same_sex || first_is_woman, other_age, dice);
        let takes = other_custom.wives_take_the_name() && custom.wives_take_the_name();
        if dice.chance(rates::MARRIED) && takes && dice.chance(rates::TAKES_THE_NAME) {
            second.former = Some(second.family);
            second.family = first.family;
        }
        self.people.extend([first, second]);
        (self.count() - 2, self.count() - 1)
    }

    fn adult(&self, custom: Custom, female: bool, age: i64, dice: &mut Dice) -> Person {
        self.newcomer(custom, female, (age, age), FamilyName::draw(custom, dice), dice)
    }

    fn newcomer(&self, custom: Custom, female: bool, ages: (i64, i64), family: FamilyName, dice: &mut Dice) -> Person {
        let days = dice.between(ages.0 * 365 + ages.0 / 4, ages.1 * 365 + ages.1 / 4 + 364);
        let span = (self.end - self.start).get_days().max(1);
        let moves = dice.chance(rates::MOVES_HOME).then(|| dice.between(0, i64::from(span) - 1));
        Person {
            household: self.households.len() as u32 - 1,
            born: self.start.saturating_sub(days.days()),
            moves_on: moves.map(|day| self.start.saturating_add(day.days())),
            moves_with: 0,
            custom,
            given: names::draw_given(custom, female, dice),
            family,
            former: None,
            female,
            child: false,
            perpetrator: false,
            victim: false,
        }
    }

    fn bear(&mut self, father: u32, mother: u32, count: u32, ages: (i64, i64), dice: &mut Dice) {
        self.bear_of(self.people[father as usize], self.people[mother as usize], count, ages, dice);
    }

    /// Children of these two, in the household that is being settled; some are twins.
    fn bear_of(&mut self, father: Person, mother: Person, count: u32, ages: (i64, i64), dice: &mut Dice) {
        let parent_age = i64::from(self.start.year() - father.born.year().max(mother.born.year()));
        let oldest = ages.1.min(parent_age - 16).max(ages.0);
        let family = if dice.chance(0.85) || !father.custom.families_share_a_name() {
            FamilyName::of_child(father.family, father.given, mother.family)
        } else {
            mother.family
        };
        let eldest = self.people.len();
        let mut twin = None;
        for _ in 0..count {
            let female = dice.chance(0.49);
            let mut child = self.newcomer(father.custom, female, (ages.0, oldest), family, dice);
            child.child = true;
            // No two children of one family are called the same.
            for _ in 0..4 {
                if self.people[eldest..].iter().all(|sibling| sibling.given[0] != child.given[0]) {
                    break;
                }
                child.given = names::draw_given(father.custom, female, dice);
            }
            match twin {
                Some(born) if dice.chance(rates::TWINS) => child.born = born,
                _ => {}
            }
            twin = Some(child.born);
            self.people.push(child);
        }
    }

    fn live_alone(&mut self, dice: &mut Dice) {
        let custom = Custom::draw(dice);
        let age = 18 + (f64::from(55) * dice.unit() * (0.3 + 0.7 * dice.unit())) as i64;
        let female = dice.chance(0.5);
        let person = self.adult(custom, female, age, dice);
        self.alone.push(self.count());
        self.people.push(person);
        self.close();
    }

    /// Ends the household before its last member, who gets one alone.
    fn part(&mut self, last: u32) {
        let his = self.people.remove(last as usize);
        self.close();
        self.people.push(his);
        self.people[last as usize].household = self.households.len() as u32 - 1;
        self.close();
    }

    /// Ends the household: whoever comes next lives elsewhere.
    fn close(&mut self) {
        let first = self.households[self.households.len() - 1];
        let moves_on = self.people[first as usize].moves_on;
        for member in &mut self.people[first as usize..] {
            (member.moves_on, member.moves_with) = (moves_on, first);
        }
        self.households.push(self.count());
    }

    fn relate_couple(&mut self, first: u32, second: u32, kind: Relationship, household: u32, dice: &mut Dice) {
        let first_is_perpetrator = dice.chance(self.rates.man_is_perpetrator);
        let (perpetrator, victim) = if first_is_perpetrator { (first, second) } else { (second, first) };
        self.relate(perpetrator, victim, kind, household, dice);
    }

    fn relate(&mut self, perpetrator: u32, victim: u32, kind: Relationship, household: u32, dice: &mut Dice) {
        // A family with children at home is one of those whom children's services know for themselves.
        let is_family =
            self.members(household).any(|member| self.person(member).child) && kind != Relationship::ParentChild;
        if dice.chance(if is_family { self.rates.abusive_families } else { rates::ABUSIVE }) {
            self.people[perpetrator as usize].perpetrator = true;
            self.people[victim as usize].victim = true;
            self.relations.push(Relation { perpetrator, victim, household, kind });
        }
    }

    /// Households of canaries: two adults, then a child, so that they come up in every role.
    fn settle_canaries(&mut self, room: u32) {
        let household = self.households.len() as u32 - 1;
        let mut dice = Dice::new(self.seed, Stream::Household, u64::from(household), 0);
        let (first, second) = (self.count(), self.count() + 1);
        for place in 0..room.min(3) {
            let mut person = self.adult(Custom::English, place == 1, 30, &mut dice);
            person.child = place == 2;
            person.born = canary::born(self.seed, self.count(), person.child, self.start);
            self.people.push(person);
        }
        self.close();
        if room >= 2 {
            self.people[first as usize].perpetrator = true;
            self.people[second as usize].victim = true;
            self.relations.push(Relation {
                perpetrator: first,
                victim: second,
                household,
                kind: Relationship::Partner,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Population {
        Population::new(&City { canaries: 7, ..City::new(5, 8_000, 12) })
    }

    #[test]
    fn everybody_lives_in_the_household_that_lists_them() {
        let city = settled();
        assert_eq!(city.count(), 8_007);
        for household in 0..city.households.len() as u32 - 1 {
            assert!(!city.members(household).is_empty());
            for member in city.members(household) {
                assert_eq!(city.person(member).household, household);
                assert!(city.person(member).born <= city.start);
            }
        }
    }

    #[test]
    fn families_are_as_families_are() {
        let city = settled();
        let (mut twins, mut namesakes, mut shared) = (0, 0, 0);
        for household in 0..city.households.len() as u32 - 1 {
            let members: Vec<u32> = city.members(household).filter(|member| *member < city.first_canary).collect();
            for (place, one) in members.iter().enumerate() {
                for other in &members[place + 1..] {
                    let ((this, _), (that, _)) = (city.name(*one), city.name(*other));
                    let (age, other_age) = (city.age(*one, city.end), city.age(*other, city.end));
                    twins += u32::from(city.person(*one).born == city.person(*other).born);
                    namesakes += u32::from(this.given.first() == that.given.first() && (age - other_age).abs() > 15);
                    shared += u32::from(this.family == that.family);
                }
            }
        }
        assert!(twins > 5 && namesakes > 5 && shared > 1_000, "{twins} {namesakes} {shared}");
    }

    #[test]
    fn the_two_of_a_relation_differ_and_are_marked() {
        let city = settled();
        assert!(city.relations.len() > 2_000);
        for relation in &city.relations {
            assert_ne!(relation.perpetrator, relation.victim);
            assert!(city.person(relation.perpetrator).perpetrator && city.person(relation.victim).victim);
        }
    }
}
