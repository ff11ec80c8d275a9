//! Visitors of a web application: they ask all the time, and note every answer.
//!
//! Each is a thread with a connection of its own, kept or new for each request, and asks again a
//! moment after it has the answer. Nothing is tried again: what went wrong is counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a visitor looks at an answer. Without it a few of them would take all processors from what
/// they are to watch.
const LOOKING: Duration = Duration::from_millis(3);

/// Visitors at work.
#[derive(Debug)]
pub struct Load {
    answers: Arc<Mutex<Answers>>,
    visitors: Vec<Visitor>,
}

/// One, who leaves when the sender is gone.
#[derive(Debug)]
struct Visitor {
    stay: Sender<()>,
    thread: JoinHandle<()>,
}

/// How often each answer came: the body of a `200`, or what went wrong.
#[derive(Debug, Default, Clone)]
pub struct Answers {
    /// Bodies.
    pub good: BTreeMap<String, u64>,
    /// Other statuses, and connections that broke.
    pub failed: BTreeMap<String, u64>,
}

/// Whether a visitor keeps its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// As long as the server does.
    Kept,
    /// A new one for each request.
    New,
}

impl Load {
    /// Sends so many visitors to a page.
    ///
    /// # Panics
    /// When no thread can be started.
    #[must_use]
    pub fn start(address: impl Into<SocketAddr>, path: &str, visitors: &[Connection]) -> Self {
        let address = address.into();
        let answers = Arc::<Mutex<Answers>>::default();
        let visitor = |connection: &Connection| {
            let (connection, path, answers) = (*connection, path.to_owned(), Arc::clone(&answers));
            let (stay, stays) = channel();
            let visit = move || visit(address, &path, connection, &stays, &answers);
            Visitor { stay, thread: std::thread::spawn(visit) }
        };
        let visitors = visitors.iter().map(visitor).collect();
        Self { answers, visitors }
    }

    /// What was answered so far.
    ///
    /// # Panics
    /// When a visitor has.
    #[must_use]
    pub fn so_far(&self) -> Answers {
        self.answers.lock().expect("no visitor panics").clone()
    }

    /// Sends the visitors home.
    ///
    /// # Panics
    /// When a visitor has.
    #[must_use]
    pub fn end(self) -> Answers {
        let leave = |Visitor { stay, thread }| {
            drop(stay);
            thread
        };
        let leaving: Vec<JoinHandle<()>> = self.visitors.into_iter().map(leave).collect();
        for thread in leaving {
            thread.join().expect("no visitor panics");
        }
        self.answers.lock().expect("no visitor panics").clone()
    }
}

impl Answers {
    /// How many requests were answered with `200`.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.good.values().sum()
    }
}

fn visit(
    address: SocketAddr,
    path: &str,
    connection: Connection,
    stays: &Receiver<()>,
    answers: &Mutex<Answers>,
) {
    let mut kept = None;
    while stays.recv_timeout(LOOKING) == Err(RecvTimeoutError::Timeout) {
        let answer = ask(address, path, connection, &mut kept);
        let mut answers = answers.lock().expect("no visitor panics");
        let count = match answer {
            Ok((200, body)) => answers.good.entry(body),
            Ok((status, _)) => answers.failed.entry(status.to_string()),
            Err(error) => answers.failed.entry(format!("{:?}: {error}", error.kind())),
        };
        *count.or_default() += 1;
    }
}

/// One request and its answer, on the kept connection if there is one.
fn ask(
    address: SocketAddr,
    path: &str,
    connection: Connection,
    kept: &mut Option<BufReader<TcpStream>>,
) -> io::Result<(u16, String)> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            BufReader::new(stream)
        }
    };
    let how = if connection == Connection::New { "Connection: close\r\n" } else { "" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{how}\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let (status, headers) = head(&mut stream)?;
    let header = |name: &str| headers.get(name).map(String::as_str);
    let body = match header("content-length") {
        Some(length) => {
            let length: u64 = length.parse().map_err(|_| ErrorKind::InvalidData)?;
            let mut body = String::new();
            Read::by_ref(&mut stream).take(length).read_to_string(&mut body)?;
            if body.len() as u64 != length {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            body
        }
        None if header("transfer-encoding") == Some("chunked") => chunks(&mut stream)?,
        None => return Err(io::Error::other("an answer without an end")),
    };
    if header("connection") != Some("close") {
        *kept = Some(stream);
    }
    Ok((status, body))
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn head(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, BTreeMap<String, String>)> {
    let status = line(stream)?;
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut headers = BTreeMap::new();
    loop {
        let line = line(stream)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok((status.ok_or(ErrorKind::InvalidData)?, headers))
}

fn chunks(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut body = String::new();
    loop {
        let length = u64::from_str_radix(&line(stream)?, 16).map_err(|_| ErrorKind::InvalidData)?;
        Read::by_ref(stream).take(length).read_to_string(&mut body)?;
        line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}
