//! What Java calls: the static functions of `NativePump`.
use super::{Pump, PumpError, registry, upcall};
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{JNI_OK, jint, jlong};
use jni::{Env, EnvUnowned, JavaVM, NativeMethod, Outcome, jni_str};
use nix::fcntl::{FcntlArg, fcntl};
use std::ffi::c_void;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use underpass_core::Status;

/// Names the functions of `NativePump`.
pub(crate) fn register(env: &mut Env<'_>) -> jni::errors::Result<()> {
    let class = env.find_class(jni_str!("org/underpass/tunnel/internal/NativePump"))?;
    let start_takes =
        jni_str!("(JILorg/underpass/tunnel/SocketProtector;Lorg/underpass/tunnel/internal/NativePump$Listener;)J");
    // SAFETY: each function has the arguments that its signature says, after the two that static functions have.
    let methods = unsafe {
        [
            NativeMethod::from_raw_parts(jni_str!("start"), start_takes, start as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("rebind"), jni_str!("(J)I"), rebind as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("replaceTun"), jni_str!("(JI)I"), replace_tun as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("statistics"), jni_str!("(J[J)I"), statistics as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("stop"), jni_str!("(J)I"), stop as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("close"), jni_str!("(J)V"), close as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("livePumps"), jni_str!("()I"), live_pumps as *mut c_void),
        ]
    };
    // SAFETY: as above; they are functions of this library, which Java does not unload before the class.
    unsafe { env.register_native_methods(class, &methods) }
}

/// Attaches this thread to Java as a daemon. `false`: it did not work, or the thread is Java's already.
pub(super) fn attach_as_daemon(vm: &JavaVM) -> bool {
    let (vm, mut env) = (vm.get_raw(), ptr::null_mut());
    // SAFETY: `vm` is the machine that Java handed over; both functions are those of its table and have been in it since 1.4,
    // and write one pointer each.
    unsafe {
        ((**vm).v1_2.GetEnv)(vm, &raw mut env, jni::sys::JNI_VERSION_1_6) != JNI_OK
            && ((**vm).v1_4.AttachCurrentThreadAsDaemon)(vm, &raw mut env, ptr::null_mut()) == JNI_OK
    }
}

/// Detaches this thread, which [`attach_as_daemon`] attached and which has no work of Java under way.
pub(super) fn detach(vm: &JavaVM) {
    let vm = vm.get_raw();
    // SAFETY: as above; nothing of this thread refers to Java any more.
    unsafe { ((**vm).v1_1.DetachCurrentThread)(vm) };
}

extern "system" fn start<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    data_plane_id: jlong,
    tun: jint,
    protector: JObject<'l>,
    listener: JObject<'l>,
) -> jlong {
    let outcome = env.with_env(|env| -> jni::errors::Result<jlong> {
        let started = begin(env, data_plane_id, tun, &protector, &listener);
        Ok(started.unwrap_or_else(|error| error.code().into()))
    });
    match outcome.into_outcome() {
        Outcome::Ok(answer) => answer,
        Outcome::Err(_) => Status::Argument.code().into(),
        Outcome::Panic(_) => Status::Panic.code().into(),
    }
}

fn begin(
    env: &mut Env<'_>,
    data_plane_id: jlong,
    tun: jint,
    protector: &JObject<'_>,
    listener: &JObject<'_>,
) -> Result<jlong, PumpError> {
    let memory = |_| PumpError::Status(Status::Memory);
    if protector.is_null() {
        return Err(PumpError::Status(Status::Null));
    }
    let vm = env.get_java_vm().map_err(memory)?;
    let protect = upcall::protect(vm.clone(), env.new_global_ref(protector).map_err(memory)?);
    let on_stopped = if listener.is_null() {
        None
    } else {
        Some(upcall::on_stopped(vm, env.new_global_ref(listener).map_err(memory)?))
    };
    let tunnel = underpass_uniffi::of_data_plane(data_plane_id.cast_unsigned());
    let tunnel = tunnel.ok_or(PumpError::Status(Status::Null))?;
    let number = registry::number()?;
    let pump = Pump::start(tunnel, own(tun)?, protect, on_stopped).map_err(|(error, tun)| {
        // It stays Java's, open.
        _ = tun.into_raw_fd();
        error
    })?;
    registry::list(number, pump);
    Ok(number)
}

/// A descriptor that Java hands over.
fn own(number: jint) -> Result<OwnedFd, PumpError> {
    let bad = PumpError::Status(Status::Argument);
    if number < 0 {
        return Err(bad);
    }
    // SAFETY: it is only asked whether it is open, and -1 is excluded.
    let open = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD);
    open.map_err(|_| bad)?;
    // SAFETY: it is open, and Java gives it up by this call: it is asked to close it nowhere else from now on.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn guarded(body: impl FnOnce() -> Result<jint, PumpError>) -> jint {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    outcome.unwrap_or(Err(PumpError::Status(Status::Panic))).unwrap_or_else(PumpError::code)
}

extern "system" fn rebind<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, pump: jlong) -> jint {
    guarded(|| registry::find(pump)?.rebind().map(|()| 0))
}

extern "system" fn replace_tun<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, pump: jlong, tun: jint) -> jint {
    guarded(|| {
        let pump = registry::find(pump)?;
        match pump.replace_tun(own(tun)?) {
            Ok(old) => Ok(old.into_raw_fd()),
            Err((error, tun)) => {
                // It stays Java's, open.
                _ = tun.map(IntoRawFd::into_raw_fd);
                Err(error)
            }
        }
    })
}

/// Writes the numbers into `into`, in the order of `PumpStatistics`.
extern "system" fn statistics<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    pump: jlong,
    into: JLongArray<'l>,
) -> jint {
    let outcome = env.with_env(|env| -> jni::errors::Result<jint> {
        let numbers = match registry::find(pump) {
            Ok(pump) => pump.statistics(),
            Err(error) => return Ok(error.code()),
        };
        let [packets_out, bytes_out, batches_out] = numbers.out;
        let [packets_in, bytes_in, batches_in] = numbers.inward;
        let (drops, wakeups) = (numbers.drops, numbers.wakeups);
        let all = [packets_out, bytes_out, batches_out, packets_in, bytes_in, batches_in, drops, wakeups];
        into.set_region(env, 0, &all.map(u64::cast_signed))?;
        Ok(0)
    });
    match outcome.into_outcome() {
        Outcome::Ok(answer) => answer,
        Outcome::Err(_) => Status::Argument.code(),
        Outcome::Panic(_) => Status::Panic.code(),
    }
}

/// Stops a pump: the descriptor of its interface, or a code.
extern "system" fn stop<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, pump: jlong) -> jint {
    guarded(|| {
        let tun = registry::find(pump)?.stop()?;
        drop(registry::unlist(pump));
        tun.map(IntoRawFd::into_raw_fd).ok_or(PumpError::Status(Status::Null))
    })
}

extern "system" fn close<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, pump: jlong) {
    guarded(|| {
        if let Some(pump) = registry::unlist(pump) {
            pump.close();
        }
        Ok(0)
    });
}

extern "system" fn live_pumps<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>) -> jint {
    guarded(|| Ok(jint::try_from(registry::live()).unwrap_or(jint::MAX)))
}
