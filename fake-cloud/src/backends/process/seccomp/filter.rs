//! The seccomp program every process of a server runs under: which calls we want to see.

use libc::sock_filter;

/// The calls that are handed to the cloud; all others go to the kernel at full speed.
pub(crate) const CALLS: [i64; 3] = [libc::SYS_bind, libc::SYS_connect, libc::SYS_listen];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const ARCHITECTURE: u32 = 0xc000_00f3;

/// Offsets in `struct seccomp_data`.
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;

/// As if the kernel did not know the call.
const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// On x86-64, numbers from here on are those of its second, 32-bit way of making the same calls.
const SECOND_WAY: u32 = 0x4000_0000;

/// Assembles the program: of this architecture and one of [`CALLS`]? Ask. Another way to make the
/// same calls, be it as a program of another architecture (32-bit ones on x86-64)? There is none.
/// Otherwise allow.
pub(crate) fn program() -> Vec<sock_filter> {
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal =
        |value, yes, no| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let end = |action| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action);

    let at_least =
        |value, yes| instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, yes, 0, value);

    // Jumps count from the next instruction; at the end are allow, ask and refuse.
    let count = CALLS.len() as u8;
    let mut program = vec![load(ARCHITECTURE_OFFSET), equal(ARCHITECTURE, 0, count + 5)];
    program.push(load(NUMBER_OFFSET));
    program.push(at_least(SECOND_WAY, count + 3));
    program.push(equal(libc::SYS_io_uring_setup as u32, count + 2, 0));
    for (index, call) in (0_u8..).zip(CALLS) {
        program.push(equal(call as u32, count - index, 0));
    }
    program.push(end(libc::SECCOMP_RET_ALLOW));
    program.push(end(libc::SECCOMP_RET_USER_NOTIF));
    program.push(end(NO_SUCH_CALL));
    program
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would on a call; returns its action.
    fn run(architecture: u32, number: u32) -> u32 {
        let program = program();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            match u32::from(step.code) & 0x07 {
                libc::BPF_LD if step.k == NUMBER_OFFSET => accumulator = number,
                libc::BPF_LD => accumulator = architecture,
                libc::BPF_JMP if u32::from(step.code) & 0xf0 == libc::BPF_JGE => {
                    at += usize::from(if accumulator >= step.k { step.jt } else { step.jf });
                }
                libc::BPF_JMP => {
                    at += usize::from(if accumulator == step.k { step.jt } else { step.jf });
                }
                libc::BPF_RET => return step.k,
                other => panic!("unknown instruction class {other}"),
            }
        }
    }

    #[test]
    fn only_our_calls_are_asked_about() {
        for call in CALLS {
            assert_eq!(run(ARCHITECTURE, call as u32), libc::SECCOMP_RET_USER_NOTIF);
        }
        for call in [libc::SYS_read, libc::SYS_accept, libc::SYS_sendto, libc::SYS_execve] {
            assert_eq!(run(ARCHITECTURE, call as u32), libc::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn there_is_no_way_around() {
        assert_eq!(run(ARCHITECTURE, libc::SYS_io_uring_setup as u32), NO_SUCH_CALL);
        for call in CALLS {
            assert_eq!(run(ARCHITECTURE, SECOND_WAY | call as u32), NO_SUCH_CALL);
        }
    }

    #[test]
    fn programs_of_another_architecture_can_do_nothing() {
        for call in CALLS.into_iter().chain([libc::SYS_read]) {
            assert_eq!(run(ARCHITECTURE ^ 1, call as u32), NO_SUCH_CALL);
        }
    }
}
