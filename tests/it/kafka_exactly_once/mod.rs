//! Exactly once, against a real broker: real daemons on several machines, a city that goes on reporting, and whatever can
//! go wrong, from a seed. After each kind of trouble a reader of committed records sees every alert once, the lists that a
//! run without a fault gives, unbroken audit chains and counters that sum.
//!
//! As it stands it is short. `PRIORITYD_KILLS` says how often an instance is killed, `PRIORITYD_OUTAGE_S` how long the
//! broker is out of reach and `PRIORITYD_SEED` what is left to chance; timing is the machine's own, so that a seed repeats
//! what is done and when, not which record is in hand.

mod fleet;
mod proxy;
mod witness;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use priorityd::log::kafka::{KafkaFeeder, KafkaSettings};
use priorityd::model::ids::{PartyId, ScopeId};
use priorityd::simulate::City;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::fleet::Fleet;
use self::proxy::Proxy;
use self::witness::{Desks, Faultless, committed, is_drained, list_digest, progress};
use crate::broker::Broker;

const PARTITIONS: i32 = 4;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Seconds in place of the usual half minute, so that faults show soon: how long an instance may be silent, and how long a
/// transaction may take.
const LIMITS_MS: (u64, u64) = (2_000, 5_000);

/// One scope cannot be shared between instances, so there are several.
const SCOPES: [&str; 6] = ["portsmouth", "southampton", "winchester", "fareham", "gosport", "havant"];

#[test]
fn every_alert_once_whatever_goes_wrong() {
    let mut trial = Trial::begin();
    trial.step("everything is published twice", |trial| {
        trial.fleet.start("a");
        let events = trial.publish(400);
        trial.send(events);
    });
    trial.step("instances join and leave under load", |trial| {
        for name in ["b", "c"] {
            trial.publish(150);
            trial.fleet.start(name);
            trial.publish(150);
            trial.pause(1_500);
        }
        let leaving = trial.fleet.running.remove("b").expect("it runs");
        trial.publish(100);
        assert_eq!(leaving.terminate(), 0);
        trial.publish(100);
        trial.fleet.start("b");
    });
    trial.step("an instance is paused until the others have its partitions, and goes on", |trial| {
        trial.publish(150);
        trial.pause(400);
        trial.fleet.running["a"].signal("-STOP");
        trial.publish(150);
        trial.wait_until_drained();
        trial.fleet.running["a"].signal("-CONT");
        trial.publish(150);
    });
    trial.step("an instance is paused, another takes its name, and it goes on", |trial| {
        trial.publish(150);
        let mut zombie = trial.fleet.running.remove("a").expect("it runs");
        zombie.signal("-STOP");
        trial.fleet.start("a");
        trial.publish(150);
        trial.wait_until_drained();
        zombie.signal("-CONT");
        // It finds itself fenced at its next transaction, and leaves.
        trial.wait(|trial| {
            trial.publish(10);
            zombie.ended() == Some(69)
        });
    });
    trial.step("commits are lost on their way to the broker", |trial| {
        trial.publish(300);
        trial.proxy.lose_commits(2);
        trial.wait_until_lost();
    });
    trial.step("commits are made and nobody hears of it", |trial| {
        trial.publish(300);
        trial.proxy.lose_answers(2);
        trial.wait_until_lost();
    });
    trial.step("the broker is killed and comes back", |trial| {
        trial.publish(300);
        trial.pause(500);
        trial.broker.kill();
        trial.broker.launch();
        trial.publish(100);
    });
    let outage = Duration::from_secs(said("PRIORITYD_OUTAGE_S", 8));
    trial.step("the broker is out of reach", |trial| {
        trial.publish(300);
        trial.pause(500);
        trial.proxy.cut();
        trial.publish(100);
        std::thread::sleep(outage);
        trial.proxy.mend();
        trial.publish(100);
    });
    let kills = said("PRIORITYD_KILLS", 8);
    for from in (0..kills).step_by(20) {
        let to = kills.min(from + 20);
        trial.step(&format!("instances are killed: {} to {to} of {kills}", from + 1), |trial| {
            (from..to).for_each(|_| trial.kill_one());
        });
    }
    trial.end();
}

fn said(name: &str, usually: u64) -> u64 {
    std::env::var(name).map_or(usually, |text| text.parse().expect("a number"))
}

struct Trial {
    rng: ChaCha8Rng,
    broker: Arc<Broker>,
    proxy: Proxy,
    fleet: Fleet,
    feeder: KafkaFeeder,
    /// What each scope's agencies have yet to report, in order.
    cities: Vec<(ScopeId, VecDeque<(PartyId, String)>)>,
    faultless: Faultless,
    desks: Desks,
    kills: u32,
    begun: Instant,
}

