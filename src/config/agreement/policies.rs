//! The policies (Cedar): who may have which field of which view. Validated strictly against the shipped schema before
//! anything is asked; `forbid` wins over `permit`, and what nothing permits is refused.
//!
//! Decisions are remembered by recipient and shape of what is told, of which few occur: the policies' cost does not grow with events.
//! Each recipient is judged by those policies alone whose scope can mean it: the others say nothing about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, EntityId, EntityTypeName, EntityUid, Policy,
    PolicyId, PolicySet, PrincipalConstraint, Request, RestrictedExpression, Schema, SchemaFragment, ValidationMode,
    Validator,
};
use rustc_hash::FxHashMap;

use super::super::reader::Problems;
use super::view::{CHANNELS, Channel, Field, Grant, Kinds, NAMED_BY, NamedBy, ROLES, View, word};
use crate::model::event::Role;
use crate::model::finding::FindingKind;
use crate::model::ids::PartyId;

/// Shapes of what is told whose decisions are remembered: a list entry may rest on any set of kinds of findings, of which a
/// city shows few.
const SHAPES: usize = 1 << 14;

/// What policies may speak of; the recipients are added from the agreement.
const SCHEMA: &str = include_str!("../../../schemas/agreement.cedarschema");

/// The policies of an agreement, checked.
pub struct Policies {
    set: PolicySet,
    /// As written, by id.
    texts: BTreeMap<String, String>,
    /// Of each recipient the policies that can mean it, channel by channel.
    recipients: BTreeMap<PartyId, Vec<Slice>>,
    /// What recipients may have, as far as it was asked before.
    decided: RwLock<FxHashMap<(Channel, Role, Kinds), Arc<Decided>>>,
}

/// The policies that can mean a recipient on a channel.
struct Slice {
    channel: Channel,
    set: PolicySet,
    /// The findings that they name. Policies compare sets of findings and look for members; they cannot count them. So
    /// findings that none of them names are all one to them.
    names: Kinds,
    /// What they were asked before.
    asked: RwLock<FxHashMap<(Role, Kinds), Arc<Ways>>>,
}

impl Slice {
    fn of(set: &PolicySet, recipient: &PartyId, channel: Channel) -> Self {
        let set = slice(set, recipient, channel);
        let literals: BTreeSet<EntityUid> = set.policies().flat_map(Policy::entity_literals).collect();
        let is_named = |kind: &FindingKind| literals.contains(&uid("Finding", kind.as_str()));
        let names = FindingKind::ALL.iter().copied().filter(is_named).collect();
        Self { channel, set, names, asked: RwLock::default() }
    }
}

/// The ways of naming somebody under which anything is told, in the order in which they are tried, and what is.
pub type Ways = [(NamedBy, Arc<Grant>)];

/// What each recipient may have, by its place among them.
pub type Decided = [Arc<Ways>];

/// Why one field of one view is let through or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Is it let through?
    pub allowed: bool,
    /// The policies that decided: permits, or the forbids that beat them. None: nothing permits it.
    pub by: Vec<String>,
}

impl Policies {
    /// Reads and checks policy files for the recipients of an agreement. Every mistake is noted.
    pub(super) fn check(
        files: &[(String, String)],
        recipients: &BTreeSet<PartyId>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if files.is_empty() {
            problems.add("policies", "there is none", "put the agreement's .cedar files into the folder policies");
        }
        let (mut set, mut texts, mut homes) = (PolicySet::new(), BTreeMap::new(), BTreeMap::new());
        for (file, text) in files {
            read(file, text, &mut set, &mut texts, &mut homes, problems);
        }
        if let Some(schema) = schema(recipients) {
            let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
            let place = |id: &PolicyId| {
                let id: &str = id.as_ref();
                let file = homes.get(id).map_or("policies", String::as_str);
                format!("{file}: policy {id}")
            };
            let fix = "see schemas/agreement.cedarschema for what a policy may speak of";
            for error in result.validation_errors() {
                problems.add(place(error.policy_id()), plain(error, error.policy_id()), fix);
            }
            for warning in result.validation_warnings() {
                let fix = "a policy that can never apply is a mistake: correct it or take it out";
                problems.add(place(warning.policy_id()), plain(warning, warning.policy_id()), fix);
            }
        }
        let slices = |party| CHANNELS.iter().map(|(_, channel)| Slice::of(&set, party, *channel)).collect();
        let recipients = recipients.iter().map(|party| (party.clone(), slices(party))).collect();
        problems.is_empty().then_some(Self { set, texts, recipients, decided: RwLock::default() })
    }

