//! The agreement that ships: every cell of what a recipient gets and never gets, through the policies alone; every mistake
//! at once; and that nothing but a good signature counts.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use priorityd::config::agreement::{
    Agreement, CHANNELS, Channel, Effect, Field, Grant, Kinds, NAMED_BY, NamedBy, Package, ROLES, View, diff,
};
use priorityd::keys::NewKeys;
use priorityd::keys::agreement::{NotSigned, read_signer, read_signers, sign, verify};
use priorityd::model::event::Role;
use priorityd::model::finding::FindingKind;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::support::deployed::{Deployed, priorityd};
use crate::support::events::party;
use crate::support::hub::{AGREEMENT, amended};

fn shipped() -> Agreement {
    Agreement::check(&AGREEMENT).expect("the shipped agreement is in order")
}

/// The cells of every view of one recipient: the view, and the fields let through.
fn cells(agreement: &Agreement, recipient: &str) -> Vec<(View, Grant)> {
    let mut cells = Vec::new();
    for (_, channel) in CHANNELS {
        for (_, about) in ROLES {
            for (_, named_by) in NAMED_BY {
                for kind in FindingKind::ALL {
                    let findings = Kinds::from_iter([*kind]);
                    let view = View { channel: *channel, about: *about, named_by: *named_by, findings };
                    cells.push((view, agreement.policies.grant(&party(recipient), view).as_ref().clone()));
                }
            }
        }
    }
    cells
}

/// What a recipient gets: how, about whom, named how, of which findings, exactly these fields.
type Gets = (Channel, Role, NamedBy, &'static [&'static str], &'static [&'static str]);

/// Every finding but those of the disclosure scheme and of children's plans.
const ON_LISTS: &[&str] = &[
    "new_report",
    "order_made",
    "repeat_victim",
    "repeat_perpetrator",
    "serial_perpetrator",
    "same_pair_again",
    "known_to_several_agencies",
    "risk_escalated",
    "marac_repeat",
    "three_in_twelve_months",
    "order_breached",
    "report_after_programme",
    "both_roles",
    "unrouted",
    "successive_perpetrators",
];

