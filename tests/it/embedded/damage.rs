//! Damage to the file and to the write-ahead log beside it: told, and never taken for data.

use super::*;

/// Everything the file says, as its readers see it.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    register: BTreeMap<Vec<u8>, Vec<u8>>,
    waiting: Vec<(PartyId, i64, i64, Vec<u8>)>,
    alerts: Vec<(i64, Option<Vec<u8>>)>,
    list: Vec<(i64, Option<Vec<u8>>)>,
}

fn look(path: &Path) -> Result<Seen, LogError> {
    let mut log = EmbeddedLog::open(path, feeds(), TestKey::shared(1))?;
    assert!(matches!(log.poll(1, Duration::ZERO)?, Polled::Gained(_)));
    let mut register = BTreeMap::new();
    log.restore(0, &mut |key, value| {
        register.insert(key.to_vec(), value.to_vec());
    })?;
    let Polled::Records(records) = log.poll(1_000, Duration::ZERO)? else { panic!("the partition stays") };
    let waiting = records.iter().map(|one| (one.feed.clone(), one.offset, one.appended_ms, one.payload.to_vec()));
    let mut client = EmbeddedClient::open(path, TestKey::shared(1))?;
    let mut topic = |name| -> Result<Vec<_>, LogError> {
        let records = client.read(name, 0, 0, 1_000, Duration::ZERO)?;
        Ok(records.into_iter().map(|one| (one.offset, one.value)).collect())
    };
    Ok(Seen { register, waiting: waiting.collect(), alerts: topic(ALERTS)?, list: topic(LIST)? })
}

/// A file with something of everything in it, closed.
fn filled() -> (Vec<u8>, Seen) {
    let house = Embedded::new();
    let mut client = house.open_client();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    for round in 0..8 {
        let long = |number: usize| format!("{round}-{number}-").repeat(40);
        for feed in ["a", "b"] {
            publish(&mut client, feed, &(0..10).map(long).collect::<Vec<_>>());
        }
        let records = take(&mut log, 10, 10);
        let outputs = (0..10).map(|number| {
            let topic = if number % 2 == 0 { ALERTS } else { LIST };
            output(topic, &format!("key{number}"), Some(&long(number)))
        });
        let register = (0..30).map(|number| row(&format!("row{:03}", (round * 13 + number) % 97), Some(&long(number))));
        let transaction = Transaction {
            outputs: outputs.collect(),
            register: register.collect(),
            positions: positions(&records),
            ..Transaction::default()
        };
        log.commit(transaction).expect("commit");
    }
    drop((client, log));
    (std::fs::read(house.path()).expect("reads"), look(&house.path()).expect("it is whole"))
}

#[test]
fn damage_is_told_and_never_taken_for_data() {
    let (bytes, whole) = filled();
    assert!(whole.register.len() > 50 && whole.waiting.len() == 80 && whole.alerts.len() == 40);
    // The head of an SQLite file says how large its pages are.
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut told = 0;
    for round in 0..600 {
        let mut damaged = bytes.clone();
        let at = random.random_range(0..damaged.len());
        match round % 3 {
            0 => damaged[at] ^= 1 << random.random_range(0..8),
            // The first bytes of pages say how they are to be read: most of the mischief lies there.
            1 => damaged[at / page * page + at % 64] ^= 1 << random.random_range(0..8),
            _ => damaged.truncate(at),
        }
        let house = Embedded::new();
        std::fs::write(house.path(), damaged).expect("writes");
        match look(&house.path()) {
            Err(LogError::Fatal(why) | LogError::Damaged(why)) => {
                told += 1;
                assert!(why.contains("log.db"), "{why}");
                assert!(!why.contains("row0") && !why.contains("-0-"), "{why}");
            }
            Err(error) => panic!("not fatal: {error}"),
            Ok(seen) => {
                // An empty file is a new one; of a list, the manifest tells what is missing.
                let known = seen.list.iter().all(|record| whole.list.contains(record));
                let same = Seen { list: whole.list.clone(), ..seen } == whole;
                assert!((known && same) || at == 0, "round {round}, byte {at}: damage was taken for data");
            }
        }
    }
    assert!(told > 200, "{told} of 600 were told");
}

