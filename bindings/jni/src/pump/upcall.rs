//! What is asked of Java, and told: no more than one call for a socket and one for the end.
use super::PumpError;
use jni::objects::{JObject, JValue};
use jni::refs::Global;
use jni::{JavaVM, jni_sig, jni_str};
use std::os::fd::AsRawFd;
use underpass_carry::udp::Protect;
use underpass_uniffi::logging::{LogLevel, say};

/// Asks `protector`, a `SocketProtector`, about each socket. An exception is a refusal.
pub(crate) fn protect(vm: JavaVM, protector: Global<JObject<'static>>) -> Protect {
    std::sync::Arc::new(move |socket| {
        let socket = socket.as_raw_fd();
        let answer = vm.attach_current_thread(|env| -> jni::errors::Result<bool> {
            env.call_method(&protector, jni_str!("protect"), jni_sig!("(I)Z"), &[JValue::Int(socket)])?.z()
        });
        match answer {
            Ok(protected) => {
                if !protected {
                    say(LogLevel::Error, format_args!("a socket was refused protection"));
                }
                protected
            }
            Err(_) => {
                say(LogLevel::Error, format_args!("the protector threw: its socket counts as refused"));
                false
            }
        }
    })
}

/// Tells `listener`, a `NativePump.Listener`, that the pump has ended by itself. What it throws is passed over.
pub(crate) fn on_stopped(vm: JavaVM, listener: Global<JObject<'static>>) -> super::OnStopped {
    Box::new(move |error: PumpError| {
        let told = vm.attach_current_thread(|env| -> jni::errors::Result<()> {
            env.call_method(&listener, jni_str!("stopped"), jni_sig!("(I)V"), &[JValue::Int(error.code())])?.v()
        });
        if told.is_err() {
            say(LogLevel::Warn, format_args!("who was told of the end of the pump threw"));
        }
    })
}

/// That this thread is one of Java's for as long as this lives: a daemon, which keeps no program alive, for all that the tunnel
/// calls from it.
pub(crate) struct Attached {
    vm: Option<JavaVM>,
}

impl Attached {
    /// Attaches this thread, where there is a Java.
    pub(crate) fn new() -> Self {
        let vm = JavaVM::singleton().ok();
        let attached = vm.filter(super::door::attach_as_daemon);
        Self { vm: attached }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(vm) = &self.vm {
            super::door::detach(vm);
        }
    }
}
