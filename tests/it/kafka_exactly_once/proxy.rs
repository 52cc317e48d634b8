//! Stands between daemons and broker: passes frames on, is cut and mended, and swallows what a commit says or is told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// EndTxn in Kafka's protocol: commit or abort.
const END_TXN: [u8; 2] = 26_u16.to_be_bytes();

/// A way to the broker that can be disturbed.
pub(super) struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cut: AtomicBool,
    /// How many of the next ends of transactions the broker is not to hear of.
    lost_requests: AtomicU32,
    /// How many of them it hears of, but its answer is lost.
    lost_answers: AtomicU32,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens on one port and passes on to the other, until the process ends.
    pub(super) fn start(listen: u16, broker: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", listen)).expect("the port is free");
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                // A client that finds nobody behind us finds nobody.
                let Ok(server) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
                its.connect(&client, &server);
            }
        });
        Self { shared }
    }

    /// Ends every connection and every new one.
    pub(super) fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open().drain(..) {
            // It may be closed already.
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// Passes on again.
    pub(super) fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    /// The broker does not hear of the next ends of transactions.
    pub(super) fn lose_commits(&self, count: u32) {
        self.shared.lost_requests.store(count, Ordering::SeqCst);
    }

    /// The broker ends the next transactions, and nobody hears of it.
    pub(super) fn lose_answers(&self, count: u32) {
        self.shared.lost_answers.store(count, Ordering::SeqCst);
    }

    /// How many of what was to be lost still is to be.
    pub(super) fn to_lose(&self) -> u32 {
        self.shared.lost_requests.load(Ordering::SeqCst) + self.shared.lost_answers.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) {
        if self.cut.load(Ordering::SeqCst) {
            return;
        }
        let clone = |stream: &TcpStream| stream.try_clone().expect("a connection can be shared");
        self.open().extend([clone(client), clone(server)]);
        // Correlation ids whose answers are not passed on.
        let swallowed: Arc<Mutex<Vec<[u8; 4]>>> = Arc::default();
        let (shared, noted) = (Arc::clone(self), Arc::clone(&swallowed));
        let there = (clone(client), clone(server));
        std::thread::spawn(move || {
            pass_on(there.0, there.1, |frame| {
                let (Some(kind), Some(id)) = (frame.get(..2), frame.get(4..8)) else { return true };
                if kind != END_TXN || take_one(&shared.lost_requests) {
                    return kind != END_TXN;
                }
                if take_one(&shared.lost_answers) {
                    noted.lock().expect("unbroken").push(id.try_into().expect("four bytes"));
                }
                true
            });
        });
        let back = (clone(server), clone(client));
        std::thread::spawn(move || {
            pass_on(back.0, back.1, |frame| {
                let mut swallowed = swallowed.lock().expect("unbroken");
                let found = swallowed.iter().position(|id| frame.starts_with(id));
                found.map(|place| swallowed.swap_remove(place)).is_none()
            });
        });
    }
}

fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// Passes frames on that `wanted` lets through, until either side ends.
fn pass_on(mut from: TcpStream, mut to: TcpStream, wanted: impl Fn(&[u8]) -> bool) {
    let mut next = || -> std::io::Result<()> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        if wanted(&frame) {
            to.write_all(&[length.as_slice(), &frame].concat())?;
        }
        Ok(())
    };
    while next().is_ok() {}
    for stream in [from, to] {
        // The other side may have closed it.
        stream.shutdown(Shutdown::Both).ok();
    }
}