/// The whole of what each recipient gets (domain: "Gets"). What is not here, nobody gets.
const GETS: &[(&str, &[Gets])] = &[
    (
        "idva",
        &[
            (
                Channel::Alert,
                Role::Victim,
                NamedBy::OwnReference,
                &[
                    "new_report",
                    "repeat_victim",
                    "same_pair_again",
                    "three_in_twelve_months",
                    "marac_repeat",
                    "risk_escalated",
                    "order_made",
                    "order_breached",
                    "successive_perpetrators",
                    "unrouted",
                ],
                &[
                    "fact",
                    "week",
                    "offence_family",
                    "risk",
                    "reports",
                    "new_counterparty",
                    "order",
                    "perpetrator_identity",
                    "service",
                    "standing",
                ],
            ),
            (
                Channel::List,
                Role::Victim,
                NamedBy::OwnReference,
                ON_LISTS,
                &["fact", "week", "risk", "reports", "counterparts", "findings", "order", "confidence", "drops_off"],
            ),
        ],
    ),
    (
        "stop_domestic_abuse",
        &[
            (
                Channel::Alert,
                Role::Victim,
                NamedBy::OwnReference,
                &[
                    "new_report",
                    "repeat_victim",
                    "same_pair_again",
                    "three_in_twelve_months",
                    "marac_repeat",
                    "risk_escalated",
                    "order_made",
                    "order_breached",
                    "successive_perpetrators",
                    "unrouted",
                ],
                &[
                    "fact",
                    "week",
                    "offence_family",
                    "risk",
                    "reports",
                    "new_counterparty",
                    "order",
                    "service",
                    "standing",
                ],
            ),
            (
                Channel::List,
                Role::Victim,
                NamedBy::OwnReference,
                ON_LISTS,
                &["fact", "week", "risk", "reports", "findings", "order", "confidence", "drops_off"],
            ),
        ],
    ),
    (
        "victim_care_service",
        &[(
            Channel::Alert,
            Role::Victim,
            NamedBy::OwnReference,
            &["risk_escalated", "three_in_twelve_months", "marac_repeat", "unrouted"],
            &["fact", "week", "risk", "service"],
        )],
    ),
    (
        "parcs",
        &[(
            Channel::Alert,
            Role::Victim,
            NamedBy::OwnReference,
            &["repeat_victim", "marac_repeat", "order_breached"],
            &["fact", "week"],
        )],
    ),
    (
        "up2u",
        &[
            (
                Channel::Alert,
                Role::Perpetrator,
                NamedBy::OwnReference,
                &["new_report", "order_made", "order_breached", "serial_perpetrator", "report_after_programme"],
                &["fact", "week", "offence_family", "new_counterparty", "order", "standing"],
            ),
            (
                Channel::List,
                Role::Perpetrator,
                NamedBy::OwnReference,
                // Risk is the victim's: an entry that rests on it alone is none.
                &[
                    "new_report",
                    "order_made",
                    "repeat_victim",
                    "repeat_perpetrator",
                    "serial_perpetrator",
                    "same_pair_again",
                    "known_to_several_agencies",
                    "marac_repeat",
                    "three_in_twelve_months",
                    "order_breached",
                    "report_after_programme",
                    "both_roles",
                    "unrouted",
                    "successive_perpetrators",
                ],
                &["fact", "week", "reports", "findings", "order", "programme", "drops_off"],
            ),
        ],
    ),
    (
        "hampton_trust",
        &[(
            Channel::Alert,
            Role::Perpetrator,
            NamedBy::OwnReference,
            &["new_report", "order_made", "order_breached", "report_after_programme"],
            &["fact", "week", "offence_family", "order", "standing"],
        )],
    ),
    (
        "high_harm_team",
        &[
            (
                Channel::List,
                Role::Perpetrator,
                NamedBy::Name,
                &[
                    "repeat_perpetrator",
                    "serial_perpetrator",
                    "marac_repeat",
                    "order_breached",
                    "report_after_programme",
                ],
                &[
                    "fact",
                    "week",
                    "date",
                    "tier",
                    "standing",
                    "reports",
                    "counterparts",
                    "agencies",
                    "findings",
                    "order",
                    "programme",
                    "confidence",
                    "drops_off",
                    "score",
                    "pathways",
                    "cohorts",
                    "intelligence",
                ],
            ),
            (
                Channel::Alert,
                Role::Perpetrator,
                NamedBy::Name,
                &["serial_perpetrator", "order_breached", "marac_repeat", "right_to_know", "dvds_overdue"],
                &["fact", "week", "date", "offence_family", "reports", "counterparts", "order", "standing"],
            ),
        ],
    ),
    (
        "probation",
        &[(
            Channel::Alert,
            Role::Perpetrator,
            NamedBy::OwnReference,
            &[
                "new_report",
                "repeat_perpetrator",
                "serial_perpetrator",
                "order_made",
                "order_breached",
                "report_after_programme",
                "known_to_several_agencies",
            ],
            &[
                "fact",
                "week",
                "offence_family",
                "agencies",
                "reports",
                "new_counterparty",
                "order",
                "programme",
                "standing",
            ],
        )],
    ),
    (
        "childrens_social_care",
        &[
            (Channel::Alert, Role::Victim, NamedBy::OwnReference, CSC_FINDINGS, CSC_FIELDS),
            (Channel::Alert, Role::Perpetrator, NamedBy::OwnReference, CSC_FINDINGS, CSC_FIELDS),
            (Channel::Alert, Role::Child, NamedBy::OwnReference, CSC_FINDINGS, CSC_FIELDS),
        ],
    ),
    ("encompass", &[(Channel::Alert, Role::Child, NamedBy::OwnReference, &["new_report"], &["fact", "date"])]),
    ("steering_group", &[]),
];

const CSC_FINDINGS: &[&str] = &[
    "new_report",
    "three_in_twelve_months",
    "marac_repeat",
    "risk_escalated",
    "serial_perpetrator",
    "order_made",
    "order_breached",
    "mash_contacts",
    "linked_to_open_child",
];
const CSC_FIELDS: &[&str] = &["fact", "week", "offence_family", "risk", "reports", "order"];

