//! The connection to libvirt, and what it tells of machines that end.

#![expect(unsafe_code, reason = "the bindings have no safe way to listen to events")]

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::ErrorNumber;
use virt::{error, event};
use virt_sys as sys;

use super::domain::NAMESPACE;
use crate::backends::BackendError;

/// What libvirt tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A machine has ended, and why.
    Stopped(Uuid, &'static str),
    /// The connection was lost and is there again: who ended meanwhile is not told.
    Reconnected,
}

/// libvirt, as long as it can be reached.
#[derive(Debug)]
pub(super) struct Hypervisor {
    /// Where it is; its own default when not given.
    uri: Option<String>,
    events: UnboundedSender<Event>,
    session: Mutex<Arc<Session>>,
}

/// One connection, listened to until it is dropped.
#[derive(Debug)]
struct Session {
    connect: Connect,
    callback: c_int,
}

/// For `map_err`: names the step that failed.
pub(super) fn failed(step: impl Into<String>) -> impl FnOnce(error::Error) -> BackendError {
    let step = step.into();
    move |error| BackendError::step(step)(io::Error::other(error.message().to_owned()))
}

impl Hypervisor {
    /// Connects; from now on the end of every machine is told.
    pub(super) fn open(
        uri: Option<String>,
        events: UnboundedSender<Event>,
    ) -> Result<Self, BackendError> {
        run_event_loop().map_err(BackendError::step("listen to libvirt"))?;
        let session = Mutex::new(Arc::new(Session::open(uri.as_deref(), &events)?));
        Ok(Self { uri, events, session })
    }

    /// Does something with the connection, which is made anew when libvirt was restarted.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connect) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let session = {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            if !session.connect.is_alive().unwrap_or(false) {
                *session = Arc::new(Session::open(self.uri.as_deref(), &self.events)?);
                // Nobody listens when the backend itself is ending.
                let _ = self.events.send(Event::Reconnected);
            }
            Arc::clone(&session)
        };
        work(&session.connect)
    }

    /// Does something with a server's domain; nothing when there is none.
    pub(super) fn with_domain<T>(
        &self,
        id: Uuid,
        work: impl FnOnce(&Domain) -> Result<T, BackendError>,
    ) -> Result<Option<T>, BackendError> {
        self.with(|connect| match Domain::lookup_by_uuid(connect, id) {
            Ok(domain) => work(&domain).map(Some),
            Err(error) if error.code() == ErrorNumber::NoDomain => Ok(None),
            Err(error) => Err(failed("find the virtual machine")(error)),
        })
    }

    /// The domains that carry the mark of a cloud.
    pub(super) fn domains_of(&self, cloud: Uuid) -> Result<Vec<(Uuid, Domain)>, BackendError> {
        let mark = cloud.to_string();
        let element = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
        self.with(|connect| {
            let all = connect.list_all_domains(0).map_err(failed("list the virtual machines"))?;
            let ours = all.into_iter().filter_map(|domain| {
                // One that is just being removed, or somebody else's, has none.
                let found = domain.get_metadata(element, Some(NAMESPACE), 0).ok()?;
                Some((domain.get_uuid().ok().filter(|_| found.contains(&mark))?, domain))
            });
            Ok(ours.collect())
        })
    }
}

impl Session {
    fn open(uri: Option<&str>, events: &UnboundedSender<Event>) -> Result<Self, BackendError> {
        let name = uri.unwrap_or("at its default address");
        let step = format!("connect to libvirt {name}; does its daemon run, and may you use it?");
        let connect = Connect::open(uri).map_err(failed(step))?;
        type Callback = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);
        // SAFETY: libvirt calls a lifecycle callback with the arguments that `lifecycle` has; its
        // own type is that of the shortest callback, and is meant to be cast to.
        let callback =
            unsafe { std::mem::transmute::<*const (), Callback>(lifecycle as *const ()) };
        let sender = Box::into_raw(Box::new(events.clone()));
        // SAFETY: the connection is open, no domain means all of them, and `sender` stays valid
        // until `forget` is called with it, which happens once after the last event.
        let callback = unsafe {
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                std::ptr::null_mut(),
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE.cast_signed(),
                Some(callback),
                sender.cast(),
                Some(forget),
            )
        };
        let session = Self { connect, callback };
        if callback < 0 {
            return Err(failed("listen to libvirt")(error::Error::last_error()));
        }
        Ok(session)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.callback >= 0 {
            // SAFETY: the callback was registered with this connection, which is still open.
            unsafe {
                sys::virConnectDomainEventDeregisterAny(self.connect.as_ptr(), self.callback);
            }
        }
        // There is nothing to be done about one that does not close.
        let _ = self.connect.close();
    }
}

/// Called by libvirt when something happens to a domain.
///
/// # Safety
/// `domain` is a domain, and `sender` what was registered with this callback.
unsafe extern "C" fn lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    sender: *mut c_void,
) -> c_int {
    if event.cast_unsigned() != sys::VIR_DOMAIN_EVENT_STOPPED {
        return 0;
    }
    let mut id = [0; sys::VIR_UUID_BUFLEN as usize];
    // SAFETY: libvirt lends the domain for the time of this call, and writes as many bytes as the
    // constant says.
    if unsafe { sys::virDomainGetUUID(domain, id.as_mut_ptr()) } == 0 {
        let reason = match detail.cast_unsigned() {
            sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN => "it shut down",
            sys::VIR_DOMAIN_EVENT_STOPPED_DESTROYED => "it was destroyed",
            sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED => "it crashed",
            _ => "its virtual machine failed",
        };
        // SAFETY: it is the sender that was registered, and not yet given to `forget`.
        let sender = unsafe { &*sender.cast::<UnboundedSender<Event>>() };
        // Nobody listens when the backend itself is ending.
        let _ = sender.send(Event::Stopped(Uuid::from_bytes(id), reason));
    }
    0
}

/// Called by libvirt when a callback is used no more.
///
/// # Safety
/// `sender` is what was registered with the callback.
unsafe extern "C" fn forget(sender: *mut c_void) {
    // SAFETY: it was made by `Box::into_raw`, and libvirt calls this once.
    drop(unsafe { Box::from_raw(sender.cast::<UnboundedSender<Event>>()) });
}

/// Starts the thread that waits for events of all connections; once in a process.
fn run_event_loop() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || {
        // It would print every error; ours go to whoever asked.
        error::clear_error_callback();
        event::event_register_default_impl().map_err(|error| error.message().to_owned())?;
        let run = || while event::event_run_default_impl().is_ok() {};
        let thread = thread::Builder::new().name("libvirt".to_owned()).spawn(run);
        thread.map(drop).map_err(|error| error.to_string())
    };
    STARTED.get_or_init(start).clone().map_err(io::Error::other)
}
