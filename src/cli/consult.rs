//! Whoever looks something up says who they are and why. It goes to the reviewers' feed before anything is shown, and the
//! daemon puts it into the audit.

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::review::{publish, reviewers};

/// Who looks, and why.
#[derive(Debug, Clone, Args)]
pub(super) struct WhoArgs {
    /// Who looks: up to three initials and a number, e.g. JS2; never a name [default: the variable PRIORITYD_BY]
    #[arg(long, value_name = "INITIALS")]
    by: Option<String>,
    /// Why [default: what the command is for]
    #[arg(long, value_enum, value_name = "CODE")]
    why: Option<Why>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(super) enum Why {
    /// To decide what the machine cannot
    Review,
    /// The person asked what is held
    SubjectAccess,
    /// To erase or correct
    Erasure,
    /// A recipient asked about something that it was told
    RecipientQuery,
    /// To check that all is well: quality, an incident, an inspection
    Oversight,
    /// A homicide or safeguarding review
    CaseReview,
}

impl WhoArgs {
    /// The initials.
    pub(super) fn by(&self) -> Result<String, Failure> {
        let by = self.by.clone().or_else(|| std::env::var("PRIORITYD_BY").ok());
        by.ok_or_else(|| {
            let line = "--by: nobody is named; say who looks, by initials and a number, or set PRIORITYD_BY: the audit keeps it";
            Failure::new(Kind::Denied, line)
        })
    }

    /// Publishes who looks at what and why, and only then hands out the means to look.
    pub(super) fn consult(
        &self,
        config: &ConfigArgs,
        action: &str,
        subject: Option<&str>,
        usually: Why,
    ) -> Result<Deployment, Failure> {
        let by = self.by()?;
        let deployment = Deployment::load(&config.config)?;
        self.note(&deployment, action, subject, &by, usually)?;
        Ok(deployment)
    }

    /// As `consult`, for a deployment at hand.
    pub(super) fn note(
        &self,
        deployment: &Deployment,
        action: &str,
        subject: Option<&str>,
        by: &str,
        usually: Why,
    ) -> Result<(), Failure> {
        note(deployment, action, subject, by, self.why.unwrap_or(usually))
    }
}

/// Publishes who looks at what and why, for the audit.
pub(super) fn note(
    deployment: &Deployment,
    action: &str,
    subject: Option<&str>,
    by: &str,
    why: Why,
) -> Result<(), Failure> {
    let mut own = json!({"action": action, "reason": why, "decided_by": by});
    if let Some(subject) = subject {
        own["subject"] = json!(subject);
    }
    let feed = reviewers(&deployment.agreement, None)?;
    let scope = deployment.agreement.scopes.first();
    let scope =
        scope.ok_or_else(|| Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`"))?;
    publish(deployment, deployment.publisher()?.as_mut(), feed, scope, "consultation", own)?;
    Ok(())
}
