//! The hidden door: the private rooms, for fuzzing, benchmarks, simulations and vectors.
//!
//! Nothing here is part of the public surface: it changes and goes without notice. Hosts do without it.

/// The cryptographic seam with both backends.
pub mod crypto {
    pub use crate::crypto::*;
}

/// The four messages as checked views.
pub mod wire {
    pub use crate::wire::*;
}

/// MACs, cookies and load.
pub mod cookie {
    pub use crate::cookie::*;
}

/// The handshake.
pub mod noise {
    pub use crate::noise::*;
}

/// The control channel.
#[cfg(feature = "control")]
pub mod control {
    /// The packet around a control message.
    pub mod frame {
        pub use crate::control::frame::*;
    }
}

/// Checksums of inner packets, and the ICMP errors written over them.
pub mod packet {
    /// The Internet checksum.
    pub mod checksum {
        pub use crate::packet::checksum::*;
    }
    /// ICMP errors.
    pub mod icmp {
        pub use crate::packet::icmp::*;
    }
}
