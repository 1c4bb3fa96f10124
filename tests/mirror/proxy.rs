//! A wire between a client and a server that the test can cut, stall, slow down, and half close.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a trap may wait.
const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK_BYTES: usize = 16 << 10;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// What happens to the bytes of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Pass,
    /// They wait, and nobody is told.
    Stall,
    /// Each chunk of them comes so much later.
    Delay(Duration),
    /// Whoever reads them sees their end; the other way goes on.
    End,
}

/// Something that cuts a connection, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// After so many bytes more, over all connections.
    After(Way, usize),
    /// Instead of passing on a request that holds the text.
    Request(&'static [u8]),
    /// When the server answers to a request that holds the text, instead of passing the answer on.
    /// Then the server has done what the client does not know to be done.
    AnswerTo(&'static [u8]),
}

/// A proxy before one server. Dropped, it cuts everything.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

struct Shared {
    upstream: SocketAddr,
    switches: watch::Sender<Switches>,
    trap: Mutex<Option<Trap>>,
    sprung: watch::Sender<usize>,
    accepted: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Switches {
    refuse: bool,
    to_server: Flow,
    to_client: Flow,
    /// Connections that began before the newest cut end.
    cuts: usize,
}

impl Switches {
    fn flow(&self, way: Way) -> Flow {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }
}

impl Proxy {
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let switches =
            Switches { refuse: false, to_server: Flow::Pass, to_client: Flow::Pass, cuts: 0 };
        let shared = Arc::new(Shared {
            upstream,
            switches: watch::Sender::new(switches),
            trap: Mutex::new(None),
            sprung: watch::Sender::new(0),
            accepted: AtomicUsize::new(0),
        });
        let listener = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, listener }
    }

    /// Whether new connections are closed as soon as they are made.
    pub fn refuse(&self, refuse: bool) {
        self.shared.switches.send_modify(|switches| switches.refuse = refuse);
    }

    /// What happens to the bytes of one way, from the next chunk on.
    pub fn flow(&self, way: Way, flow: Flow) {
        self.shared.switches.send_modify(|switches| match way {
            Way::ToServer => switches.to_server = flow,
            Way::ToClient => switches.to_client = flow,
        });
    }

    /// What happens to the bytes of both ways.
    pub fn flows(&self, flow: Flow) {
        self.flow(Way::ToServer, flow);
        self.flow(Way::ToClient, flow);
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        self.shared.switches.send_modify(|switches| switches.cuts += 1);
    }

    /// Neither lets anybody in nor leaves a connection standing, until [`Proxy::mend`].
    pub fn down(&self) {
        self.refuse(true);
        self.cut();
    }

    /// Does nothing but pass bytes on from now on.
    pub fn mend(&self) {
        *self.shared.trap.lock().expect("no task panicked") = None;
        self.refuse(false);
        self.flows(Flow::Pass);
    }

    /// Sets the trap, instead of one that may be set.
    pub fn set(&self, trap: Trap) {
        *self.shared.trap.lock().expect("no task panicked") = Some(trap);
    }

    fn trap(&self) -> Option<Trap> {
        *self.shared.trap.lock().expect("no task panicked")
    }

    /// Waits until so many traps have cut a connection.
    pub async fn until_sprung(&self, count: usize) {
        let mut sprung = self.shared.sprung.subscribe();
        let sprung = sprung.wait_for(|sprung| *sprung >= count);
        let sprung = tokio::time::timeout(PATIENCE, sprung).await;
        drop(sprung.unwrap_or_else(|_| {
            panic!("{count} traps are to spring, and {:?} waits", self.trap())
        }));
    }

    /// How many connections it was asked for.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        // As of now: a cut that comes while the server is dialled counts.
        let switches = shared.switches.subscribe();
        let cuts = switches.borrow().cuts;
        if !switches.borrow().refuse {
            tokio::spawn(connect(client, switches, cuts, Arc::clone(&shared)));
        }
    }
}

async fn connect(
    client: TcpStream,
    switches: watch::Receiver<Switches>,
    cuts: usize,
    shared: Arc<Shared>,
) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("the socket is open");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = switches.clone();
    let lose_answer = AtomicBool::new(false);
    let pump = |way| Pump {
        way,
        shared: &shared,
        switches: switches.clone(),
        lose_answer: &lose_answer,
        tail: Vec::new(),
    };
    let (up, down) = (pump(Way::ToServer), pump(Way::ToClient));
    tokio::select! {
        _ = async { tokio::try_join!(up.run(from_client, to_server), down.run(from_server, to_client)) } => {}
        _ = cut.wait_for(|switches| switches.cuts > cuts) => {}
    }
}

/// One way of one connection.
struct Pump<'a> {
    way: Way,
    shared: &'a Shared,
    switches: watch::Receiver<Switches>,
    /// Whether the next answer springs the trap.
    lose_answer: &'a AtomicBool,
    /// The end of what was passed on, in which a text may have begun.
    tail: Vec<u8>,
}

impl Pump<'_> {
    /// Passes on what comes until it ends, which is passed on too. An error ends the other way as
    /// well.
    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let length = tokio::select! {
                read = from.read(&mut buffer) => read?,
                () = until_ended(self.switches.clone(), self.way) => 0,
            };
            if length == 0 || self.wait_for_turn().await {
                return to.shutdown().await;
            }
            let chunk = &buffer[..length];
            let passed = self.trapped(chunk);
            to.write_all(&chunk[..passed.unwrap_or(length)]).await?;
            if passed.is_some() {
                self.shared.sprung.send_modify(|sprung| *sprung += 1);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }

    /// Waits as long as the bytes must; whether they are to end instead.
    async fn wait_for_turn(&mut self) -> bool {
        let way = self.way;
        let Ok(flow) = self
            .switches
            .wait_for(|switches| switches.flow(way) != Flow::Stall)
            .await
            .map(|now| now.flow(way))
        else {
            return true;
        };
        if let Flow::Delay(time) = flow {
            tokio::time::sleep(time).await;
        }
        flow == Flow::End
    }

    /// How many bytes are still passed on when they spring the trap.
    fn trapped(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut set = self.shared.trap.lock().expect("no task panicked");
        let passed = match set.as_mut()? {
            Trap::After(way, left) if *way == self.way => {
                let passed = (*left < chunk.len()).then_some(*left);
                *left = left.saturating_sub(chunk.len());
                passed
            }
            Trap::Request(text) if self.way == Way::ToServer => {
                finds(&mut self.tail, chunk, text).then_some(0)
            }
            Trap::AnswerTo(text) if self.way == Way::ToServer => {
                if finds(&mut self.tail, chunk, text) {
                    self.lose_answer.store(true, Ordering::SeqCst);
                }
                None
            }
            Trap::AnswerTo(_) => self.lose_answer.load(Ordering::SeqCst).then_some(0),
            _ => None,
        };
        if passed.is_some() {
            *set = None;
        }
        passed
    }
}

async fn until_ended(mut switches: watch::Receiver<Switches>, way: Way) {
    if switches.wait_for(|switches| switches.flow(way) == Flow::End).await.is_err() {
        std::future::pending().await
    }
}

/// Whether the text is in the bytes so far; `tail` keeps as much of them as the text may have begun
/// in.
fn finds(tail: &mut Vec<u8>, chunk: &[u8], text: &[u8]) -> bool {
    tail.extend_from_slice(chunk);
    let found = tail.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text));
    tail.drain(..tail.len().saturating_sub(text.len() - 1));
    found
}
