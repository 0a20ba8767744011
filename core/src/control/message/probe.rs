//! Probes of the path (RFC 8899): does a message of this length arrive?
use super::{Fault, Reader, Writer, need};

/// A body of so many zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How many, a little less than the body cap at most.
    pub pad: u16,
}

/// It has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Bytes of the CoAP message that carried it.
    pub len: u32,
}

const PAD: u8 = 1;
const LEN: u8 = 1;

impl Probe {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| map.key(PAD).zeros(self.pad.into()));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut pad = None;
        from.map(|key, from| {
            match key {
                PAD => pad = Some(u16::try_from(from.bytes()?.len()).map_err(|_| Fault::Range)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { pad: need(pad, PAD)? })
    }
}

impl Probed {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| map.key(LEN).uint(self.len));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut len = None;
        from.map(|key, from| {
            match key {
                LEN => len = Some(from.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { len: need(len, LEN)? })
    }
}
