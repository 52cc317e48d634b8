//! Connections of whoever asks over HTTP: how many there are at once, and how long anybody may take.
//!
//! Each carries one request and its answer. Its time runs while we wait for the other end, not while we work, and slow bytes
//! do not lengthen it. Beyond the most there may be, connections wait in the kernel, where they take none of our descriptors.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections of one address at once: far more than probes, scrapers and reviewers, far fewer than a process's descriptors.
const MOST_CONNECTIONS: usize = 128;
/// For sending a request, and again for taking its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest form that a page sends, with room to spare.
const LONGEST_FORM: usize = 8 << 10;

/// An address that is listened on, with the bounds above.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Bounded {
    /// Listens.
    pub(super) async fn bind(listen: SocketAddr) -> io::Result<Self> {
        Self::with(listen, MOST_CONNECTIONS, PATIENCE).await
    }

    async fn with(listen: SocketAddr, most: usize, patience: Duration) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(listen).await?, places: Arc::new(Semaphore::new(most)), patience })
    }

    /// Serves until `stop` is done and whoever is being answered then has been, or has run out of time.
    pub(super) async fn serve(self, router: Router, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let router = router.layer(from_fn(one_request));
        axum::serve(self, router.into_make_service_with_connect_info::<Work>()).with_graceful_shutdown(stop).await
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let (stream, from) = Listener::accept(&mut self.listener).await;
        let until = Box::pin(sleep(self.patience));
        (Connection { stream, until, patience: self.patience, work: Work::default(), _place: place }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whose turn it is.
#[derive(Clone, Default)]
struct Work(Arc<AtomicU8>);

/// They send, or take their answer.
const THEIRS: u8 = 0;
/// The request is in, and there is no answer yet.
const OURS: u8 = 1;
/// There is, and their time for taking it has not begun.
const ANSWERED: u8 = 2;

impl Connected<IncomingStream<'_, Bounded>> for Work {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().work.clone()
    }
}

