//! The log on Kafka: how priorityd scales out and fails over. Nothing is kept on the disk of the machine it runs on.
//!
//! One consumer group reads the co-partitioned feeds; a transactional producer writes lists, alerts, rejections, audit,
//! the register's changelog and the group's positions as one transaction (KIP-447). A partition that is gained is
//! restored from the changelog before it is read.
//!
//! Why a zombie cannot do harm: every transaction carries positions under the group's generation, so one of an instance
//! that lost its partitions is refused. Whoever gains a partition first asks for its positions, which waits for every
//! transaction that has already passed that check, and then reads the changelog up to where it ended at that moment.
//!
//! Everything is `read_committed`; the one exception asks for the end of a changelog with open transactions included.

mod access;
pub mod acls;
mod admin;
mod client;
mod daemon;
mod errors;
mod events;
mod feeder;
mod restore;
mod scram;
mod settings;
mod settle_in;
pub mod topics;
mod transactor;
mod watchdog;
mod wire;

pub use self::access::KafkaAccess;
pub use self::admin::KafkaAdmin;
pub use self::client::KafkaClient;
pub use self::daemon::KafkaLog;
pub use self::feeder::KafkaFeeder;
pub use self::settings::{ClientCertificate, KafkaSettings, OnRestore, OnStuck, Scram, ScramMechanism, Tls};
pub use self::settle_in::{Contents, settle_in};

/// The changelog of the register: compacted, partitioned like the feeds.
pub const REGISTER_TOPIC: &str = "register.v1";
