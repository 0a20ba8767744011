//! Capture files.
use anyhow::{Result, anyhow};
use std::time::SystemTime;
use underpass_linux::demo::stage::Frame;

/// Writes frames as a capture file (libpcap's format, link type Ethernet) for `tshark -r`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_pcap(path: &std::path::Path, frames: &[Frame]) -> Result<()> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for frame in frames {
        let at = frame.at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| anyhow!("a frame from before 1970"))?;
        let length = u32::try_from(frame.bytes.len())?;
        for word in [u32::try_from(at.as_secs())?, at.subsec_micros(), length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&frame.bytes);
    }
    Ok(std::fs::write(path, file)?)
}
