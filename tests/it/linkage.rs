//! Convergence (I2) of linkage: the same set of records settles to the same clusters, reviews and rows, however it came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use priorityd::keys::linkage::LinkageKey;
use priorityd::link::{Decision, LinkageModel, Linker, Settled};
use priorityd::model::ids::{ClusterId, LocalRefId, PartyId, RecordId};
use priorityd::model::register::RowKind;
use priorityd::model::tokens::PersonTokens;
use priorityd::normalise::normalise_identity;
use priorityd::pseudonymise::Pseudonymiser;
use priorityd::simulate::{City, Nature};
use priorityd::validate::identity::{ClearIdentity, ClearText};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::support::deployed::Deployed;
use crate::support::events::events;

/// A record as linkage gets it.
#[derive(Clone)]
struct Blind {
    id: RecordId,
    agency: PartyId,
    local_ref: LocalRefId,
    tokens: PersonTokens,
}

fn pseudonymiser() -> Pseudonymiser {
    let scope = "portsmouth".parse().expect("a scope");
    Pseudonymiser::new(&LinkageKey::new(scope, 1, Zeroizing::new([7; 32])))
}

fn text(text: &str) -> Option<ClearText> {
    (!text.is_empty()).then(|| ClearText::new(text.to_owned()))
}

/// `given family|date|postcode|address|nhs`, any part empty.
fn identity(line: &str) -> ClearIdentity {
    let parts: Vec<&str> = line.split('|').chain(std::iter::repeat("")).take(5).collect();
    let (given, family) = parts[0].split_once(' ').unwrap_or((parts[0], ""));
    ClearIdentity {
        given_names: text(given).into_iter().collect(),
        family_name: text(family),
        date_of_birth: text(parts[1]),
        postcode: text(parts[2]),
        address: text(parts[3]),
        nhs_number: text(parts[4]),
        ..ClearIdentity::default()
    }
}

fn blind(agency: &str, local_ref: &str, line: &str) -> Blind {
    made_blind(agency, local_ref, identity(line))
}

/// The same with several given names; the line begins with the family name.
fn blind_of(agency: &str, local_ref: &str, given: &[&str], line: &str) -> Blind {
    let given_names = given.iter().filter_map(|name| text(name)).collect();
    made_blind(agency, local_ref, ClearIdentity { given_names, ..identity(&format!("X {line}")) })
}

fn made_blind(agency: &str, local_ref: &str, identity: ClearIdentity) -> Blind {
    let hash = pseudonymiser();
    let agency: PartyId = agency.parse().expect("a party");
    let normal = normalise_identity(identity);
    Blind {
        id: hash.record(&agency, local_ref, &normal),
        local_ref: hash.local_ref(&agency, local_ref),
        tokens: hash.tokens(&normal),
        agency,
    }
}

/// A small town where many things collide: few names, families, typing errors, shared references, hot blocking keys.
fn town() -> Vec<Blind> {
    let mut people = Vec::new();
    let given = ["Sarah", "Sara", "Mohammed", "Mohamed", "Jack", "James", "Anne"];
    let family = ["Smith", "Smyth", "Khan", "Jones"];
    let dates = ["1980-03-04", "1980-04-03", "1980-03-05", "1991-12-30"];
    for at in 0..70_usize {
        let line = format!(
            "{} {}|{}|PO{} {}AB|{} High Street|{}",
            given[at * 5 % 7],
            family[at * 3 / 2 % 4],
            dates[at * 7 / 3 % 4],
            1 + at % 2,
            1 + at / 9 % 3,
            1 + at / 5 % 4,
            ["", "", "", "943 476 5919", "987 654 3210"][at % 5],
        );
        let agency = ["police", "crc", "up2u"][at % 3];
        people.push(blind(agency, &format!("ref-{}", at % 23), &line));
    }
    let mut seen = BTreeSet::new();
    people.retain(|person| seen.insert(person.id));
    people
}

fn model(block_limit: usize, unit_limit: usize) -> Arc<LinkageModel> {
    let text = include_str!("../../src/link/model/default.toml");
    let text = text.lines().map(|line| match line.split(' ').next() {
        Some("block_limit") => format!("block_limit = {block_limit}"),
        Some("unit_limit") => format!("unit_limit = {unit_limit}"),
        _ => line.to_owned(),
    });
    Arc::new(LinkageModel::parse(&text.collect::<Vec<_>>().join("\n")).expect("a model"))
}

type Rows = BTreeMap<(RowKind, Vec<u8>), Vec<u8>>;

/// A linker beside the rows that a register would hold, and the clusters that a reader of changes would hold.
struct Observed {
    linker: Linker,
    rows: Rows,
    told: BTreeMap<ClusterId, Vec<RecordId>>,
    reviews: BTreeSet<(RecordId, RecordId)>,
    links: BTreeSet<(RecordId, RecordId)>,
}

