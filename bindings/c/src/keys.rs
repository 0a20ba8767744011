//! Keys: 32 bytes in the caller's memory.
use crate::boundary::{Answer, enter};
use crate::entropy::Source;
use crate::memory::{Caller, Sink};
use core::ffi::{c_char, c_void};
use core::fmt;
use underpass_core::{NoRandomness, PresharedKey, PrivateKey, Rng, Status};
use zeroize::Zeroizing;

/// Makes a private key of 32 bytes. Wipe it when it is no longer needed.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_private_key_generate(key: *mut u8) -> i32 {
    enter(|caller| generate(caller, key, |bytes| *bytes = *PrivateKey::from_bytes(*bytes).clamped().as_bytes()))
}

/// Makes a preshared key of 32 bytes. Wipe it when it is no longer needed.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_preshared_key_generate(key: *mut u8) -> i32 {
    enter(|caller| generate(caller, key, |_| {}))
}

/// Computes the public key that belongs to a private one. Both may be the same memory.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_public_key(private_key: *const u8, public_key: *mut u8) -> i32 {
    enter(|caller| {
        let out = caller.out(public_key.cast::<[u8; 32]>())?;
        let private = PrivateKey::from_bytes(caller.read(private_key.cast())?);
        out.put(*private.public_key().as_bytes());
        Ok(())
    })
}

/// Reads a key from 44 base64 characters, as wg(8) writes it, or answers UNDERPASS_E_KEY.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_key_from_base64(text: *const c_char, len: usize, key: *mut u8) -> i32 {
    enter(|caller| parse(caller, text, len, key, |text| Ok(PresharedKey::from_base64(text)?)))
}

/// Reads a key from 64 hexadecimal digits of either case, or answers UNDERPASS_E_KEY.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_key_from_hex(text: *const c_char, len: usize, key: *mut u8) -> i32 {
    enter(|caller| parse(caller, text, len, key, |text| Ok(PresharedKey::from_hex(text)?)))
}

/// Writes a key as base64, as wg(8) does: UNDERPASS_BASE64_LEN bytes, the last one a NUL.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_key_to_base64(key: *const u8, text: *mut c_char, cap: usize) -> i32 {
    enter(|caller| write(caller, key, text, cap, PresharedKey::write_base64))
}

/// Writes a key as lower-case hexadecimal digits: UNDERPASS_HEX_LEN bytes, the last one a NUL.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_key_to_hex(key: *const u8, text: *mut c_char, cap: usize) -> i32 {
    enter(|caller| write(caller, key, text, cap, PresharedKey::write_hex))
}

/// Overwrites memory with zeros, in a way that no compiler leaves out: for keys that are no longer needed.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_wipe(memory: *mut c_void, len: usize) {
    enter(|caller| caller.wipe(memory.cast(), len));
}

fn generate(caller: Caller<'_>, key: *mut u8, refine: fn(&mut [u8; 32])) -> Answer {
    let out = caller.out(key.cast::<[u8; 32]>())?;
    let mut bytes = Zeroizing::new([0; 32]);
    Source::system().fill(&mut *bytes).map_err(|NoRandomness| Status::Random)?;
    refine(&mut bytes);
    out.put(*bytes);
    Ok(())
}

fn parse(
    caller: Caller<'_>,
    text: *const c_char,
    len: usize,
    key: *mut u8,
    read: fn(&str) -> Result<PresharedKey, Status>,
) -> Answer {
    let out = caller.out(key.cast::<[u8; 32]>())?;
    let key = match caller.text(text, len) {
        Ok(text) => read(text)?,
        Err(Status::Argument) => return Err(Status::Key),
        Err(status) => return Err(status),
    };
    out.put(*key.as_bytes());
    Ok(())
}

fn write(
    caller: Caller<'_>,
    key: *const u8,
    text: *mut c_char,
    cap: usize,
    written: fn(&PresharedKey, &mut Sink) -> fmt::Result,
) -> Answer {
    let out = caller.word_out(text, cap)?;
    let key = PresharedKey::from_bytes(caller.read(key.cast())?);
    out.put(|out| written(&key, out))
}
