//! Configurations: wg-quick text, what it says, and what is wrong with it.
use crate::address::underpass_ip;
use crate::boundary::enter;
use crate::configure::underpass_peer_change;
use crate::said::{Finding, PeerShape, Word};
use alloc::vec::Vec;
use core::ffi::c_char;
use underpass_core::Status;
use underpass_core::config::{self, QuickConfig, Table};

/// The configuration works, but perhaps not as meant.
pub const UNDERPASS_SEVERITY_WARNING: u32 = 0;
/// There is no configuration.
pub const UNDERPASS_SEVERITY_ERROR: u32 = 1;

/// How many diagnostics underpass_config_parse() keeps of one text; errors come before warnings.
pub const UNDERPASS_MAX_DIAGNOSTICS: u32 = 100;
const _: () = assert!(UNDERPASS_MAX_DIAGNOSTICS as usize == config::MAX_DIAGNOSTICS);

/// Routes go to the main table, with special treatment of default routes.
pub const UNDERPASS_TABLE_AUTO: u32 = 0;
/// No routes are added.
pub const UNDERPASS_TABLE_OFF: u32 = 1;
/// Routes go to the table of table_number.
pub const UNDERPASS_TABLE_NUMBER: u32 = 2;
/// Routes go to the table of table_name.
pub const UNDERPASS_TABLE_NAME: u32 = 3;

/// private_key is set.
pub const UNDERPASS_INTERFACE_HAS_PRIVATE_KEY: u32 = 1;
/// The text gives an MTU; else mtu is the usual one.
pub const UNDERPASS_INTERFACE_HAS_MTU: u32 = 2;
/// The text gives a listen port.
pub const UNDERPASS_INTERFACE_HAS_LISTEN_PORT: u32 = 4;
/// The text gives a firewall mark.
pub const UNDERPASS_INTERFACE_HAS_FWMARK: u32 = 8;

/// Domains to search.
pub const UNDERPASS_TEXT_SEARCH_DOMAIN: u32 = 0;
/// Shell commands to run before the interface is up; %i stands for its name.
pub const UNDERPASS_TEXT_PRE_UP: u32 = 1;
/// Shell commands to run after it.
pub const UNDERPASS_TEXT_POST_UP: u32 = 2;
/// Shell commands to run before the interface goes down.
pub const UNDERPASS_TEXT_PRE_DOWN: u32 = 3;
/// Shell commands to run after it.
pub const UNDERPASS_TEXT_POST_DOWN: u32 = 4;
/// Applications that use the tunnel; none: all do.
pub const UNDERPASS_TEXT_INCLUDED_APPLICATION: u32 = 5;
/// Applications that do not use the tunnel.
pub const UNDERPASS_TEXT_EXCLUDED_APPLICATION: u32 = 6;

/// One finding in a configuration text. It repeats nothing of the text's values, so it can be logged and shown. The
/// pointers are valid as long as the configuration.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_diagnostic {
    /// sizeof(underpass_diagnostic), set by the caller.
    pub size: u32,
    /// UNDERPASS_SEVERITY_*.
    pub severity: u32,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// "Interface", "Peer" or "".
    pub section: *const c_char,
    /// The key of the line in its usual spelling, or "".
    pub key: *const c_char,
    /// What it is, in English.
    pub reason: *const c_char,
}

/// What the [Interface] section says of numbers and keys.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_interface {
    /// sizeof(underpass_interface), set by the caller.
    pub size: u32,
    /// UNDERPASS_INTERFACE_HAS_*.
    pub flags: u32,
    /// The firewall mark of outgoing datagrams; 0: none.
    pub fwmark: u32,
    /// UNDERPASS_TABLE_*.
    pub table_kind: u32,
    /// With UNDERPASS_TABLE_NUMBER.
    pub table_number: u32,
    /// Bytes of the largest packet.
    pub mtu: u16,
    /// The UDP port to listen on; 0: any.
    pub listen_port: u16,
    /// With UNDERPASS_TABLE_NAME, else "". Valid as long as the configuration.
    pub table_name: *const c_char,
    /// Wipe it when you are done with it.
    pub private_key: [u8; 32],
    /// Not 0: the running configuration is to be written back when the interface goes down.
    pub save_config: u32,
    /// 0.
    pub reserved: u32,
}

/// A configuration that was read from text. It does not change, so any number of threads may read it at a time. Made by
/// underpass_config_parse(), released by underpass_config_free().
pub struct underpass_config {
    /// `None`: the text has errors.
    pub(crate) said: Option<QuickConfig>,
    pub(crate) findings: Vec<Finding>,
    /// Findings beyond those.
    pub(crate) more: usize,
    pub(crate) texts: [Vec<Word>; 7],
    pub(crate) table_name: Word,
    pub(crate) peers: Vec<PeerShape>,
}

/// Reads a configuration in the dialect of wg-quick(8), of wg setconf, and of the phone applications. When it is there,
/// look at its diagnostics: if one of them is an error, it has nothing else. It keeps UNDERPASS_MAX_DIAGNOSTICS of
/// them, errors first.
/// - text: UTF-8. Other text, or text with a NUL in it, is UNDERPASS_E_ARGUMENT.
/// - config: out; to be released with underpass_config_free().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_parse(text: *const c_char, len: usize, config: *mut *mut underpass_config) -> i32 {
    underpass_config_parse_with(text, len, UNDERPASS_MAX_DIAGNOSTICS as usize, config)
}