impl Observed {
    fn new(model: &Arc<LinkageModel>) -> Self {
        let linker = Linker::new(Arc::clone(model));
        Self { linker, rows: Rows::new(), told: BTreeMap::new(), reviews: BTreeSet::new(), links: BTreeSet::new() }
    }

    fn insert(&mut self, person: &Blind) {
        self.linker.insert(person.id, person.agency.clone(), person.local_ref, &person.tokens);
    }

    fn settle(&mut self) {
        let settled = self.linker.settle();
        self.follow(settled);
    }

    fn follow(&mut self, settled: Settled) {
        let Settled { changes, reviews_raised, reviews_withdrawn, rows, .. } = settled;
        for row in rows {
            match row.value {
                Some(value) => self.rows.insert((row.kind, row.id), value),
                None => self.rows.remove(&(row.kind, row.id)),
            };
        }
        for change in changes {
            let links = self.linker.links_of(&change);
            assert!(links.len() < change.members.len().max(1), "no more links than it takes");
            self.links.extend(links.iter().map(|link| (link.a, link.b)));
            match change.members.is_empty() {
                true => self.told.remove(&change.id),
                false => self.told.insert(change.id, change.members),
            };
        }
        for pair in reviews_withdrawn {
            assert!(self.reviews.remove(&pair), "only what was raised is withdrawn");
        }
        for review in reviews_raised {
            assert!(self.reviews.insert((review.a, review.b)), "nothing is raised twice");
        }
    }

    /// Whoever followed the changes can explain every cluster by the links that came with them (I8).
    fn assert_explained(&self) {
        for members in self.clusters().values() {
            let mut reached = BTreeSet::from([members[0]]);
            loop {
                let before = reached.len();
                for (a, b) in self.links.iter().filter(|(a, b)| members.contains(a) && members.contains(b)) {
                    if reached.contains(a) || reached.contains(b) {
                        reached.extend([*a, *b]);
                    }
                }
                if reached.len() == before {
                    break;
                }
            }
            assert_eq!(reached.len(), members.len(), "links told span every cluster");
        }
    }

    fn clusters(&self) -> BTreeMap<ClusterId, Vec<RecordId>> {
        self.linker.clusters().map(|(id, members)| (id, members.to_vec())).collect()
    }

    /// Same register, same clusters, and whoever followed the changes knows the same.
    fn assert_same(&self, other: &Self) {
        assert_eq!(self.clusters(), other.clusters());
        assert_eq!(self.told, self.clusters());
        assert_eq!(self.reviews, other.reviews);
        let standing = self.linker.possible_matches().iter().map(|review| (review.a, review.b)).collect();
        assert_eq!(self.reviews, standing);
        assert!(self.rows == other.rows, "rows differ");
    }
}