/// What a killed daemon leaves: the file and its write-ahead log, with what was seen in them before and after the last commit,
/// and where in the log that commit begins.
struct Killed {
    database: Vec<u8>,
    ahead: Vec<u8>,
    last_commit_at: usize,
    before: Seen,
    after: Seen,
}

fn killed() -> Killed {
    let house = Embedded::new();
    let mut client = house.open_client();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    let ahead = || std::fs::read(house.0.path().join("log.db-wal")).expect("reads");
    let seen = || {
        let copy = Embedded::new();
        copy.put_killed(&std::fs::read(house.path()).expect("reads"), &ahead());
        look(&copy.path()).expect("it is whole")
    };
    for round in 0..12 {
        let long = |number: usize| format!("{round}-{number}-").repeat(40);
        let outputs = (0..10).map(|number| output(ALERTS, &format!("key{number}"), Some(&long(number))));
        let register = (0..30).map(|number| row(&format!("row{:03}", (round * 13 + number) % 97), Some(&long(number))));
        let transaction =
            Transaction { outputs: outputs.collect(), register: register.collect(), ..Transaction::default() };
        log.commit(transaction).expect("commit");
    }
    let (last_commit_at, before) = (ahead().len(), seen());
    publish(&mut client, "a", &["the last"]);
    Killed {
        database: std::fs::read(house.path()).expect("reads"),
        ahead: ahead(),
        last_commit_at,
        before,
        after: seen(),
    }
}

#[test]
fn commits_that_damage_to_the_write_ahead_log_would_take_along_are_told() {
    let killed = killed();
    assert!(killed.last_commit_at > 100_000 && killed.before != killed.after);
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let mut told = 0;
    for round in 0..300 {
        let mut ahead = killed.ahead.clone();
        // The first bytes of the log and of its frames say how they are to be read.
        let frame = 24 + usize::from(u16::from_be_bytes([ahead[10], ahead[11]]));
        let at = match round % 4 {
            0 => random.random_range(0..32),
            1 => 32 + random.random_range(0..(ahead.len() - 32) / frame) * frame + random.random_range(0..24),
            // The frame that ends the last commit but one.
            2 => killed.last_commit_at - frame + random.random_range(0..24),
            _ => random.random_range(0..ahead.len()),
        };
        ahead[at] ^= 1 << random.random_range(0..8);
        // Without the mark that ends a commit it is one with the next, and that one may be torn.
        let mark = |ahead: &[u8]| {
            at.checked_sub(32).map(|at| 32 + at / frame * frame + 4).map(|at| ahead[at..at + 4] == [0; 4])
        };
        if mark(&ahead) != mark(&killed.ahead) && at >= killed.last_commit_at - frame {
            continue;
        }
        let house = Embedded::new();
        house.put_killed(&killed.database, &ahead);
        match look(&house.path()) {
            Err(LogError::Damaged(why)) => {
                told += 1;
                assert!(why.contains("log.db") && why.contains("put back"), "{why}");
            }
            Err(error) => panic!("not damaged: {error}"),
            // A flaw in the last commit looks like a torn write.
            Ok(seen) => assert!(seen == killed.after || at >= killed.last_commit_at, "round {round}, byte {at}"),
        }
    }
    assert!(told > 200, "{told} of 300 were told");
}

#[test]
fn a_file_that_is_gone_beside_its_write_ahead_log_is_no_new_one() {
    let killed = killed();
    for is_empty in [false, true] {
        let house = Embedded::new();
        house.put_killed(&killed.database, &killed.ahead);
        std::fs::remove_file(house.path()).expect("removes");
        if is_empty {
            std::fs::write(house.path(), b"").expect("writes");
        }
        for why in [fatal(house.open()), fatal(EmbeddedClient::open(&house.path(), TestKey::shared(1)))] {
            assert!(why.contains("log.db") && why.contains("empty or gone"), "{why}");
        }
        // Nothing of what is left was touched.
        assert_eq!(std::fs::read(house.0.path().join("log.db-wal")).expect("reads"), killed.ahead);
        std::fs::write(house.path(), &killed.database).expect("writes");
        assert!(look(&house.path()).expect("it is whole") == killed.after);
    }
}