/// The same, but keeps as many diagnostics as the caller likes, which take about 200 bytes each. Whether the text is
/// refused does not depend on their number: with none kept, underpass_config_interface() tells whether there is an
/// error.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_parse_with(
    text: *const c_char,
    len: usize,
    max_diagnostics: usize,
    config: *mut *mut underpass_config,
) -> i32 {
    enter(|caller| {
        let out = caller.out(config)?;
        let text = caller.text(text, len)?;
        if text.contains('\0') {
            return Err(Status::Argument);
        }
        out.put(underpass_config::read(text, max_diagnostics)?.give()?);
        Ok(())
    })
}

/// Releases a configuration and wipes its keys. What was borrowed from it is gone. NULL does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_free(config: *mut underpass_config) -> i32 {
    enter(|caller| caller.free_config(config))
}

/// Tells what is wrong or odd in the text, in the order of the text.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_diagnostic(
    config: *const underpass_config,
    index: usize,
    out: *mut underpass_diagnostic,
) -> i32 {
    enter(|caller| {
        let out = caller.record_out(out)?;
        let finding = caller.config(config)?.findings.get(index).ok_or(Status::Nothing)?;
        out.put(finding.shape());
        Ok(())
    })
}

/// Tells how many diagnostics were counted only, beyond those that are kept. Most often 0.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_more(config: *const underpass_config, count: *mut usize) -> i32 {
    enter(|caller| {
        let out = caller.out(count)?;
        out.put(caller.config(config)?.more);
        Ok(())
    })
}

/// Tells what the [Interface] section says of numbers and keys. It holds the private key: wipe it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_interface(config: *const underpass_config, out: *mut underpass_interface) -> i32 {
    enter(|caller| {
        let out = caller.record_out(out)?;
        out.put(caller.config(config)?.interface()?);
        Ok(())
    })
}

/// Tells the addresses of the virtual interface, each with the prefix length of its network.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_address(
    config: *const underpass_config,
    index: usize,
    out: *mut underpass_ip,
) -> i32 {
    enter(|caller| {
        let out = caller.out(out)?;
        let addresses = &caller.config(config)?.quick()?.addresses;
        out.put((*addresses.get(index).ok_or(Status::Nothing)?).into());
        Ok(())
    })
}

/// Tells the name servers.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_dns(config: *const underpass_config, index: usize, out: *mut underpass_ip) -> i32 {
    enter(|caller| {
        let out = caller.out(out)?;
        let servers = &caller.config(config)?.quick()?.dns;
        out.put((*servers.get(index).ok_or(Status::Nothing)?).into());
        Ok(())
    })
}

/// Tells the texts of the [Interface] section: commands, search domains, applications.
/// - kind: UNDERPASS_TEXT_*.
/// - out: out; valid as long as the configuration.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_text(
    config: *const underpass_config,
    kind: u32,
    index: usize,
    out: *mut *const c_char,
) -> i32 {
    enter(|caller| {
        let out = caller.out(out)?;
        let config = caller.config(config)?;
        config.quick()?;
        let texts = usize::try_from(kind).ok().and_then(|kind| config.texts.get(kind)).ok_or(Status::Argument)?;
        out.put(texts.get(index).ok_or(Status::Nothing)?.as_ptr());
        Ok(())
    })
}

/// Tells the peers, as changes that underpass_tunnel_configure_peers() takes: each makes a peer what the text says of
/// it. All zeros stand for no preshared key, 0 for no persistent keepalive. Pointers in it are valid as long as the
/// configuration. It may hold a preshared key: wipe it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_peer(
    config: *const underpass_config,
    index: usize,
    out: *mut underpass_peer_change,
) -> i32 {
    enter(|caller| {
        let out = caller.record_out(out)?;
        let config = caller.config(config)?;
        let peer = config.quick()?.tunnel.peers.get(index).ok_or(Status::Nothing)?;
        let shape = config.peers.get(index).ok_or(Status::Nothing)?;
        out.put(shape.shape(peer));
        Ok(())
    })
}

/// Writes the configuration as wg-quick text. It holds the private key: wipe it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_config_write(
    config: *const underpass_config,
    text: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter(|caller| {
        let out = caller.text_out(text, cap, len)?;
        let config = caller.config(config)?.quick()?;
        out.put(|out| config::write_to(config, out))
    })
}

impl underpass_config {
    /// What the text says.
    pub(crate) fn quick(&self) -> Result<&QuickConfig, Status> {
        self.said.as_ref().ok_or(Status::Config)
    }

    fn interface(&self) -> Result<underpass_interface, Status> {
        let config = self.quick()?;
        let flags = [
            (config.tunnel.private_key.is_some(), UNDERPASS_INTERFACE_HAS_PRIVATE_KEY),
            (config.mtu.is_some(), UNDERPASS_INTERFACE_HAS_MTU),
            (config.listen_port.is_some(), UNDERPASS_INTERFACE_HAS_LISTEN_PORT),
            (config.fwmark.is_some(), UNDERPASS_INTERFACE_HAS_FWMARK),
        ];
        let (table_kind, table_number) = match config.table {
            Table::Auto => (UNDERPASS_TABLE_AUTO, 0),
            Table::Off => (UNDERPASS_TABLE_OFF, 0),
            Table::Number(number) => (UNDERPASS_TABLE_NUMBER, number),
            Table::Name(_) => (UNDERPASS_TABLE_NAME, 0),
        };
        Ok(underpass_interface {
            size: 0,
            flags: flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
            fwmark: config.fwmark.unwrap_or(0),
            table_kind,
            table_number,
            mtu: config.tunnel.mtu,
            listen_port: config.listen_port.unwrap_or(0),
            table_name: self.table_name.as_ptr(),
            private_key: config.tunnel.private_key.as_ref().map_or([0; 32], |key| *key.as_bytes()),
            save_config: config.save_config.into(),
            reserved: 0,
        })
    }
}
