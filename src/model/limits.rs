//! Every bound there is, and what happens at it. Nothing here is code: each bound is a constant or a key of the configuration
//! where it is minded, `tests/it/limits.rs` and the tests beside each try them.
//!
//! # What comes in
//!
//! | What | Bound | At it |
//! |---|---|---|
//! | A feed record | `record_bytes`, 1 MiB (1 KiB to 16 MiB) | The daemon rejects it (`EVT-001`) and goes on |
//! | A record that is published | `log::MAX_RECORD_BYTES`, 16 MiB | Refused to the publisher |
//! | Nesting, values of a record | `MAX_DEPTH` 32, `MAX_VALUES` 20,000 (`validate::read`) | Rejected (`EVT-004`) |
//! | People in an event | 50 | Rejected |
//! | Identities named by an erasure | 4,096 records and references | Rejected: send several |
//! | Letters of a name, other names, words of an address | 40, 4, 6 (`normalise`) | What is beyond is not compared |
//! | Tokens of a name's and a postcode's neighbourhood | 12 and 8 (`model::tokens`), padded | What is beyond is not compared |
//! | A line of events, of an audit, of signed heads | `log::MAX_RECORD_BYTES`, 16 MiB (`cli::input`) | Refused with its number, nothing after it is read |
//! | A line that is published | With its headers, `log::MAX_RECORD_BYTES` | Refused with its number; what was before it is published |
//! | Records that `publish`, `pseudonymise` append at once | `CHUNK`, 500, of `publish` also 8 MiB and one record | The next append has the rest |
//! | The configuration, an agreement, a policy, a linkage model, a map of columns, a list of reviewers or refuges, a position, a password | `LARGEST_FILE`, 1 MiB (`config::files`) | Refused with the file's name |
//! | A table of frequencies | `LARGEST_FREQUENCIES`, 64 MiB (`config::files`) | Refused with the file's name |
//! | A reference or an identity that is asked about | `LARGEST_INPUT`, 64 KiB (`cli::subject`) | Refused with the file's name |
//! | A proof that is checked | `LARGEST_PROOF`, 64 MiB (`cli::prove`) | Refused with the file's name |
//! | A key's file | `MAX_BYTES`, 64 KiB (`keys::file`) | Refused with the file's name |
//! | Days that anything is kept or valid | `MOST_DAYS`, 36,525 (`config::agreement`) | Refused with the key's name |
//! | Connections of one address over HTTP | `MOST_CONNECTIONS`, 128 (`ops::connections`) | Further ones wait in the kernel |
//! | Sending a request, and taking its answer | `PATIENCE`, 10 s each (`ops::connections`) | The connection ends |
//! | The body of a request | `LONGEST_FORM`, 8 KiB (`ops::connections`) | Refused (413) |
//! | Reviewers who are signed in | `MOST_SESSIONS`, 64 (`ops::pages::session`) | The oldest session ends |
//! | Wrong tokens of everybody, requests of a session, in a minute | `MOST_FAILURES`, 10, and `MOST_REQUESTS`, 120 | Refused (429) |
//! | How early an event may be recorded after the log's clock | 24 hours (`validate::rules`) | Rejected |
//!
//! # What waits
//!
//! There is one queue, and it is the feed: a daemon that is slow polls later, agencies' records stay where they are durable,
//! and memory does not grow with the backlog.
//!
//! | What | Bound | At it |
//! |---|---|---|
//! | A batch, which is a transaction | `batch_records`, 5,000 (to 100,000), and `log::POLL_BYTES`, 32 MiB | The rest waits in the feed |
//! | Batches in memory | Three: one is committed, the next taken in, the one after it read | Polling waits for all three |
//! | Records ahead from Kafka | 64 MiB (`queued.max.messages.kbytes`) | Fetching pauses |
//! | Records on their way to Kafka | 128 MiB and 100,000 (`queue.buffering.max`) | The commit waits for the broker |
//! | A transaction on Kafka | `kafka.transaction_ms`, 30 s | The broker undoes it; the batch is done again |
//! | An answer of a broker | `LARGEST_ANSWER`, 64 MiB (`log::kafka::wire`) | The connection ends |
//! | Waits after a failed log | 100 ms doubling to 10 s (`BACKOFF`, `cli::daemon`) | Tried again for as long as it takes |
//! | A wait for another process's lock on the file | 10 s (`BUSY_TIMEOUT`, `log::embedded`) | Tried again as after a failure |
//! | The file's write-ahead log | 1,000 pages or one commit, then copied back; 128 MiB stay allocated | A reader that sleeps in the midst of a read holds the copying up |
//! | A read by a subscriber | 500 records, 32 MiB | The next read has the rest |
//! | Spans that wait for a collector | 2,048 (`ops::traces`), and 512 on their way for 5 s | Dropped, and counted as dropped or lost |
//!
//! # What is held
//!
//! | What | Bound | At it |
//! |---|---|---|
//! | The register | `retention_days` of each feed; about 1.2 KB a record | Events end by the day |
//! | Tokens that are remembered so as not to be hashed again | For each scope and linkage key 65,536 values of each field, and 32,768 people until the day's end or an event that names somebody erased (`pseudonymise::known`) | The earlier half is forgotten |
//! | What the policies decided, by the shape of what is told | 16,384 shapes (`SHAPES`, `config::agreement::policies`), and as many of each recipient and channel | All are asked about again |
//! | Identities that one blocking key may join | `block_limit`, 32 (the model's) | The key joins nobody |
//! | Records partitioned together | `unit_limit`, 128 (the model's) | Looked at by a higher bar, where they fall apart |
//! | Links, records in one audit line | 200, 5,000 (`pipeline::evidence`) | Further lines continue it |
//! | Records hashed anew, rows deleted in one step of a rotation | 500 (`pipeline::rekey`) | The next turn goes on |
//! | Names of parties, clauses, tools that are kept once | 4,096 (`model::text`) | Each further one is a copy of its own |
//! | Records of a feed, of a topic | 2^40 | Refused |
//! | The register on its way from the log at a start | Three portions of `PORTION_BYTES`, 1 MiB (`cli::restart`) | Reading waits |
//! | Slots of a register | 2^32 records | The daemon ends |
//! | Processed feed records; superseded entries, alerts and rejections | `embedded.feed_hours`, 72; 30 days | Swept, 2,000 and more of each with a commit that adds to it, and of eight others in their turn |
//!
//! # What goes out
//!
//! | What | Bound | At it |
//! |---|---|---|
//! | How long a message may be opened | `message_days`, 31 | List entries are sealed anew before |
//! | What one key agreement seals | 65,536 messages and one hour (`KeyAgreementInterval`, `disclose::seal`) | The next message begins another |
//! | A recipient's, signer's key | Its `expires` | Held, and counted as held |
//! | People looked at in one transaction of a new day | 500 (`pipeline::day`) | The next turn goes on; where other keys or another agreement came, it is everybody in one |
//! | Audit records rewritten in one transaction | `REWRITES`, 500, and up to 500 more (`cli::duties`) | The next transaction has the rest |
//! | Faults told of one audit | `FAULTS_LISTED`, 1,000 | The rest is counted |