#[test]
fn each_recipient_gets_its_cells_and_no_other() {
    let agreement = shipped();
    let named: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(named), GETS.iter().map(|(recipient, _)| *recipient).collect());
    for (recipient, gets) in GETS {
        for (view, grant) in cells(&agreement, recipient) {
            let kind = view.findings.iter().next().expect("one").as_str();
            let cell = gets.iter().find(|(channel, about, named_by, kinds, _)| {
                let fits = (*channel, *about, *named_by) == (view.channel, view.about, view.named_by);
                fits && kinds.contains(&kind)
            });
            let promised: BTreeSet<&str> =
                cell.map(|(.., fields)| fields.iter().copied().collect()).unwrap_or_default();
            let told = grant.fields().iter().filter(|_| grant.tells());
            let told: BTreeSet<&str> =
                told.map(|field| Field::NAMES.iter().find(|(_, known)| known == field).expect("a name").0).collect();
            assert_eq!(told, promised, "{recipient}: {view:?}");
            assert_eq!(grant.tells(), !grant.clause().is_empty(), "what is told names its clause");
        }
    }
}

/// A cell that is never got: recipient, which views and fields are meant, and the policy that forbids it.
type Never = (&'static str, fn(&View, Field) -> bool, &'static str);

fn on_list(view: &View, _: Field) -> bool {
    view.channel == Channel::List
}

fn not_own_client(view: &View, _: Field) -> bool {
    view.about != Role::Victim || view.named_by != NamedBy::OwnReference
}

fn names(view: &View, field: Field) -> bool {
    view.named_by == NamedBy::Name || field == Field::PerpetratorIdentity
}

fn of_the_disclosure_scheme(view: &View, _: Field) -> bool {
    [FindingKind::RightToKnow, FindingKind::DvdsOverdue].map(|kind| Kinds::from_iter([kind])).contains(&view.findings)
}

fn of_childrens_plans(view: &View, _: Field) -> bool {
    let kinds = [FindingKind::MashContacts, FindingKind::LinkedToOpenChild];
    kinds.map(|kind| Kinds::from_iter([kind])).contains(&view.findings)
}

fn about_victims(view: &View, _: Field) -> bool {
    view.about != Role::Perpetrator
}

/// The whole of what each recipient never gets (domain: "Never gets"), whatever else is permitted.
const NEVER: &[Never] = &[
    // Other victims' identity; which intelligence it rests on (texts of reports have no field at all).
    ("idva", not_own_client, "IDVA-N1"),
    ("idva", |_, field| [Field::Agencies, Field::Intelligence].contains(&field), "IDVA-N2"),
    // Who asked under the disclosure scheme, and what social care knows of a child.
    ("idva", of_the_disclosure_scheme, "ALL-3"),
    ("up2u", of_the_disclosure_scheme, "ALL-3"),
    ("probation", of_the_disclosure_scheme, "ALL-3"),
    ("idva", of_childrens_plans, "ALL-4"),
    ("up2u", of_childrens_plans, "ALL-4"),
    ("high_harm_team", of_childrens_plans, "ALL-4"),
    // Other victims' names or addresses (addresses have no field at all).
    ("stop_domestic_abuse", not_own_client, "SDA-N1"),
    // Offence history; identity.
    (
        "victim_care_service",
        |_, field| {
            let history = [
                Field::OffenceFamily,
                Field::Reports,
                Field::Counterparts,
                Field::NewCounterparty,
                Field::Order,
                Field::Programme,
                Field::Tier,
                Field::Standing,
                Field::Findings,
                Field::Agencies,
            ];
            history.contains(&field)
        },
        "VCS-N1",
    ),
    ("victim_care_service", on_list, "VCS-N2"),
    ("victim_care_service", names, "VCS-N3"),
    // The list; scores.
    ("parcs", on_list, "PARCS-N1"),
    (
        "parcs",
        |_, field| {
            let scores =
                [Field::Risk, Field::Tier, Field::Reports, Field::Counterparts, Field::Findings, Field::Confidence];
            scores.contains(&field)
        },
        "PARCS-N2",
    ),
    // The victim's whereabouts and disclosure; who reported.
    ("up2u", about_victims, "PROG-N1"),
    ("up2u", |_, field| field == Field::Risk, "PROG-N2"),
    ("up2u", |_, field| field == Field::Agencies, "PROG-N3"),
    ("hampton_trust", about_victims, "PROG-N1"),
    ("hampton_trust", |_, field| field == Field::Risk, "PROG-N2"),
    ("hampton_trust", |_, field| field == Field::Agencies, "PROG-N3"),
    // Therapy and refuge data.
    ("probation", about_victims, "PROB-N1"),
    // Service case notes.
    ("high_harm_team", |view, _| view.about != Role::Perpetrator || view.named_by == NamedBy::OwnReference, "HH-N1"),
    // The whole list.
    ("childrens_social_care", on_list, "CSC-N1"),
    ("childrens_social_care", |view, _| view.named_by != NamedBy::OwnReference, "CSC-N2"),
    // The perpetrator's record.
    ("encompass", |view, _| view.about != Role::Child, "ENC-N1"),
    ("encompass", |_, field| ![Field::Fact, Field::Week, Field::Date].contains(&field), "ENC-N1"),
    // Any row.
    ("steering_group", |_, _| true, "SG-N1"),
];

