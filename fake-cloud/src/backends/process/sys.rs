//! The system calls that no crate we use offers safely: but for loop devices, all unsafe code of the backend is here.
#![expect(
    unsafe_code,
    reason = "raw system calls, each wrapped in a function that is safe to call"
)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::ioctl::{IntegerSetter, NoArg, ioctl, opcode};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Moves this process into new namespaces. The process must have one thread: the kernel refuses a
/// new user namespace otherwise.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: the unsafe case is `UnshareFlags::FILES`, which would break I/O safety.
    unsafe { rustix::thread::unshare_unsafe(namespaces.difference(UnshareFlags::FILES)) }?;
    Ok(())
}

/// Which of the two processes a call of [`clone_sibling`] returned in.
pub(crate) enum Clone {
    /// The caller; the descriptor refers to the new process.
    Caller(OwnedFd),
    /// The new process, a copy of the caller.
    New,
}

/// Wider than what libc has it as.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks a process whose parent is the caller's parent, in a control group of version 2 if one is
/// given. Only for a process with a single thread.
pub(crate) fn clone_sibling(group: Option<BorrowedFd<'_>>) -> io::Result<Clone> {
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_PARENT | libc::CLONE_PIDFD;
    // SAFETY: without CLONE_VM this is a fork: the copy has its own memory and stack. The caller
    // has one thread, so no lock is held in the copy. The kernel writes `pidfd` only; it reads the
    // arguments of the newer call, a plain structure in which zero means nothing.
    let pid = unsafe {
        match group {
            Some(group) => {
                let mut arguments: libc::clone_args = std::mem::zeroed();
                arguments.flags = CLONE_INTO_CGROUP | flags as u64;
                arguments.pidfd = (&raw mut pidfd).expose_provenance() as u64;
                arguments.cgroup = group.as_raw_fd() as u64;
                let size = size_of::<libc::clone_args>();
                libc::syscall(libc::SYS_clone3, &raw const arguments, size)
            }
            None => libc::syscall(
                libc::SYS_clone,
                libc::c_long::from(flags | libc::SIGCHLD),
                0 as libc::c_long,
                &raw mut pidfd,
                0 as libc::c_long,
                0 as libc::c_long,
            ),
        }
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Clone::New),
        // SAFETY: on success the kernel stored a descriptor that nobody else owns.
        _ => Ok(Clone::Caller(unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// Blocks SIGCHLD and SIGTERM and returns a descriptor that is readable when one of them came.
pub(crate) fn signal_descriptor() -> io::Result<OwnedFd> {
    // SAFETY: `signals` is initialised by sigemptyset before it is read; the descriptor that
    // signalfd returns is new and ours.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::sigaddset(&raw mut signals, libc::SIGTERM);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor =
            libc::signalfd(-1, &raw const signals, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Installs a seccomp filter on this process and all its future children. The descriptor tells of
/// each call that the filter hands to user space.
pub(crate) fn install_filter(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    // Without WAIT_KILLABLE_RECV (Linux 5.19) a signal restarts the call, and the work with it.
    let plain = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let killable = plain | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    for flags in [killable, plain] {
        // SAFETY: the kernel copies the program, which outlives the call, and does not write it.
        let listener = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::c_long::from(libc::SECCOMP_SET_MODE_FILTER),
                flags,
                &raw const program,
            )
        };
        if let Ok(listener @ 0..) = i32::try_from(listener) {
            // SAFETY: the call returned a new descriptor that nobody else owns.
            return Ok(unsafe { OwnedFd::from_raw_fd(listener) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// Keeps this process, and all it will start, from abstract Unix sockets that others have made
/// (Landlock, Linux 6.12).
pub(crate) fn leave_abstract_sockets() -> io::Result<()> {
    /// `struct landlock_ruleset_attr` of the kernel.
    #[repr(C)]
    struct Ruleset {
        files: u64,
        network: u64,
        scoped: u64,
    }
    const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;

    let ruleset = Ruleset { files: 0, network: 0, scoped: SCOPE_ABSTRACT_UNIX_SOCKET };
    // SAFETY: the kernel reads a structure of the given size; the descriptor it returns is new and
    // ours.
    unsafe {
        let create = libc::SYS_landlock_create_ruleset;
        let made = libc::syscall(create, &raw const ruleset, size_of::<Ruleset>(), 0_u32);
        let made = i32::try_from(made).ok().filter(|descriptor| *descriptor >= 0);
        let made = OwnedFd::from_raw_fd(made.ok_or_else(io::Error::last_os_error)?);
        if libc::syscall(libc::SYS_landlock_restrict_self, made.as_raw_fd(), 0_u32) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A system call that waits for our answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notification {
    /// Names this call in the answer.
    pub(crate) id: u64,
    /// The thread that made the call, in our process namespace.
    pub(crate) thread: Option<Pid>,
    /// Number of the system call.
    pub(crate) number: i64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

/// Takes the next waiting call from the listener.
pub(crate) fn receive_notification(listener: impl AsFd) -> io::Result<Notification> {
    // SAFETY: all-zero is a valid value of this plain structure, and what the kernel demands; it
    // writes no more than its size.
    let notification = unsafe {
        let mut notification: libc::seccomp_notif = std::mem::zeroed();
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        if libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw mut notification) != 0 {
            return Err(io::Error::last_os_error());
        }
        notification
    };
    Ok(Notification {
        id: notification.id,
        thread: i32::try_from(notification.pid).ok().and_then(Pid::from_raw),
        number: i64::from(notification.data.nr),
        arguments: notification.data.args,
    })
}

/// Has the kernel hand over the processor with each call and its answer, as the two sides always wait
/// for each other (Linux 6.6). Without it they work too, slower.
pub(crate) fn hand_over_at_once(listener: impl AsFd) {
    const SET_FLAGS: rustix::ioctl::Opcode = opcode::write::<u64>(b'!', 4);
    const SYNC_WAKE_UP: usize = 1;
    // SAFETY: the argument is the flags themselves: the kernel reads no memory.
    let _ = unsafe { ioctl(listener, IntegerSetter::<SET_FLAGS>::new_usize(SYNC_WAKE_UP)) };
}

/// Whether the call still waits: if not, its thread number may belong to someone else by now.
pub(crate) fn notification_is_valid(listener: impl AsFd, id: u64) -> bool {
    let request = libc::SECCOMP_IOCTL_NOTIF_ID_VALID;
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw const id) == 0 }
}

/// How a waiting call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel carries the call out as it was made.
    Continue,
    /// The call returns 0, or fails with this error number.
    Return(Result<(), i32>),
}

/// Answers a waiting call. A call that waits no more is no error of ours: nothing is reported.
pub(crate) fn answer_notification(listener: impl AsFd, id: u64, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Return(Ok(())) => (0, 0),
        Answer::Return(Err(number)) => (-number, 0),
    };
    let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: the kernel reads the structure.
    unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request, &raw mut response) };
}

/// Reads memory of another process; the part of the buffer that was filled.
pub(crate) fn read_memory(process: Pid, address: u64, buffer: &mut [u8]) -> io::Result<&[u8]> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(
            usize::try_from(address).map_err(io::Error::other)?,
        ),
        iov_len: buffer.len(),
    };
    // SAFETY: `local` describes `buffer`, which the kernel fills; the remote address is checked by
    // the kernel against the other process.
    let count = unsafe {
        libc::process_vm_readv(
            process.as_raw_nonzero().get(),
            &raw const local,
            1,
            &raw const remote,
            1,
            0,
        )
    };
    match usize::try_from(count) {
        Ok(count) => Ok(&buffer[..count]),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Lets a socket choose its port at connect time, so that sockets bound to the same address only
/// for their source address can share a port.
pub(crate) fn set_bind_address_no_port(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Opens a descriptor for a thread rather than a whole process (Linux 6.9), as seccomp names the
/// caller by its thread.
pub(crate) fn thread_descriptor(thread: Pid) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed; the descriptor returned is new and ours.
    unsafe {
        let descriptor = libc::syscall(
            libc::SYS_pidfd_open,
            libc::c_long::from(thread.as_raw_nonzero().get()),
            libc::c_long::from(libc::PIDFD_THREAD),
        );
        match i32::try_from(descriptor) {
            Ok(descriptor @ 0..) => Ok(OwnedFd::from_raw_fd(descriptor)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Makes a detached tree of mounts read-only, with all mounts in it.
pub(crate) fn set_tree_read_only(tree: impl AsFd) -> io::Result<()> {
    set_tree(tree, libc::MOUNT_ATTR_RDONLY, 0)
}

/// Translates the owners in a detached tree of mounts by the map of a user namespace.
pub(crate) fn map_tree_users(tree: impl AsFd, users: impl AsFd) -> io::Result<()> {
    let users = users.as_fd().as_raw_fd();
    set_tree(tree, libc::MOUNT_ATTR_IDMAP, u64::from(users.cast_unsigned()))
}

fn set_tree(tree: impl AsFd, attr_set: u64, userns_fd: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the kernel reads the path, which ends with NUL, and the structure of the given size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::c_long::from(tree.as_fd().as_raw_fd()),
            c"".as_ptr(),
            libc::c_long::from(flags),
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Stops all writing to a file system, when what was written before is on its disk. It stays so
/// until [`thaw`]; who writes waits, and cannot even be killed.
pub(crate) fn freeze(root: impl AsFd) -> io::Result<()> {
    // SAFETY: the kernel does not look at the argument.
    unsafe { ioctl(root, NoArg::<{ opcode::read_write::<libc::c_int>(b'X', 119) }>::new()) }?;
    Ok(())
}

/// Lets a frozen file system go on; fails if it is not frozen.
pub(crate) fn thaw(root: impl AsFd) -> io::Result<()> {
    // SAFETY: the kernel does not look at the argument.
    unsafe { ioctl(root, NoArg::<{ opcode::read_write::<libc::c_int>(b'X', 120) }>::new()) }?;
    Ok(())
}

/// Gives this process an empty keyring of its own in place of the one of its user's session.
pub(crate) fn leave_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: without a name the call reads no memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets the runtime tell when the descriptor is readable, or whatever else is of interest.
pub(crate) fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is open and the same until it is dropped with the result.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

/// Closes every descriptor but the standard ones and this: whatever whoever started the cloud had
/// open. Only for a process that has just begun and has opened nothing else yet.
pub(crate) fn close_others(kept: impl AsFd) -> io::Result<()> {
    let kept = kept.as_fd().as_raw_fd().cast_unsigned();
    for (first, last) in [(3, kept - 1), (kept + 1, u32::MAX)] {
        // SAFETY: nothing in this process owns a descriptor in the range, as the caller promises.
        if first <= last && unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) } != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
