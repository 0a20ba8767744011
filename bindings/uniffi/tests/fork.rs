//! A tunnel in the child of a fork: two processes must not seal under the same keys. Alone in its program, since it forks.
mod scene;

use scene::Scene;

/// Runs `body` in a child of this process, and says whether it came to true.
fn in_a_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has this thread alone, and no lock is held: the tunnels are at rest, and the allocator of the system
    // forks in good order.
    match unsafe { libc::fork() } {
        0 => {
            let is_so = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(false);
            // SAFETY: it ends the child, without what this process would do at its own end.
            unsafe { libc::_exit(i32::from(!is_so)) }
        }
        child => {
            assert!(child > 0, "there is a child");
            let mut status = 0;
            // SAFETY: `status` is ours.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

#[test]
fn a_child_has_no_session_and_its_parent_keeps_its_own() {
    let mut scene = Scene::connected();
    let sessions = |scene: &Scene| scene.phone.tunnel.statistics().expect("it is open").keypairs;
    assert!(sessions(&scene) > 0);
    let is_so = in_a_child(|| sessions(&scene) == 0 && scene.phone.tunnel.set_mtu(1280).is_ok());
    assert!(is_so, "the child began anew");
    assert!(!in_a_child(|| sessions(&scene) > 0), "and this test can tell");
    scene.phone_sends();
    assert_eq!(scene.gateway.packets.len(), 2);
    assert_eq!(scene.phone.tunnel.statistics().expect("it is open").handshakes, 1);
}
