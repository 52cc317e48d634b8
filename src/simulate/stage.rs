//! The stage: the settled people, from which lines, linkage rows and truth are made, lazily and in order.

use jiff::civil::Date;

use super::calibration;
use super::canary::{Canary, CanaryKind};
use super::errors::Registry;
use super::party::Party;
use super::people::Population;
use super::plan::{Plan, Sending};
use super::rows::{Row, Rows};
use super::told::{self, TrueEvent};
use super::truth::{EventTruth, Nature, Pair, Truth};
use super::{City, process, support, wire};
use crate::model::ids::{PartyId, ScopeId};

/// A city with its people in it.
pub struct Stage {
    population: Population,
    scope: ScopeId,
    bad_share: f64,
}

/// One line of one feed.
#[derive(Debug, Clone)]
pub struct Line {
    /// Who sends it.
    pub party: PartyId,
    /// One CloudEvent.
    pub json: String,
    /// Who is in it.
    pub truth: EventTruth,
}

impl Stage {
    pub(super) fn new(city: &City) -> Self {
        Self { population: Population::new(city), scope: city.scope.clone(), bad_share: city.bad_share }
    }

    fn plan(&self) -> Plan<'_> {
        let mut plan = Plan::new(Registry::new(&self.population));
        for (index, relation) in self.population.relations.iter().enumerate() {
            process::live(&mut plan, index, *relation);
        }
        support::live_beside(&mut plan);
        plan.finish(self.bad_share);
        plan
    }

    /// Every event in force at the end of the play, by time, with the true person behind each party.
    #[must_use]
    pub fn true_events(&self) -> Vec<TrueEvent> {
        told::true_events(&self.plan(), &Party::ALL.map(Party::id))
    }

    /// What a register cannot tell of the people in incidents and crimes of a period: a row of the published figures'
    /// table `parties`, so many, of so many.
    #[must_use]
    pub fn parties(&self, events: &[TrueEvent], period: (Date, Date)) -> Vec<(&'static str, u64, u64)> {
        calibration::parties(&self.population, events, period)
    }

    /// Plays: every line in the order of sending. Takes some 200 bytes of memory an event beside the line in hand.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let mut plan = self.plan();
        let ids = Party::ALL.map(Party::id);
        let sendings = std::mem::take(&mut plan.sendings);
        let ends = plan.ends;
        sendings
            .into_iter()
            .filter(move |sending| sending.at < ends)
            .map(move |sending| self.line(&plan, &ids, sending))
    }

    /// Linkage rows: every agency's record of every person it knows.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        Rows::new(Registry::new(&self.population))
    }

    /// The truth of people; that of events comes with the lines.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let pair =
            |relation: &super::people::Relation| Pair { perpetrator: relation.perpetrator, victim: relation.victim };
        Truth {
            events: Vec::new(),
            households: self.population.people.iter().map(|person| person.household).collect(),
            pairs: self.population.relations.iter().map(pair).collect(),
        }
    }

    /// Everything by which a canary could be recognised.
    #[must_use]
    pub fn canaries(&self) -> Vec<Canary> {
        let registry = Registry::new(&self.population);
        let mut canaries: Vec<Canary> = (self.population.first_canary..self.population.count())
            .flat_map(|person| texts(registry, person))
            .collect();
        canaries.sort_unstable();
        canaries.dedup();
        canaries
    }

    fn line(&self, plan: &Plan<'_>, ids: &[PartyId; 9], sending: Sending) -> Line {
        let event = &plan.events[sending.event as usize];
        let party = ids[event.party as usize].clone();
        let seed = self.population.seed;
        let (id, json, persons) = match sending.nature {
            Nature::Good | Nature::Duplicate => (
                wire::event_id(seed, sending.event, 0),
                wire::write(plan, &self.scope, sending.event),
                event.parts.iter().map(|part| part.person).collect(),
            ),
            Nature::Bad(kind) => {
                let (id, json) = wire::write_bad(plan, &self.scope, sending.event, kind);
                (id, json, Vec::new())
            }
        };
        Line { party: party.clone(), json, truth: EventTruth { party, id, nature: sending.nature, persons } }
    }
}

fn texts(registry: Registry<'_>, person: u32) -> Vec<Canary> {
    let identity = registry.identity(Party::Police, person, 0, registry.population.end, None);
    let canary = |kind, text: String| Canary { person, kind, text };
    let mut texts = Vec::new();
    for name in [identity.name].into_iter().chain(identity.former_names).chain(identity.aliases) {
        texts.extend(name.given_names.into_iter().chain(name.family_name).map(|word| canary(CanaryKind::Name, word)));
    }
    texts.extend(identity.date_of_birth.map(|born| canary(CanaryKind::BirthDate, born.to_string())));
    texts.extend(identity.address.map(|line| canary(CanaryKind::Address, line)));
    texts.extend(identity.postcode.map(|postcode| canary(CanaryKind::Postcode, postcode)));
    let numbers =
        [identity.uprn, identity.pnc_id, identity.cro_number, identity.nhs_number, identity.crn, identity.noms_number];
    texts.extend(numbers.into_iter().flatten().map(|number| canary(CanaryKind::Number, number)));
    // A service counts cases from one; sixteen is more than anybody has.
    let nominals = |party: Party| if party.is_service() { 0..16 } else { 0..1 };
    for party in Party::ALL {
        let references = nominals(party).map(|nominal| registry.local_ref(party, person, nominal));
        texts.extend(references.map(|reference| canary(CanaryKind::LocalReference, reference)));
    }
    texts
}