    /// The place of a recipient among them, by which to find what it may have; `None` for who is none.
    #[must_use]
    pub fn place_of(&self, recipient: &PartyId) -> Option<usize> {
        self.recipients.keys().position(|party| party == recipient)
    }

    /// What each recipient may have of somebody in a role with these findings, way of naming by way of naming. Asked once of
    /// the policies, and remembered.
    #[must_use]
    pub fn decided(&self, channel: Channel, about: Role, findings: Kinds) -> Arc<Decided> {
        let shape = (channel, about, findings);
        if let Some(known) = self.decided.read().unwrap_or_else(PoisonError::into_inner).get(&shape) {
            return Arc::clone(known);
        }
        let ways = |(recipient, slices): (&PartyId, &Vec<Slice>)| {
            let slice = slices.iter().find(|slice| slice.channel == channel);
            slice.map_or_else(Arc::default, |slice| self.ways(recipient, slice, about, findings))
        };
        let decided: Arc<Decided> = self.recipients.iter().map(ways).collect();
        remember(&self.decided, shape, &decided);
        decided
    }

    fn ways(&self, recipient: &PartyId, slice: &Slice, about: Role, findings: Kinds) -> Arc<Ways> {
        let (channel, findings) = (slice.channel, findings.seen_knowing(slice.names));
        let shape = (about, findings);
        if let Some(known) = slice.asked.read().unwrap_or_else(PoisonError::into_inner).get(&shape) {
            return Arc::clone(known);
        }
        let decide = |(_, named_by): &(_, NamedBy)| {
            let grant = self.decide(recipient, View { channel, about, named_by: *named_by, findings });
            grant.tells().then(|| (*named_by, Arc::new(grant)))
        };
        // What nothing permits is refused, whatever is told: most recipients have a policy for few kinds of view.
        let permits = |policy: &Policy| policy.effect() == Effect::Permit;
        let ways: Arc<Ways> = match slice.set.policies().any(permits) {
            true => NAMED_BY.iter().filter_map(decide).collect(),
            false => Arc::default(),
        };
        remember(&slice.asked, shape, &ways);
        ways
    }

    /// What one recipient may have in one view.
    #[must_use]
    pub fn grant(&self, recipient: &PartyId, view: View) -> Arc<Grant> {
        let Some(place) = self.place_of(recipient) else { return Arc::default() };
        let decided = self.decided(view.channel, view.about, view.findings);
        let way = decided[place].iter().find(|(named_by, _)| *named_by == view.named_by);
        way.map(|(_, grant)| Arc::clone(grant)).unwrap_or_default()
    }

    fn decide(&self, recipient: &PartyId, view: View) -> Grant {
        let mut grant = Grant::default();
        let context = context(view);
        let ask = |field| self.verdict(recipient, view.channel, context.clone(), field);
        let fact = ask(Field::Fact);
        // Without the fact nothing is told, whatever else is let through: the other questions are spared.
        if fact.allowed {
            grant.clause = fact.by.join(" ").into();
            let fields = Field::NAMES.iter().map(|(_, field)| *field);
            grant.fields.extend(fields.filter(|field| ask(*field).allowed));
        }
        grant
    }