impl Trial {
    fn begin() -> Self {
        let seed = said("PRIORITYD_SEED", 1);
        let broker = Broker::own();
        let (via, listen) = broker.via();
        let proxy = Proxy::start(listen, via);
        let scopes: Vec<ScopeId> = SCOPES.iter().map(|name| name.parse().expect("a valid name")).collect();
        let fleet = Fleet::new(seed, &scopes, &format!("127.0.0.1:{listen}"), LIMITS_MS);
        fleet.apply_topics(PARTITIONS);
        let feeder = KafkaFeeder::open(KafkaSettings::new(&broker.bootstrap(), "agencies", "1")).expect("opens");
        // Few people of whom much is reported, so that there is something to tell.
        let people = 400 + 2 * u32::try_from(said("PRIORITYD_KILLS", 8)).expect("not that many");
        let cities = (seed..).zip(scopes).map(|(seed, scope)| {
            let city = City { scope: scope.clone(), ..City::new(seed, people, 24) };
            (scope, city.play().feeds.into())
        });
        let (cities, faultless, desks) = (cities.collect(), Faultless::new(&fleet), Desks::of(&fleet));
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, broker, proxy, fleet, feeder, cities, faultless, desks, kills: 0, begun: Instant::now() }
    }

    /// Does something bad and looks at what it came to.
    fn step(&mut self, what: &str, done: impl FnOnce(&mut Self)) {
        let begun = Instant::now();
        done(self);
        self.wait_until_drained();
        let seen = committed(&self.broker.bootstrap(), &self.desks);
        assert_eq!(seen.outcomes, self.faultless.outcomes(), "{what}");
        let expected = self.faultless.desks(&self.desks);
        for (party, desk) in &expected {
            assert!(desk.list == seen.desks[party].list, "{what}: the list of {party} differs");
        }
        assert_eq!(list_digest(&seen.desks), list_digest(&expected), "{what}");
        let entries: usize = seen.desks.values().map(|desk| desk.list.len()).sum();
        let messages: usize = seen.desks.values().map(|desk| desk.inbox.len()).sum();
        self.say(&format!(
            "{what}: {:.0} s; {} events read, {messages} alerts and corrections each once, {entries} list entries, {} audit lines",
            begun.elapsed().as_secs_f64(),
            seen.outcomes.read,
            seen.audit_lines,
        ));
    }

    fn end(mut self) {
        for (_, instance) in std::mem::take(&mut self.fleet.running) {
            assert_eq!(instance.terminate(), 0);
        }
        let digest = list_digest(&self.faultless.desks(&self.desks));
        self.say(&format!(
            "{} kills in {:.0} s; instances that left by themselves, by exit code: {:?}; lists {digest}",
            self.kills,
            self.begun.elapsed().as_secs_f64(),
            self.fleet.left,
        ));
    }

    fn say(&self, text: &str) {
        writeln!(std::io::stdout(), "{text}").expect("somebody listens");
    }

    /// Kills an instance at some moment and starts it elsewhere, now and then under a name that nobody had. Mostly when
    /// the group is at work again, and sometimes while it still recovers from the last time.
    fn kill_one(&mut self) {
        if self.rng.random_range(0..5) > 0 {
            let before = progress(&self.broker.bootstrap(), &self.fleet.agreement);
            self.publish(20);
            self.wait(|trial| progress(&trial.broker.bootstrap(), &trial.fleet.agreement) > before);
        }
        let count = self.rng.random_range(10..40);
        self.publish(count);
        self.pause(400);
        self.fleet.tend();
        let place = self.rng.random_range(0..self.fleet.running.len());
        let name = self.fleet.running.keys().nth(place).expect("it is one of them").clone();
        self.fleet.running.remove(&name).expect("it runs").kill();
        self.kills += 1;
        let heir = if self.rng.random_range(0..4) == 0 { format!("heir-{}", self.kills) } else { name };
        self.fleet.start(&heir);
    }

    /// Publishes the next so many events of all cities together, some of them twice.
    fn publish(&mut self, count: usize) -> Vec<(ScopeId, PartyId, String)> {
        let mut events = Vec::new();
        for _ in 0..count {
            // How much is published while something is waited for depends on the machine: a city may have told everything.
            self.cities.retain(|(_, events)| !events.is_empty());
            let place = self.rng.random_range(0..self.cities.len());
            let (scope, events_of_city) = &mut self.cities[place];
            let (feed, line) = events_of_city.pop_front().expect("this city has more to report");
            let event = (scope.clone(), feed, line);
            if self.rng.random_range(0..20) == 0 {
                events.push(event.clone());
            }
            events.push(event);
        }
        self.send(events.clone());
        events
    }

    fn send(&mut self, events: Vec<(ScopeId, PartyId, String)>) {
        for (scope, feed, line) in &events {
            self.feeder.send(feed, scope, line.as_bytes()).expect("it is taken");
        }
        let events: Vec<_> = events.into_iter().map(|(_, feed, line)| (feed, line)).collect();
        self.faultless.take(&events);
    }

    /// Lets the daemons work for a moment that is left to chance.
    fn pause(&mut self, up_to_ms: u64) {
        let moment = self.rng.random_range(0..up_to_ms);
        std::thread::sleep(Duration::from_millis(moment));
    }

    fn wait(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            self.fleet.tend();
            assert!(Instant::now() < deadline, "it does not come about: {}", self.fleet.words());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn wait_until_drained(&mut self) {
        self.feeder.finish().expect("everything is delivered");
        self.wait(|trial| is_drained(&trial.broker.bootstrap(), &trial.fleet.agreement));
    }

    fn wait_until_lost(&mut self) {
        self.wait(|trial| {
            trial.publish(5);
            trial.proxy.to_lose() == 0
        });
    }
}
