//! A filter of system calls (seccomp(2)): a list of numbers, and `ENOSYS` for all others.
//!
//! A refused call is no reason to end: libraries try what is newer than this list first, and do without. The kernel's log
//! has a line for each (`audit: type=1326`, with the number of the call).
use super::calls::calls;
use super::kernel;
use nix::libc;
use std::io;
use std::mem::offset_of;

/// `AUDIT_ARCH` of the machines whose numbers are known here: number of ELF, 64 bits, little endian.
const ARCHITECTURE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else if cfg!(all(target_arch = "riscv64", target_endian = "little")) {
    Some(0xc000_00f3)
} else {
    None
};

/// Refuses, from here on, whatever is not on the list. New privileges must have been given up before.
///
/// # Errors
/// The kernel has no filters, or the numbers of this architecture are not known.
pub fn install() -> io::Result<()> {
    let Some(architecture) = ARCHITECTURE else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "there is no list for this architecture"));
    };
    kernel::install_filter(&program(architecture, &calls()))
}

/// The filter as the kernel reads it: instructions of BPF over a `seccomp_data`.
fn program(architecture: u32, calls: &[libc::c_long]) -> Vec<libc::sock_filter> {
    let refuse = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
    let allow = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW);
    let mut program = vec![
        load(offset_of!(libc::seccomp_data, arch)),
        // The next but one where they are equal.
        jump_if_equal(architecture, 1, 0),
        refuse,
        load(offset_of!(libc::seccomp_data, nr)),
    ];
    for call in calls {
        // Numbers of system calls are small and positive.
        program.extend([jump_if_equal(*call as u32, 0, 1), allow]);
    }
    program.push(refuse);
    program
}

/// Loads the word at `offset`.
fn load(offset: usize) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32)
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `yes` instructions where the loaded word is `value`, else `no`.
fn jump_if_equal(value: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: yes, jf: no, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use std::process::Command;
    use std::thread;

    /// In a thread of its own, which is the only one that the filter concerns.
    fn filtered<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
        let confined = move || {
            nix::sys::prctl::set_no_new_privs().expect("always allowed");
            install().expect("the kernel has filters");
            act()
        };
        thread::spawn(confined).join().expect("no panic")
    }

    #[test]
    fn what_is_not_on_the_list_is_not_there() {
        filtered(|| {
            let unmounted = nix::mount::umount("/underpass/no/such/place");
            assert_eq!(unmounted, Err(Errno::ENOSYS));
            assert_eq!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS), Err(Errno::ENOSYS));
        });
    }

    #[test]
    fn no_program_is_run() {
        filtered(|| {
            let ran = Command::new("/bin/true").status();
            assert_eq!(ran.expect_err("refused").raw_os_error(), Some(libc::ENOSYS));
        });
    }

    #[test]
    fn threads_files_sockets_and_names_go_on() {
        filtered(|| {
            assert_eq!(thread::spawn(|| 7).join().expect("a thread"), 7);
            let directory = tempfile::tempdir().expect("a directory");
            let file = directory.path().join("file");
            std::fs::write(&file, "text").expect("writes");
            std::fs::rename(&file, directory.path().join("other")).expect("renames");
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.send_to(b"hello", socket.local_addr().expect("an address")).expect("sends");
            let found = std::net::ToSocketAddrs::to_socket_addrs("localhost:1").expect("resolves");
            assert!(found.count() > 0);
        });
    }
}