/// Takes in a request as a whole, so that nobody keeps a handler waiting, and has its connection end after the answer.
async fn one_request(ConnectInfo(Work(work)): ConnectInfo<Work>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = match to_bytes(body, LONGEST_FORM).await {
        Ok(body) => {
            work.store(OURS, Ordering::Relaxed);
            let response = next.run(Request::from_parts(head, Body::from(body))).await;
            work.store(ANSWERED, Ordering::Relaxed);
            response
        }
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A connection that has a place and ends when its time is up.
pub(super) struct Connection {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    patience: Duration,
    work: Work,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let turn = self.work.0.load(Ordering::Relaxed);
        if turn == ANSWERED {
            self.work.0.store(THEIRS, Ordering::Relaxed);
            let until = Instant::now() + self.patience;
            self.until.as_mut().reset(until);
        }
        if turn != OURS && self.until.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use axum::routing::get;
    use tokio::sync::oneshot;

    use super::*;

    const MOST: usize = 4;
    /// Short, and long enough for a busy machine to take in what has been sent.
    const BRIEF: Duration = Duration::from_secs(1);
    /// No test waits for this long unless it fails.
    const LONG: Duration = Duration::from_secs(60);
    const ASKED: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A small site with a patience of its own.
    struct Served {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        thread: Option<JoinHandle<()>>,
    }

    impl Served {
        fn with(patience: Duration) -> Self {
            let (stop, stopped) = oneshot::channel();
            let (tell, told) = mpsc::sync_channel(1);
            let thread = thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let any = SocketAddr::from(([127, 0, 0, 1], 0));
                    let bounded = Bounded::with(any, MOST, patience).await.expect("listens");
                    tell.send(bounded.local_addr().expect("an address")).expect("somebody waits");
                    let slow = async move || {
                        sleep(2 * patience).await;
                        "done"
                    };
                    let router = Router::new().route("/", get("here").post(async |body: String| body));
                    let router =
                        router.route("/slow", get(slow).post(slow)).route("/large", get(async || vec![b'x'; 64 << 20]));
                    bounded.serve(router, async { drop(stopped.await) }).await.expect("serves");
                });
            });
            let address = told.recv().expect("it listens");
            Self { address, stop: Some(stop), thread: Some(thread) }
        }

        /// Connects and sends this.
        fn say(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).expect("connects");
            stream.set_read_timeout(Some(LONG)).expect("set");
            stream.write_all(text.as_bytes()).expect("sent");
            stream
        }

        fn stop(&mut self) {
            self.stop.take().map(|stop| stop.send(()));
            self.thread.take().into_iter().for_each(|thread| thread.join().expect("it ends"));
        }
    }

    /// All that comes until the connection ends; how it ends may differ.
    fn answer(mut stream: TcpStream) -> String {
        let mut read = Vec::new();
        if let Err(error) = stream.read_to_end(&mut read) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "it ends");
        }
        String::from_utf8(read).expect("text")
    }

    #[test]
    fn whoever_never_ends_their_request_leaves_and_the_next_is_served() {
        let mut served = Served::with(BRIEF);
        let halves = ["", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nfour"];
        let open: Vec<_> = halves.iter().cycle().take(3 * MOST).map(|half| served.say(half)).collect();
        assert!(answer(served.say(ASKED)).ends_with("\r\n\r\nhere"));
        for stream in open {
            assert!(!answer(stream).contains(" 200 "));
        }
        served.stop();
    }

    #[test]
    fn slow_bytes_do_not_lengthen_it() {
        let mut served = Served::with(BRIEF);
        let mut drips: Vec<_> = (0..MOST).map(|_| served.say("GET / HTTP/1.1\r\nX: ")).collect();
        // Each writes until its connection is gone.
        let dripping = thread::spawn(move || {
            while !drips.is_empty() {
                drips.retain_mut(|stream| stream.write_all(b"x").is_ok());
                thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(answer(served.say(ASKED)).ends_with("\r\n\r\nhere"));
        dripping.join().expect("all are gone");
        served.stop();
    }

    #[test]
    fn whoever_does_not_take_their_answer_leaves() {
        let mut served = Served::with(BRIEF);
        let open: Vec<_> = (0..MOST).map(|_| served.say("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
        assert!(answer(served.say(ASKED)).ends_with("\r\n\r\nhere"));
        drop(open);
        served.stop();
    }

    #[test]
    fn the_time_that_we_take_is_not_theirs() {
        let mut served = Served::with(BRIEF);
        let form = "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nfour";
        for (method, rest) in [("GET", "\r\n"), ("POST", form)] {
            let answer = answer(served.say(&format!("{method} /slow HTTP/1.1\r\nHost: localhost\r\n{rest}")));
            assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
            assert!(answer.contains("connection: close"), "{answer}");
        }
        served.stop();
    }

    #[test]
    fn no_more_than_the_most_are_taken_in_at_once() {
        let mut served = Served::with(LONG);
        let open: Vec<_> = (0..MOST).map(|_| served.say("GET /")).collect();
        let mut waiting = served.say(ASKED);
        waiting.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
        assert!(waiting.read(&mut [0; 1]).is_err(), "it waits in the kernel");
        waiting.set_read_timeout(Some(LONG)).expect("set");
        drop(open);
        assert!(answer(waiting).ends_with("\r\n\r\nhere"));
        served.stop();
    }

    #[test]
    fn a_body_beyond_the_longest_form_is_refused() {
        let mut served = Served::with(LONG);
        for (length, is_taken) in [(LONGEST_FORM, true), (LONGEST_FORM + 1, false)] {
            let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
            let answer = answer(served.say(&(head + &"x".repeat(length))));
            assert_eq!(answer.contains(" 200 "), is_taken, "{}", answer.lines().next().unwrap_or_default());
        }
        served.stop();
    }

    #[test]
    fn a_stop_does_not_wait_for_ever_for_a_request() {
        let mut served = Served::with(BRIEF);
        let open = served.say("GET / HTTP/1.1\r\n");
        served.stop();
        drop(open);
    }
}