/// The whole set at once.
fn batch(model: &Arc<LinkageModel>, people: &[Blind], forbidden: &[(usize, usize)], town: &[Blind]) -> Observed {
    let mut all = Observed::new(model);
    people.iter().for_each(|person| all.insert(person));
    forbidden.iter().for_each(|(a, b)| all.linker.forbid(town[*a].id, town[*b].id));
    all.settle();
    all
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize),
    Remove(usize),
    Forbid(usize, usize),
    Allow,
    Decide(usize, usize, bool),
    Undo,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let person = 0..40_usize;
    prop_oneof![
        10 => person.clone().prop_map(Step::Insert),
        4 => person.clone().prop_map(Step::Remove),
        1 => (person.clone(), person.clone()).prop_map(|(a, b)| Step::Forbid(a, b)),
        1 => Just(Step::Allow),
        1 => (person.clone(), person, any::<bool>()).prop_map(|(a, b, same)| Step::Decide(a, b, same)),
        1 => Just(Step::Undo),
        3 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn history_leaves_no_trace(steps in prop::collection::vec(step(), 1..160), hot in 3..40_usize, unit in 8..40_usize) {
        let town = town();
        let model = model(hot, unit);
        let mut walked = Observed::new(&model);
        let mut held = BTreeSet::new();
        let mut forbidden: Vec<(usize, usize)> = Vec::new();
        let mut decided: BTreeMap<(usize, usize), Decision> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(at) => {
                    walked.insert(&town[at]);
                    held.insert(at);
                }
                Step::Remove(at) => {
                    walked.linker.remove(town[at].id);
                    held.remove(&at);
                }
                Step::Forbid(a, b) if a != b => {
                    walked.linker.forbid(town[a].id, town[b].id);
                    forbidden.push((a, b));
                }
                Step::Forbid(..) => {}
                Step::Allow => if let Some((a, b)) = forbidden.pop() {
                    walked.linker.allow(town[b].id, town[a].id);
                },
                Step::Decide(a, b, same) => if a != b {
                    let decision = if same { Decision::Same } else { Decision::Different };
                    walked.linker.decide(town[a].id, town[b].id, Some(decision));
                    decided.insert((a.min(b), a.max(b)), decision);
                },
                Step::Undo => if let Some(((a, b), _)) = decided.pop_first() {
                    walked.linker.decide(town[b].id, town[a].id, None);
                },
                Step::Settle => walked.settle(),
            }
        }
        walked.settle();

        let people: Vec<Blind> = held.iter().rev().map(|at| town[*at].clone()).collect();
        let mut whole = Observed::new(&model);
        decided.iter().for_each(|((a, b), decision)| whole.linker.decide(town[*a].id, town[*b].id, Some(*decision)));
        people.iter().for_each(|person| whole.insert(person));
        forbidden.iter().for_each(|(a, b)| whole.linker.forbid(town[*a].id, town[*b].id));
        whole.settle();
        walked.assert_same(&whole);
        walked.assert_explained();
        whole.assert_explained();
        for &(a, b) in &forbidden {
            let (one, two) = (walked.linker.cluster_of(town[a].id), walked.linker.cluster_of(town[b].id));
            prop_assert!(one.is_none() || one != two, "the parties of one event are never one person");
        }

        // A restart from the rows, in either order of rows, is the same register.
        for reverse in [false, true] {
            let mut rows: Vec<_> = walked.rows.iter().collect();
            if reverse { rows.reverse(); }
            let mut again = Observed::new(&model);
            for ((kind, id), value) in rows {
                again.linker.restore(*kind, id, value).expect("its own rows");
            }
            forbidden_again(&mut again, &walked, &town);
            again.linker.settle_restored().expect("its own rows");
            prop_assert_eq!(again.clusters(), walked.clusters());
            let reviews = again.linker.possible_matches().iter().map(|review| (review.a, review.b)).collect();
            prop_assert_eq!(&walked.reviews, &reviews);
            prop_assert!(again.linker.settle().rows.is_empty(), "a restore writes nothing");

            // Taken over by another model, it is what that model would have made of the same records.
            let other = Arc::new(LinkageModel::clone(&model).with_population(200).with_link_bits(2.0));
            let mut moved = Observed::new(&other);
            for ((kind, id), value) in &walked.rows {
                moved.linker.take_over(*kind, id, value).expect("its own rows");
            }
            forbidden_again(&mut moved, &walked, &town);
            (moved.rows, moved.told, moved.reviews) = (walked.rows.clone(), walked.told.clone(), walked.reviews.clone());
            let settled = moved.linker.relink(again.linker).expect("its own rows");
            moved.follow(settled);
            let mut fresh = Observed::new(&other);
            people.iter().for_each(|person| fresh.insert(person));
            decided.iter().for_each(|((a, b), decision)| fresh.linker.decide(town[*a].id, town[*b].id, Some(*decision)));
            forbidden.iter().for_each(|(a, b)| fresh.linker.forbid(town[*a].id, town[*b].id));
            fresh.settle();
            moved.assert_same(&fresh);
        }
    }
}

/// Forbidden pairs come from the caller's events, not from rows.
fn forbidden_again(again: &mut Observed, walked: &Observed, town: &[Blind]) {
    for (at, one) in town.iter().enumerate() {
        for two in &town[at + 1..] {
            let comparison = walked.linker.compare(one.id, two.id);
            if comparison.is_some_and(|comparison| comparison.vetoes.contains(&priorityd::link::Veto::Parties)) {
                again.linker.forbid(one.id, two.id);
            }
        }
    }
}