#[test]
fn what_is_never_got_is_forbidden_whoever_permits_it() {
    let mut careless = AGREEMENT.clone();
    let everything = "@id(\"CARELESS\")\npermit (principal, action, resource);\n";
    careless.policies.push(("policies/careless.cedar".to_owned(), everything.to_owned()));
    let careless = Agreement::check(&careless).expect("a policy too many is no mistake of form");
    for (recipient, is_meant, forbid) in NEVER {
        let mut meant = 0;
        for (view, grant) in cells(&careless, recipient) {
            for (name, field) in Field::NAMES.iter().filter(|(_, field)| is_meant(&view, *field)) {
                meant += 1;
                assert!(!grant.has(*field), "{recipient} gets {name} in {view:?}");
                let verdict = careless.policies.ask(&party(recipient), view, *field);
                assert!(verdict.by.iter().any(|id| id == forbid), "{recipient} {name} {view:?}: {:?}", verdict.by);
            }
        }
        assert!(meant > 0, "{recipient} {forbid}");
    }
    // And for everybody: no victim and no child is ever named.
    for recipient in &careless.recipients {
        for (view, grant) in cells(&careless, recipient.party.as_str()) {
            let names_victim = view.named_by == NamedBy::Name && view.about != Role::Perpetrator;
            assert!(!(names_victim && grant.tells()), "{}: {view:?}", recipient.party);
        }
    }
}

#[test]
fn every_mistake_of_an_agreement_is_reported_at_once() {
    let agreement = r#"
        version = "1"
        scopes = ["Portsmouth!"]
        valid_from = 2026-01-01
        expires_on = 2025-01-01
        [[feed]]
        party = "police"
        kind = "policing"
        regime = "law-enforcement"
        gateway = "s115"
        retention_days = 0
        [[recipient]]
        party = "idva"
        name = "IDVA"
        gateway = "Sch 1"
        keys = ["parcs#x"]
    "#;
    let policies = [
        (
            "policies/a.cedar",
            "@id(\"A\")\npermit (principal == Recipient::\"idwa\", action, resource);\npermit (principal, action, resource);",
        ),
        (
            "policies/b.cedar",
            "@id(\"A\")\nforbid (principal, action, resource);\n@id(\"B\")\nforbid (principal, action, resource == Field::\"address\");\n@id(\"C\")\nforbid (principal, action, resource) when { context.colour };",
        ),
        ("policies/c.cedar", "@id(\"D\")\npermit (principal, action, resource)\nwhen { context.about = 3 };"),
    ];
    let package = Package {
        file: Path::new("a.toml").to_owned(),
        agreement: agreement.to_owned(),
        policies: policies.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec(),
        signature: None,
    };
    let problems = Agreement::check(&package).expect_err("all wrong");
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "serial",
        "scopes[1]",
        "expires_on",
        "feed[1].kind",
        "feed[1].sources",
        "feed[1].retention_days",
        "recipient[1].purpose",
        "recipient[1].keys[1]",
        "policies/a.cedar: policy A",
        "policies/a.cedar: policy 2",
        "policies/b.cedar: policy A",
        "policies/b.cedar: policy B",
        "policies/b.cedar: policy C",
        "policies/c.cedar:3",
    ] {
        assert!(keys.contains(&key), "{key} is missing from {problems:#?}");
    }
    assert!(problems.iter().all(|problem| !problem.found.is_empty() && !problem.fix.is_empty()));
}

