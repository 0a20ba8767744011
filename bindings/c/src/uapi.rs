//! The text protocol of wg, for hosts that have a control socket.
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use core::ffi::c_char;
use underpass_core::uapi::{self, EINVAL, ENOMEM, EPROTO, HostState, SetRequest};
use underpass_core::{ConfigReason, Instant, Tunnel};

/// The request sets the port to listen on.
pub const UNDERPASS_UAPI_HAS_LISTEN_PORT: u32 = 1;
/// The request sets the firewall mark.
pub const UNDERPASS_UAPI_HAS_FWMARK: u32 = 2;

/// What came of a request of wg.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_uapi_result {
    /// sizeof(underpass_uapi_result), set by the caller.
    pub size: u32,
    /// 0: applied. Else nothing was, and this is the number to answer with, with a minus sign: errno=-22. 12: there is no
    /// memory for the request.
    pub error_number: i32,
    /// UNDERPASS_UAPI_HAS_*: what is the host's to apply.
    pub flags: u32,
    /// With UNDERPASS_UAPI_HAS_FWMARK; 0: none.
    pub fwmark: u32,
    /// The line that was refused, from 1; 0: none in particular.
    pub line: u32,
    /// With UNDERPASS_UAPI_HAS_LISTEN_PORT; 0: any.
    pub listen_port: u16,
    /// 0.
    pub reserved: u16,
}

/// Applies a request of wg: the lines between set=1 and the empty line. Then poll.
/// - out: out; if error_number is 0, do what flags say and answer errno=0; else nothing was applied, and it is the
///   answer.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_uapi_set(
    tunnel: *mut underpass_tunnel,
    now: u64,
    text: *const c_char,
    len: usize,
    out: *mut underpass_uapi_result,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.record_out(out)?;
        let bytes = caller.bytes(text.cast(), len)?;
        out.put(apply(tunnel, Instant::from_nanos(now), bytes).unwrap_or_else(|refusal| refusal));
        Ok(())
    })
}

/// Writes the answer to get=1 of wg, without the errno line that ends it. It holds the private key: wipe it.
/// - listen_port, fwmark: what the host knows; 0: none.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_uapi_get(
    tunnel: *const underpass_tunnel,
    listen_port: u16,
    fwmark: u32,
    text: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.text_out(text, cap, len)?;
        let host = HostState { listen_port, fwmark };
        out.put(|out| uapi::write_get(tunnel, &host, out))
    })
}

/// What came of the request, or why it was refused.
fn apply(tunnel: &mut Tunnel, now: Instant, bytes: &[u8]) -> Result<underpass_uapi_result, underpass_uapi_result> {
    let refused = |error_number, line| underpass_uapi_result { error_number, line, ..Default::default() };
    let text = core::str::from_utf8(bytes).map_err(|_| refused(EPROTO, 0))?;
    let request = uapi::parse_set(text).map_err(|error| refused(error.errno(), error.line))?;
    tunnel.configure(now, &request.changes).map_err(|error| match error.reason {
        ConfigReason::NoMemory => refused(ENOMEM, 0),
        _ => refused(EINVAL, 0),
    })?;
    let SetRequest { listen_port, fwmark, .. } = request;
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    Ok(underpass_uapi_result {
        flags: flag(listen_port.is_some(), UNDERPASS_UAPI_HAS_LISTEN_PORT)
            | flag(fwmark.is_some(), UNDERPASS_UAPI_HAS_FWMARK),
        fwmark: fwmark.unwrap_or(0),
        listen_port: listen_port.unwrap_or(0),
        ..Default::default()
    })
}
