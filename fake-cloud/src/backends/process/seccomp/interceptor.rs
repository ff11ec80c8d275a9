//! The thread that answers the calls of all servers.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, epoll, eventfd};

use super::decide::{self, Action, Place};
use super::socket::{self, Caller};
use super::{filter, sys};
use crate::backends::process::sys::{Answer, Notification};
use crate::network::PortWatcher;

/// Data of the event that ends the thread; servers count from 1.
const END: u64 = 0;

/// A server's listener and what its addresses are.
struct Listener {
    descriptor: OwnedFd,
    place: Place,
}

struct Shared {
    poll: OwnedFd,
    listeners: Mutex<(u64, HashMap<u64, Arc<Listener>>)>,
    ports: Arc<dyn PortWatcher>,
}

/// Answers the calls of all servers on one thread, which ends with this value.
///
/// A thread of its own rather than a task: a server's call must be answered even while all workers
/// of the program's runtime are busy, perhaps waiting for that very server.
pub(crate) struct Interceptor {
    shared: Arc<Shared>,
    end: OwnedFd,
}

impl std::fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interceptor").finish_non_exhaustive()
    }
}

impl Interceptor {
    /// Starts the thread.
    pub(crate) fn start(ports: Arc<dyn PortWatcher>) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC)?;
        epoll::add(&poll, &end, epoll::EventData::new_u64(END), epoll::EventFlags::IN)?;
        let listeners = Mutex::new((END, HashMap::new()));
        let shared = Arc::new(Shared { poll, listeners, ports });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name("server calls".into()).spawn(move || thread.run())?;
        Ok(Self { shared, end })
    }

    /// From now on answers the calls that the listener tells of, until its server ends.
    pub(crate) fn add(&self, descriptor: OwnedFd, place: Place) -> io::Result<()> {
        sys::hand_over_at_once(&descriptor);
        let mut listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.0 += 1;
        let key = listeners.0;
        let data = epoll::EventData::new_u64(key);
        epoll::add(&self.shared.poll, &descriptor, data, epoll::EventFlags::IN)?;
        listeners.1.insert(key, Arc::new(Listener { descriptor, place }));
        Ok(())
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        // Fails only when the counter overflows.
        let _ = rustix::io::write(&self.end, &1_u64.to_ne_bytes());
    }
}

impl Shared {
    fn run(&self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.poll, spare, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "servers lose their own localhost");
                    return;
                }
            }
            for event in &events {
                let (key, flags) = (event.data.u64(), event.flags);
                if key == END {
                    return;
                }
                let listener = {
                    let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
                    listeners.1.get(&key).map(Arc::clone)
                };
                let Some(listener) = listener else { continue };
                if flags.contains(epoll::EventFlags::IN) {
                    self.serve(&listener);
                } else {
                    // No process is left under the filter.
                    let _ = epoll::delete(&self.poll, &listener.descriptor);
                    let mut listeners =
                        self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
                    listeners.1.remove(&key);
                }
            }
        }
    }

    /// Takes one call and answers it.
    fn serve(&self, listener: &Arc<Listener>) {
        // Nothing to take when the caller was killed meanwhile.
        let Ok(call) = sys::receive_notification(&listener.descriptor) else { return };
        // A server must never fail because of us: what we cannot handle goes to the kernel.
        match self.handle(listener, &call) {
            Ok(Some(answer)) => sys::answer_notification(&listener.descriptor, call.id, answer),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, ?call, "a server's call goes to the kernel as it is");
                sys::answer_notification(&listener.descriptor, call.id, Answer::Continue);
            }
        }
    }

    /// `None` when the answer follows later.
    fn handle(&self, listener: &Arc<Listener>, call: &Notification) -> io::Result<Option<Answer>> {
        let thread = call.thread.ok_or(io::ErrorKind::NotFound)?;
        let wanted = match call.number {
            libc::SYS_listen => None,
            _ => match socket::read_address(thread, call.arguments[1], call.arguments[2])? {
                // Not an IP address: none of our business.
                None => return Ok(Some(Answer::Continue)),
                some => some,
            },
        };
        debug_assert!(filter::CALLS.contains(&call.number));
        let Some(caller) = Caller::open(thread, call.arguments[0])? else {
            return Ok(Some(Answer::Continue));
        };
        // Only now is it sure that what was read belongs to the caller.
        if !sys::notification_is_valid(&listener.descriptor, call.id) {
            return Ok(None);
        }
        let facts = caller.facts()?;
        let place = listener.place;
        let leads_out = wanted
            .filter(|_| call.number == libc::SYS_connect)
            .and_then(|wanted| decide::leads_out(place, wanted));
        if leads_out.is_some_and(|to| !self.ports.may_connect(place.fixed, to, facts.stream)) {
            // Packets would be lost on the way: here the caller learns at once what it else would
            // after minutes.
            return Ok(Some(Answer::Return(Err(libc::ETIMEDOUT))));
        }
        let action = match wanted {
            None => decide::listen(place, facts),
            Some(wanted) if call.number == libc::SYS_bind => decide::bind(place, facts, wanted),
            Some(wanted) => decide::connect(place, facts, wanted),
        };
        match action {
            Action::Continue => {}
            Action::Bind(address) => return Ok(Some(Answer::Return(caller.bind(address)))),
            Action::BindAside => return Ok(Some(Answer::Return(caller.bind_aside()))),
            Action::ConnectFromOwn => caller.bind_source(place.fixed)?,
            Action::Listen(port) => self.ports.opened(place.fixed, port),
            Action::ListenUnbound => {
                let port = caller.bind_anywhere(place.fixed)?;
                self.ports.opened(place.fixed, port);
            }
            Action::Connect(address) => {
                if decide::is_unbound(facts.local) {
                    caller.bind_source(place.fixed)?;
                }
                if caller.is_nonblocking()? {
                    return Ok(Some(Answer::Return(caller.connect(address))));
                }
                connect_aside(Arc::clone(listener), call.id, caller, address)?;
                return Ok(None);
            }
        }
        Ok(Some(Answer::Continue))
    }
}

/// A blocking connect may take as long as it likes without holding up other calls.
fn connect_aside(
    listener: Arc<Listener>,
    id: u64,
    caller: Caller,
    address: std::net::SocketAddrV4,
) -> io::Result<()> {
    std::thread::Builder::new().name("server connect".into()).stack_size(64 * 1024).spawn(
        move || {
            let answer = Answer::Return(caller.connect(address));
            sys::answer_notification(&listener.descriptor, id, answer);
        },
    )?;
    Ok(())
}