#[test]
fn nothing_but_a_good_signature_counts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let expires: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
    let mut keys = NewKeys::new(dir.path(), Timestamp::UNIX_EPOCH, Some(expires), &mut rng);
    let files = ["ig_lead", "stranger"].map(|name| {
        let made = keys.agreement(&party(name), dir.path()).expect("made");
        (read_signer(&made[0]).expect("the private half"), made[1].clone())
    });
    let [(lead, public), (stranger, _)] = files;
    let signers = read_signers(&[public]).expect("the public half");
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let manifest = AGREEMENT.manifest();
    let signature = sign(&lead, &manifest);
    let verdict = |signature: Option<&str>, manifest: &str, now| verify(signature, manifest, &signers, now);
    assert_eq!(verdict(Some(&signature), &manifest, now).as_deref(), Ok(lead.kid()));
    assert_eq!(verdict(None, &manifest, now), Err(NotSigned::Missing));
    assert_eq!(verdict(Some(&sign(&stranger, &manifest)), &manifest, now), Err(NotSigned::UnknownSigner));
    assert_eq!(verdict(Some(&signature), &manifest, expires), Err(NotSigned::ExpiredSigner));
    let changed = amended(
        "forbid (principal == Recipient::\"steering_group\"",
        "permit (principal == Recipient::\"steering_group\"",
    );
    assert_eq!(verdict(Some(&signature), &changed.manifest(), now), Err(NotSigned::BadSignature));
    let (header, rest) = signature.split_once("..").expect("detached");
    for bad in [
        String::new(),
        rest.to_owned(),
        format!("{header}.e30.{rest}"),
        format!("e30..{rest}"),
        format!("{header}..{rest}."),
    ] {
        assert_eq!(verdict(Some(&bad), &manifest, now), Err(NotSigned::Form), "{bad}");
    }
    // As sha256sum prints it.
    let first = manifest.lines().next().expect("a line");
    assert!(first.ends_with("  agreement.toml") && first.len() == 64 + 2 + "agreement.toml".len(), "{first}");
}

#[test]
fn parties_that_would_share_topics_are_refused() {
    let keys = |package: &Package| -> Vec<String> {
        let problems = Agreement::check(package).expect_err("two are alike");
        problems.into_iter().map(|problem| problem.key).filter(|key| !key.starts_with("policies/")).collect()
    };
    let feeds = amended("party = \"hampton_trust\"\nkind", "party = \"local-authority\"\nkind");
    assert_eq!(keys(&feeds), ["feed[9].party"]);
    let recipients = amended("party = \"stop_domestic_abuse\"\nname", "party = \"stop-domestic-abuse\"\nname");
    assert_eq!(keys(&recipients), ["recipient[2].party"]);
}