    /// What somebody who stands in for a recipient may have of its view: what the recipient may, but for what is forbidden
    /// to the one who stands in.
    #[must_use]
    pub fn grant_in_stead(&self, recipient: &PartyId, stand_in: &PartyId, view: View) -> Arc<Grant> {
        let mut grant = self.grant(recipient, view).as_ref().clone();
        grant.fields.retain(|field| {
            let verdict = self.ask(stand_in, view, *field);
            verdict.allowed || verdict.by.is_empty()
        });
        Arc::new(grant)
    }

    /// Asks the policies about one field, and by which of them it is so.
    #[must_use]
    pub fn ask(&self, recipient: &PartyId, view: View, field: Field) -> Verdict {
        self.verdict(recipient, view.channel, context(view), field)
    }

    fn verdict(&self, recipient: &PartyId, channel: Channel, context: Context, field: Field) -> Verdict {
        let (principal, action) = (uid("Recipient", recipient.as_str()), uid("Action", word(CHANNELS, channel)));
        let request = Request::new(principal, action, uid("Field", word(Field::NAMES, field)), context, None);
        let request = request.expect("without a schema there is nothing to refuse: the types here are the schema's");
        let response = Authorizer::new().is_authorized(&request, self.slice(recipient, channel), &Entities::empty());
        let mut by: Vec<String> =
            response.diagnostics().reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        by.sort();
        // A policy that fails is skipped by Cedar, and a forbid that is skipped opens what it closes. Strictly validated
        // policies of this schema cannot fail; if one does all the same, nothing passes.
        let sound = response.diagnostics().errors().next().is_none();
        Verdict { allowed: sound && response.decision() == Decision::Allow, by }
    }

    /// The policies that can mean a recipient on a channel.
    fn slice(&self, recipient: &PartyId, channel: Channel) -> &PolicySet {
        let slices = self.recipients.get(recipient).map_or(&[][..], Vec::as_slice);
        slices.iter().find(|slice| slice.channel == channel).map_or(&self.set, |slice| &slice.set)
    }

    /// The policies by id, in Cedar's own form.
    #[must_use]
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// The ids of the policies that forbid.
    #[must_use]
    pub fn forbids(&self) -> BTreeSet<&str> {
        let forbids = self.set.policies().filter(|policy| policy.effect() == Effect::Forbid);
        forbids.map(|policy| AsRef::<str>::as_ref(policy.id())).collect()
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Policies({} policies)", self.texts.len())
    }
}

/// Remembers what was decided of a shape; where as many are remembered as may be, the policies are asked about all again.
fn remember<S: Eq + Hash, D: ?Sized>(known: &RwLock<FxHashMap<S, Arc<D>>>, shape: S, decided: &Arc<D>) {
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= SHAPES {
        known.clear();
    }
    known.insert(shape, Arc::clone(decided));
}

/// Adds the policies of one file to the set, each under the id that it is annotated with.
fn read(
    file: &str,
    text: &str,
    set: &mut PolicySet,
    texts: &mut BTreeMap<String, String>,
    homes: &mut BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let parsed = match PolicySet::from_str(text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            for error in errors.iter() {
                let start = miette::Diagnostic::labels(error).and_then(|mut labels| labels.next());
                let line = start.map_or(1, |label| line_of(text, label.offset()));
                problems.add(format!("{file}:{line}"), error.to_string(), "see docs.cedarpolicy.com for the form");
            }
            return;
        }
    };
    if parsed.templates().next().is_some() {
        problems.add(file, "it holds a template", "name the recipient in each policy");
    }
    let mut policies: Vec<_> = parsed.policies().collect();
    policies.sort_by_key(|policy| AsRef::<str>::as_ref(policy.id()).to_owned());
    for policy in policies {
        let number = AsRef::<str>::as_ref(policy.id()).trim_start_matches("policy").parse::<usize>().unwrap_or(0) + 1;
        let id = policy.annotation("id").filter(|id| is_clause_id(id));
        let Some(id) = id else {
            let fix = "write @id(\"...\") before it, of 1-32 letters, digits and -";
            problems.add(format!("{file}: policy {number}"), "it has no id, or one of the wrong form", fix);
            continue;
        };
        if texts.contains_key(id) {
            problems.add(format!("{file}: policy {id}"), "its id was used before", "give each policy an id of its own");
            continue;
        }
        texts.insert(id.to_owned(), policy.to_string());
        homes.insert(id.to_owned(), file.to_owned());
        set.add(policy.new_id(PolicyId::new(id))).expect("the id is new");
    }
}

