//! What Java calls: the static functions of `NativeFeed`.
use jni::objects::{JByteBuffer, JClass};
use jni::sys::{JNI_ERR, JNI_VERSION_1_6, jint, jlong};
use jni::{Env, EnvUnowned, JavaVM, NativeMethod, Outcome, jni_sig, jni_str};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use underpass_core::Status;
use underpass_feed::answer::{number, status};
use underpass_feed::feed::{Feed, sizes};
use underpass_feed::memory::{Given, Memory};
use underpass_feed::registry;

/// Called by Java when the library is loaded: names the functions of `NativeFeed`.
#[unsafe(no_mangle)]
pub extern "system" fn JNI_OnLoad(vm: *mut jni::sys::JavaVM, _reserved: *mut c_void) -> jint {
    let registered = catch_unwind(|| {
        // SAFETY: Java hands over its own machine.
        let vm = unsafe { JavaVM::from_raw(vm) };
        vm.attach_current_thread(register_all)
    });
    if matches!(registered, Ok(Ok(()))) { JNI_VERSION_1_6 } else { JNI_ERR }
}

/// Names the functions of each class that is there: an application may do without one, and its shrinker then takes it away.
fn register_all(env: &mut Env<'_>) -> jni::errors::Result<()> {
    let feed = register(env);
    if feed.is_err() {
        env.exception_clear();
    }
    #[cfg(all(feature = "pump", any(target_os = "linux", target_os = "android")))]
    {
        let pump = crate::pump::door::register(env);
        if pump.is_err() {
            env.exception_clear();
        }
        feed.or(pump)
    }
    #[cfg(not(all(feature = "pump", any(target_os = "linux", target_os = "android"))))]
    feed
}

fn register(env: &mut Env<'_>) -> jni::errors::Result<()> {
    let class = env.find_class(jni_str!("org/underpass/tunnel/internal/NativeFeed"))?;
    // SAFETY: each function has the arguments that its signature says, after the two that static functions have.
    let methods = unsafe {
        [
            NativeMethod::from_raw_parts(
                jni_str!("open"),
                jni_str!("(JLjava/nio/ByteBuffer;Ljava/nio/ByteBuffer;II)J"),
                open as *mut c_void,
            ),
            NativeMethod::from_raw_parts(jni_str!("handlePackets"), jni_str!("(JI)I"), handle_packets as *mut c_void),
            NativeMethod::from_raw_parts(
                jni_str!("handleDatagrams"),
                jni_str!("(JI)I"),
                handle_datagrams as *mut c_void,
            ),
            NativeMethod::from_raw_parts(jni_str!("pollTransmits"), jni_str!("(JI)I"), poll_transmits as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("handleTimeout"), jni_str!("(J)I"), handle_timeout as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("pollTimeout"), jni_str!("(J)J"), poll_timeout as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("sendError"), jni_str!("(JII)I"), send_error as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("headroom"), jni_str!("(J)I"), headroom as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("tailroom"), jni_str!("(J)I"), tailroom as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("transmitBuffer"), jni_str!("(J)I"), transmit_buffer as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("close"), jni_str!("(J)V"), close as *mut c_void),
            NativeMethod::from_raw_parts(jni_str!("liveFeeds"), jni_str!("()I"), live_feeds as *mut c_void),
        ]
    };
    // SAFETY: as above; they are functions of this library, which Java does not unload before the class.
    unsafe { env.register_native_methods(class, &methods) }
}

extern "system" fn open<'l>(
    mut env: EnvUnowned<'l>,
    _class: JClass<'l>,
    data_plane_id: jlong,
    slab: JByteBuffer<'l>,
    facts: JByteBuffer<'l>,
    slots: jint,
    stride: jint,
) -> jlong {
    let outcome = env.with_env(|env| -> jni::errors::Result<jlong> {
        Ok(take(env, data_plane_id, &slab, &facts, slots, stride).unwrap_or_else(|status| status.code().into()))
    });
    match outcome.into_outcome() {
        Outcome::Ok(answer) => answer,
        Outcome::Err(_) => Status::Argument.code().into(),
        Outcome::Panic(_) => Status::Panic.code().into(),
    }
}

fn take(
    env: &mut Env<'_>,
    data_plane_id: jlong,
    slab: &JByteBuffer<'_>,
    facts: &JByteBuffer<'_>,
    slots: jint,
    stride: jint,
) -> Result<jlong, Status> {
    let (slots, stride) = sizes(slots, stride)?;
    let (one, two) = (given(env, slab)?, given(env, facts)?);
    let keep = env.new_global_ref(slab).and_then(|slab| Ok((slab, env.new_global_ref(facts)?)));
    let keep = Box::new(keep.map_err(|_| Status::Memory)?);
    // SAFETY: both are direct buffers that may be written to, of these capacities; direct buffers are made of zeros, and do
    // not move as long as they are referred to, which `keep` does. A feed whose slab is another's is refused by `list`. That Java
    // leaves the slab alone while a call is under way is asked of the application: what it breaks is bytes, for all lengths
    // are read once.
    let memory = unsafe { Memory::new(one, two, slots, stride, keep) }?;
    let tunnel = underpass_uniffi::of_data_plane(data_plane_id.cast_unsigned()).ok_or(Status::Null)?;
    registry::list(Feed::new(tunnel, memory, slots, stride))
}

/// A direct buffer that may be written to: where it is, and how large.
fn given(env: &mut Env<'_>, buffer: &JByteBuffer<'_>) -> Result<Given, Status> {
    if buffer.is_null() {
        return Err(Status::Null);
    }
    let at = env.get_direct_buffer_address(buffer).map_err(|_| Status::Argument)?;
    let capacity = env.get_direct_buffer_capacity(buffer).map_err(|_| Status::Argument)?;
    let read_only = env.call_method(buffer, jni_str!("isReadOnly"), jni_sig!("()Z"), &[]).and_then(|answer| answer.z());
    match read_only {
        Ok(false) => Ok(Given { at, capacity }),
        _ => Err(Status::Argument),
    }
}

extern "system" fn handle_packets<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong, count: jint) -> jint {
    status(registry::enter(feed, |feed| feed.handle_packets(count)))
}

extern "system" fn handle_datagrams<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong, count: jint) -> jint {
    status(registry::enter(feed, |feed| feed.handle_datagrams(count)))
}

extern "system" fn poll_transmits<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong, max: jint) -> jint {
    number(registry::enter(feed, |feed| feed.poll_transmits(max)))
}

extern "system" fn handle_timeout<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) -> jint {
    status(registry::enter(feed, |feed| feed.handle_timeout()))
}

extern "system" fn poll_timeout<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) -> jlong {
    registry::enter(feed, |feed| feed.poll_timeout()).unwrap_or_else(|status| status.code().into())
}

extern "system" fn send_error<'l>(
    _env: EnvUnowned<'l>,
    _class: JClass<'l>,
    feed: jlong,
    slot: jint,
    kind: jint,
) -> jint {
    status(registry::enter(feed, |feed| feed.send_error(slot, kind)))
}

extern "system" fn headroom<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) -> jint {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.headroom())))
}

extern "system" fn tailroom<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) -> jint {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.tailroom())))
}

extern "system" fn transmit_buffer<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) -> jint {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.transmit_buffer())))
}

extern "system" fn close<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>, feed: jlong) {
    let _ = catch_unwind(AssertUnwindSafe(|| registry::close(feed)));
}

extern "system" fn live_feeds<'l>(_env: EnvUnowned<'l>, _class: JClass<'l>) -> jint {
    number(Ok(registry::live()))
}