#[test]
fn a_difference_is_told_in_words_and_by_what_it_does() {
    let next = crate::support::hub::amended_all(&[
        ("serial = 1", "serial = 2"),
        (
            "[Field::\"fact\", Field::\"week\"].contains(resource)",
            "[Field::\"fact\", Field::\"week\", Field::\"order\"].contains(resource)",
        ),
        (
            "[Field::\"fact\", Field::\"week\", Field::\"offence_family\", Field::\"order\", Field::\"standing\"].contains(resource)",
            "[Field::\"fact\", Field::\"week\"].contains(resource)",
        ),
        ("purpose = \"Safety prompt to a counsellor about their own client\"", "purpose = \"Counselling\""),
    ]);
    let next = Agreement::check(&next).expect("in order");
    let told: Vec<_> =
        diff(&shipped(), &next).into_iter().map(|change| (change.effect, change.about, change.what)).collect();
    let line = |effect, about: &str, what: &str| (effect, about.to_owned(), what.to_owned());
    let expected = [
        line(
            Effect::Opens,
            "parcs",
            "alert about a victim, by own reference: order (of repeat_victim, marac_repeat, order_breached)",
        ),
        line(
            Effect::Closes,
            "hampton_trust",
            "alert about a perpetrator, by own reference: offence_family, order, standing (of new_report, order_made, \
             order_breached, report_after_programme)",
        ),
        line(Effect::Changes, "HT-1", "the policy is worded otherwise"),
        line(Effect::Changes, "PARCS-1", "the policy is worded otherwise"),
        line(Effect::Changes, "agreement", "serial: 1 becomes 2"),
        line(
            Effect::Changes,
            "parcs",
            "purpose: Safety prompt to a counsellor about their own client becomes Counselling",
        ),
    ];
    assert_eq!(told, expected);
    assert!(diff(&shipped(), &shipped()).is_empty());
    // A forbid that beats a permit closes, and is told so.
    let forbids = amended(
        "@id(\"ALL-1\")",
        "@id(\"NONE\")\nforbid (principal == Recipient::\"up2u\", action, resource);\n@id(\"ALL-1\")",
    );
    let closed = diff(&shipped(), &Agreement::check(&forbids).expect("in order"));
    assert!(closed.iter().all(|change| change.effect != Effect::Opens));
    assert!(closed.iter().any(|change| change.effect == Effect::Closes && change.about == "up2u"));
}

#[test]
fn explain_says_by_which_clause_and_the_annex_what_each_recipient_gets() {
    let house = Deployed::new();
    let agreement = house.path("agreement.toml").display().to_string();
    let explain = |words: &[&str]| {
        let ran = priorityd(&[&["agreement", "explain", &agreement], words].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let told = explain(&[
        "--recipient",
        "idva",
        "--finding",
        "order_made",
        "--view",
        "alert",
        "--about",
        "victim",
        "--named-by",
        "own_reference",
    ]);
    assert!(told.starts_with("alert about a victim, by own reference: yes, by IDVA-1\n"), "{told}");
    assert!(
        told.contains("never agencies, intelligence  [IDVA-N2]") && told.contains("new_counterparty, offence_family"),
        "{told}"
    );
    let told = explain(&["--recipient", "parcs", "--finding", "repeat_victim", "--view", "list", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let views = told["views"].as_array().expect("views");
    assert_eq!(views.len(), 9);
    assert!(views.iter().all(|view| view["receives"] == false && view["refused_by"].to_string().contains("PARCS-N1")));
    assert_eq!(
        priorityd(&["agreement", "explain", &agreement, "--recipient", "nobody", "--finding", "order_made"]).code,
        78
    );

    let annex = house.run(&["agreement", "annex"]);
    assert_eq!(annex.code, 0, "{}", annex.err);
    for said in [
        "Signed by `ig_lead#",
        "| police | police | DPA 2018 Part 3 | Crime and Disorder Act 1998 s115; Data Protection Act 2018 s35 | 2192 days |",
        "- **alert** about a victim, its own clients, by its own reference [PARCS-1]: week. Of: repeat_victim, marac_repeat, order_breached.",
        "### Domestic abuse steering group\n\n- Nothing about anybody.",
        "@id(\"SG-N1\")",
    ] {
        assert!(annex.out.contains(said), "{said} is not in:\n{}", annex.out);
    }
    let signers = house.path("signers/ig_lead.jwks.json").display().to_string();
    let checked = priorityd(&["agreement", "check", &agreement, "--signers", &signers, "--format", "json"]);
    let checked: serde_json::Value = serde_json::from_str(&checked.out).expect("JSON");
    assert!(checked["signature"]["by"].as_str().is_some_and(|signer| signer.starts_with("ig_lead#")), "{checked}");
}