fn schema(recipients: &BTreeSet<PartyId>) -> Option<Schema> {
    if recipients.is_empty() {
        return None;
    }
    let names: Vec<_> = recipients.iter().map(|party| format!("{:?}", party.as_str())).collect();
    let recipients = format!("entity Recipient enum [{}];", names.join(", "));
    let fragment = |text: &str| SchemaFragment::from_cedarschema_str(text).expect("ours, and tested").0;
    Some(Schema::from_schema_fragments([fragment(SCHEMA), fragment(&recipients)]).expect("ours, and tested"))
}

/// A view as the policies are asked about it.
fn context(view: View) -> Context {
    let expression = |kind, name: &str| RestrictedExpression::new_entity_uid(uid(kind, name));
    let findings = view.findings.iter().map(|kind| expression("Finding", kind.as_str()));
    let context = Context::from_pairs([
        ("about".to_owned(), expression("Role", word(ROLES, view.about))),
        ("named_by".to_owned(), expression("NamedBy", word(NAMED_BY, view.named_by))),
        ("findings".to_owned(), RestrictedExpression::new_set(findings)),
    ]);
    context.expect("three names, each once")
}

/// The policies that can apply to a recipient and a channel: all but those whose scope names another.
fn slice(set: &PolicySet, recipient: &PartyId, channel: Channel) -> PolicySet {
    let (principal, action) = (uid("Recipient", recipient.as_str()), uid("Action", word(CHANNELS, channel)));
    let names_other = |policy: &&Policy| {
        let principal_is_other =
            matches!(policy.principal_constraint(), PrincipalConstraint::Eq(other) if other != principal);
        principal_is_other || matches!(policy.action_constraint(), ActionConstraint::Eq(other) if other != action)
    };
    let can_apply = set.policies().filter(|policy| !names_other(policy)).cloned();
    PolicySet::from_policies(can_apply).expect("ids are unique in the whole set")
}

fn uid(kind: &'static str, name: &str) -> EntityUid {
    /// Read once: Cedar parses a name with its whole grammar.
    static KINDS: LazyLock<BTreeMap<&str, EntityTypeName>> = LazyLock::new(|| {
        let read = |kind| (kind, EntityTypeName::from_str(kind).expect("a type of the schema"));
        ["Recipient", "Action", "Field", "Finding", "Role", "NamedBy"].map(read).into()
    });
    EntityUid::from_type_name_and_id(KINDS[kind].clone(), EntityId::new(name))
}

/// A finding of the validator without the place, which our report names already, and with its advice.
fn plain(error: &(impl fmt::Display + miette::Diagnostic), id: &PolicyId) -> String {
    let told = error.to_string();
    let told = told.trim_start_matches(&format!("for policy `{id}`, ")).to_owned();
    match error.help() {
        Some(help) => format!("{told} ({help})"),
        None => told,
    }
}