#[test]
fn the_same_person_is_found_and_the_household_kept_apart() {
    let model = Arc::new(LinkageModel::compiled_in());
    let people = [
        blind("police", "1", "Sarah Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind("crc", "2", "Sara Whitcombe|1985-03-01|PO4 8RA|12 Festing Rd"),
        blind("police", "3", "Mark Whitcombe|1983-11-21|PO4 8RA|12 Festing Road"),
        blind("up2u", "4", "Whitcombe Sarah|1985-03-07||"),
    ];
    let all = batch(&model, &people, &[], &people);
    let cluster = |at: usize| all.linker.cluster_of(people[at].id).expect("it was settled");
    let compare = |at: usize| all.linker.compare(people[0].id, people[at].id);
    assert_eq!(cluster(0), cluster(1), "{:?}", compare(1));
    assert_eq!(cluster(0), cluster(3), "{:?}", compare(3));
    assert_ne!(cluster(0), cluster(2));
}

#[test]
fn what_can_never_be_one_person_is_not_made_one() {
    let model = Arc::new(LinkageModel::compiled_in());
    let twins = [
        blind("police", "1", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind("crc", "2", "Thomas Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
    ];
    let father_and_son = [
        blind("police", "1", "John Whitcombe|1955-01-20|PO4 8RA|12 Festing Road"),
        blind("crc", "2", "John Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
    ];
    let numbers = [
        blind("police", "1", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road|9434765919"),
        blind("crc", "2", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road|9876543210"),
        blind("up2u", "3", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
    ];
    for people in [&twins[..], &father_and_son, &numbers] {
        let all = batch(&model, people, &[], people);
        assert_ne!(all.linker.cluster_of(people[0].id), all.linker.cluster_of(people[1].id));
    }
    // Torn between father and son, who are known apart, a record without a date of birth joins neither.
    let torn = [
        blind("police", "1", "John Whitcombe|1955-01-20|PO4 8RA|12 Festing Road"),
        blind("police", "2", "John Whitcombe|1955-01-20|PO1 2AB|7 Elm Grove"),
        blind("crc", "3", "John Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind("up2u", "4", "John Whitcombe||PO4 8RA|12 Festing Road"),
    ];
    let all = batch(&model, &torn, &[], &torn);
    let clusters: BTreeSet<_> = torn.iter().map(|person| all.linker.cluster_of(person.id)).collect();
    assert_eq!(clusters.len(), 3);
    // Who is called Gerard, Declan and Gerard Declan is no pair of twins.
    let second_name = [
        blind("police", "1", "Gerard Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind("crc", "2", "Declan Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind_of("up2u", "3", &["Gerard", "Declan"], "Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
    ];
    let twins = batch(&model, &second_name[..2], &[], &second_name);
    assert_ne!(twins.linker.cluster_of(second_name[0].id), twins.linker.cluster_of(second_name[1].id));
    let one = batch(&model, &second_name, &[], &second_name);
    assert_eq!(one.linker.cluster_of(second_name[0].id), one.linker.cluster_of(second_name[1].id));
    let parties = [
        blind("police", "1", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
        blind("crc", "2", "Jack Whitcombe|1985-03-07|PO4 8RA|12 Festing Road"),
    ];
    let all = batch(&model, &parties, &[(0, 1)], &parties);
    assert_ne!(all.linker.cluster_of(parties[0].id), all.linker.cluster_of(parties[1].id));
}

/// The shipped model is what its own provenance says, whoever runs the command.
#[test]
fn the_shipped_model_is_made_by_the_command_that_it_names() {
    let shipped = include_str!("../../src/link/model/default.toml");
    let provenance = LinkageModel::compiled_in().provenance().expect("it names its provenance");
    let words: Vec<&str> = provenance.command.split(' ').skip(1).collect();
    let made = crate::support::deployed::priorityd(&words);
    assert_eq!(made.code, 0, "{}", made.err);
    let but_for_the_tool = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with("tool = ")).map(|line| format!("{line}\n")).collect()
    };
    assert_eq!(but_for_the_tool(&made.out), but_for_the_tool(shipped));
}

#[test]
fn a_model_is_trained_on_what_the_register_holds() {
    let city = City { bad_share: 0.0, ..City::new(5, 600, 4) }.play();
    let distinct = city.truth.events.iter().filter(|event| event.nature != Nature::Duplicate).count();
    let house = Deployed::new();
    house.publish_all(&city.feeds);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());

    let train = || house.run(&["train", "--version", "ours-1", "--on", "2026-11-22"]);
    let ran = train();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(train().out, ran.out, "one register, one model");
    let model = LinkageModel::parse(&ran.out).expect("a model");
    let provenance = model.provenance().expect("it says where it comes from");
    assert!(model.version() == "ours-1" && model.is_as_trained() && model.is_whole());
    assert!(provenance.records >= 100 && provenance.feeds.contains(&"police".to_owned()), "{provenance:?}");
    assert_eq!(provenance.linkage_key_epochs, ["portsmouth 1"]);
    assert_eq!(provenance.parent, LinkageModel::published().version());
    let rates = |text: &str| text.lines().filter(|line| line.contains("{ m =")).map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (rates(LinkageModel::published().text()), rates(&ran.out));
    assert_eq!(before.len(), after.len());
    let learnt = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!(learnt * 2 > before.len(), "{learnt} of {} rates", before.len());

    let empty = Deployed::new();
    empty.publish_all(&events(&["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"]));
    let mut daemon = empty.start();
    empty.wait_for(&mut daemon, 1);
    assert!(daemon.terminate().success());
    let ran = empty.run(&["train", "--version", "ours-1"]);
    assert!(ran.code == 65 && ran.err.contains("fewer than a hundred"), "{} {}", ran.code, ran.err);
}
