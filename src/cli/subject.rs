//! Finds one person in the register: by id, by an agency's own reference, or by identity, hashed here with the key ring and
//! sent nowhere.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::deployment::Deployment;
use super::failure::{Failure, Kind};
use super::input::whole;
use crate::log::Client;
use crate::model::ids::{ClusterId, PartyId, ScopeId};
use crate::pipeline::{AUDIT_TOPIC, Engine, Person, Setup};

/// Bytes of a reference or an identity, with room to spare.
const LARGEST_INPUT: usize = 64 << 10;

/// Who is meant.
#[derive(Debug, Clone, Args)]
#[group(id = "subject", required = false, multiple = false)]
pub(super) struct SubjectArgs {
    /// The linked person of this id
    #[arg(long, value_name = "ID")]
    person: Option<ClusterId>,
    /// Whomever this agency calls by the reference in --input
    #[arg(long, value_name = "PARTY")]
    reference_of: Option<PartyId>,
    /// Whomever the identity in --input fits: a JSON object as events have it, e.g. {"family_name": …, "date_of_birth": …}
    #[arg(long)]
    identity: bool,
}

/// Where what is not for a command line comes from.
#[derive(Debug, Clone, Args)]
pub(super) struct InputArgs {
    /// File with the reference or identity; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// The partnership [default: the agreement's first]
    #[arg(long)]
    scope: Option<ScopeId>,
}

/// The register at hand, and whom was asked about.
pub(super) struct Found {
    pub scope: ScopeId,
    pub engine: Engine,
    pub people: Vec<Person>,
    /// People whom somebody would have to look at before they are taken for the same.
    pub perhaps: Vec<ClusterId>,
}

impl SubjectArgs {
    /// Was anybody asked about?
    pub(super) fn is_given(&self) -> bool {
        self.person.is_some() || self.reference_of.is_some() || self.identity
    }

    /// Looks them up in the register as it stands.
    pub(super) fn find(&self, deployment: &Deployment, input: &InputArgs) -> Result<Found, Failure> {
        let scope = input.scope.clone().or_else(|| deployment.agreement.scopes.first().cloned());
        let scope = scope
            .ok_or_else(|| Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`"))?;
        let setup = Arc::new(deployment.setup());
        let mut client = deployment.publisher()?;
        let mut engine = restore(&setup, client.as_mut(), &scope)?;
        let (ids, perhaps) = if let Some(person) = self.person {
            (vec![person], Vec::new())
        } else if let Some(agency) = &self.reference_of {
            let reference = whole(&input.input, LARGEST_INPUT)?;
            let reference = std::str::from_utf8(&reference).map_err(|_| bad("the reference is not UTF-8"))?;
            (engine.persons_by_reference(&scope, agency, reference.trim()).into_iter().collect(), Vec::new())
        } else {
            let identity: Value = serde_json::from_slice(&whole(&input.input, LARGEST_INPUT)?)
                .map_err(|_| bad("the identity is not one JSON object"))?;
            let rule = "the identity has not the form that events have; schemas/events/common.v1.json says which";
            let hashed = setup.pseudonymise(&scope, &identity).ok_or_else(|| bad(rule))?;
            let like = engine.persons_like(&scope, hashed);
            (like.same.into_iter().collect(), like.perhaps.into_iter().collect())
        };
        let people: Vec<_> = ids.into_iter().filter_map(|id| engine.person(&scope, id)).collect();
        Ok(Found { scope, engine, people, perhaps })
    }
}

impl Found {
    /// The one person, or why there is not one.
    pub(super) fn one(&self) -> Result<&Person, Failure> {
        let ids = |ids: &mut dyn Iterator<Item = ClusterId>| ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
        match self.people.as_slice() {
            [one] => Ok(one),
            [] if self.perhaps.is_empty() => Err(Failure::new(
                Kind::CheckFailed,
                "the register: nobody in it fits; nothing is held, unless under another spelling or reference",
            )),
            [] => {
                let perhaps = ids(&mut self.perhaps.iter().copied());
                let line = format!(
                    "nobody in the register fits for certain; look at these and name one with --person: {perhaps}"
                );
                Err(Failure::new(Kind::CheckFailed, line))
            }
            several => {
                let several = ids(&mut several.iter().map(|person| person.person));
                Err(Failure::new(Kind::CheckFailed, format!("several fit; name one with --person: {several}")))
            }
        }
    }
}

/// The register of the partition that has the scope, as last committed.
pub(super) fn restore(setup: &Arc<Setup>, client: &mut dyn Client, scope: &ScopeId) -> Result<Engine, Failure> {
    let partitions = i32::try_from(client.partitions(AUDIT_TOPIC)?.max(1)).unwrap_or(i32::MAX);
    for partition in 0..partitions {
        let (mut engine, mut bad) = (Engine::new(Arc::clone(setup), partition), None);
        client.register(partition, &mut |key, value| bad = bad.or(engine.restore_row(key, value).err()))?;
        if let Some(bad) = bad {
            return Err(Failure::new(Kind::BadData, bad.to_string()));
        }
        if engine.has(scope) {
            engine.finish_restore().map_err(|bad| Failure::new(Kind::BadData, bad.to_string()))?;
            return Ok(engine);
        }
    }
    Err(Failure::new(Kind::CheckFailed, format!("the register: there is none of {scope} yet; nothing is held")))
}

fn bad(line: &str) -> Failure {
    Failure::new(Kind::BadData, format!("--input: {line}"))
}