fn is_clause_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that an enumeration of the schema lists.
    fn listed(entity: &str) -> Vec<&'static str> {
        let from = SCHEMA.split(&format!("entity {entity} enum [")).nth(1).expect("it is declared");
        let names = from.split(']').next().expect("it ends").split(',');
        names.map(|name| name.trim().trim_matches('"')).collect()
    }

    #[test]
    fn the_schema_lists_what_there_is() {
        let names = |words: Vec<&'static str>| words;
        assert_eq!(listed("Field"), names(Field::NAMES.iter().map(|(name, _)| *name).collect()));
        assert_eq!(listed("Finding"), names(FindingKind::ALL.iter().map(|kind| kind.as_str()).collect()));
        assert_eq!(listed("Role"), names(ROLES.iter().map(|(name, _)| *name).collect()));
        assert_eq!(listed("NamedBy"), names(NAMED_BY.iter().map(|(name, _)| *name).collect()));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_decided_again() {
        const DECISIVE: usize = 3;
        let policy = format!(
            r#"@id("P-1") permit (principal, action, resource) when {{ context.findings.contains(Finding::"{}") }};"#,
            FindingKind::ALL[DECISIVE].as_str()
        );
        let party: PartyId = "up2u".parse().expect("a name");
        let mut problems = Problems::of(std::path::Path::new("policies"));
        let files = [("all.cedar".to_owned(), policy)];
        let policies = Policies::check(&files, &BTreeSet::from([party]), &mut problems).expect("in order");
        let (mut held, mut forgot) = (0, false);
        for set in 0..SHAPES + 100 {
            let findings = (0..FindingKind::ALL.len()).filter(|at| set & 1 << at != 0).map(|at| FindingKind::ALL[at]);
            let decided = policies.decided(Channel::List, Role::Victim, findings.collect());
            assert_eq!(decided[0].is_empty(), set & 1 << DECISIVE == 0, "{set:b}");
            let now = policies.decided.read().expect("whole").len();
            (held, forgot) = (held.max(now), forgot || now == 1 && set > 0);
        }
        assert!(held == SHAPES && forgot, "{held} were held at the most");
    }

    #[test]
    fn what_is_remembered_is_what_the_policies_say() {
        let policies = r#"
            @id("P-1") permit (principal, action, resource)
            when { context.findings.containsAny([Finding::"order_made", Finding::"new_report"]) };
            @id("P-2") permit (principal, action == Action::"list", resource == Field::"fact")
            when { [Finding::"unrouted", Finding::"new_report"].containsAll(context.findings) };
            @id("F-1") forbid (principal, action, resource == Field::"risk")
            when { context.findings == [Finding::"new_report"] };
            @id("F-2") forbid (principal, action, resource == Field::"date")
            unless { context.findings.contains(Finding::"order_made") };
        "#;
        let party: PartyId = "up2u".parse().expect("a name");
        let mut problems = Problems::of(std::path::Path::new("policies"));
        let files = [("all.cedar".to_owned(), policies.to_owned())];
        let policies = Policies::check(&files, &BTreeSet::from([party.clone()]), &mut problems).expect("in order");
        let slice = &policies.recipients[&party][0];
        assert_eq!(slice.names.iter().count(), 2, "the alerts' policies name two");
        // Kinds that are named and kinds that are not, in all their sets.
        let kinds = ["new_report", "order_made", "unrouted", "both_roles", "mash_contacts"];
        let kinds = kinds.map(|name| *FindingKind::ALL.iter().find(|kind| kind.as_str() == name).expect("a kind"));
        for (set, (_, channel), (_, named_by)) in (0_u32..32)
            .flat_map(|set| CHANNELS.iter().flat_map(move |channel| NAMED_BY.iter().map(move |by| (set, channel, by))))
        {
            let findings = (0..5).filter(|at| set & 1 << at != 0).map(|at| kinds[at]).collect();
            let view = View { channel: *channel, about: Role::Victim, named_by: *named_by, findings };
            let grant = policies.grant(&party, view);
            let fact = policies.ask(&party, view, Field::Fact).allowed;
            for (_, field) in Field::NAMES {
                let allowed = fact && policies.ask(&party, view, *field).allowed;
                assert_eq!(grant.has(*field), allowed, "{view:?}: {field:?}");
            }
        }
    }
}
