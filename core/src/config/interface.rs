//! The `[Interface]` section, line by line.
use crate::config::diagnostic::Section;
use crate::config::lines::{Position, Span};
use crate::config::parser::{Findings, Seen};
use crate::config::quick::{AmneziaSetting, QuickConfig, Table};
use crate::config::reason::Reason;
use crate::config::settings::{self, Row, Setting};
use crate::config::value;
use crate::crypto::PrivateKey;
use crate::limits::MIN_MTU;
use alloc::string::String;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// IPv6's smallest MTU (RFC 8200 § 5).
const IPV6_MIN_MTU: u16 = 1280;

/// What is known of our own side so far.
#[derive(Default)]
pub(super) struct InterfaceDraft {
    pub(super) header: Option<Position>,
    pub(super) seen: Seen,
    config: QuickConfig,
    private_key_faulty: bool,
    mtu_at: Option<Position>,
    dns_at: Option<Position>,
    included_at: Option<Position>,
    excluded_at: Option<Position>,
    kept_out_at: Option<Position>,
    alone_at: Option<Position>,
}

impl InterfaceDraft {
    /// Takes one line. `value` is empty only where the table of keys allows it.
    pub(super) fn entry(&mut self, row: &Row, value: Span<'_>, found: &mut Findings) {
        let at = value.at;
        if matches!(row.setting, Setting::PrivateKey | Setting::ListenPort | Setting::FwMark | Setting::Mtu) {
            return self.word(row.setting, value, found);
        }
        let config = &mut self.config;
        match row.setting {
            Setting::Address => words(value, found, &mut |word, found| {
                if let Some(address) = found.keep(word.at, value::address(word.text)) {
                    found.push(&mut config.addresses, address);
                }
            }),
            Setting::Dns => self.dns(value, found),
            Setting::Table => config.table = table(value, found),
            Setting::PreUp => command(&mut config.pre_up, value, found),
            Setting::PostUp => command(&mut config.post_up, value, found),
            Setting::PreDown => command(&mut config.pre_down, value, found),
            Setting::PostDown => command(&mut config.post_down, value, found),
            Setting::SaveConfig => config.save_config = found.keep(at, value::boolean(value.text)).unwrap_or_default(),
            Setting::KillSwitch
            | Setting::ExcludeUser
            | Setting::ExcludeCgroup
            | Setting::OnlyUser
            | Setting::OnlyCgroup => self.linux(row.setting, value, found),
            Setting::IncludedApplications => {
                self.included_at.get_or_insert(at);
                applications(&mut config.included_applications, value, found);
            }
            Setting::ExcludedApplications => {
                self.excluded_at.get_or_insert(at);
                applications(&mut config.excluded_applications, value, found);
            }
            Setting::Amnezia => {
                found.report(at, Reason::Amnezia);
                let value = Zeroizing::new(found.copy(value.text));
                config.amnezia.retain(|setting| setting.key != row.name);
                found.push(&mut config.amnezia, AmneziaSetting { key: row.name, value });
            }
            // Single words, and keys of the other section, which the caller sorts out.
            Setting::PrivateKey
            | Setting::ListenPort
            | Setting::FwMark
            | Setting::Mtu
            | Setting::PublicKey
            | Setting::PresharedKey
            | Setting::AllowedIps
            | Setting::Endpoint
            | Setting::PersistentKeepalive => {}
        }
    }

    /// What only the host for Linux carries out.
    fn linux(&mut self, key: Setting, value: Span<'_>, found: &mut Findings) {
        found.report(value.at, Reason::LinuxOnly);
        let linux = &mut self.config.linux;
        let list = match key {
            Setting::KillSwitch => {
                linux.kill_switch = found.keep(value.at, value::kill_switch(value.text));
                return;
            }
            Setting::ExcludeUser => &mut linux.exclude_users,
            Setting::ExcludeCgroup => &mut linux.exclude_cgroups,
            Setting::OnlyUser => &mut linux.only_users,
            _ => &mut linux.only_cgroups,
        };
        let is_user = matches!(key, Setting::ExcludeUser | Setting::OnlyUser);
        let is_out = matches!(key, Setting::ExcludeUser | Setting::ExcludeCgroup);
        let mut any = false;
        for item in listed(value, found) {
            any = true;
            let checked = if is_user { value::user(item.text) } else { value::cgroup(item.text) };
            if found.keep(item.at, checked).is_some() {
                let name = found.copy(item.text);
                found.push(list, name);
            }
        }
        if !any && !is_out {
            // Without a name, everybody would use the tunnel.
            found.report(value.at, Reason::EmptyValue);
        }
        if is_out { &mut self.kept_out_at } else { &mut self.alone_at }.get_or_insert(value.at);
    }

    /// Name servers and search domains in one list: what looks like an address is one.
    fn dns(&mut self, value: Span<'_>, found: &mut Findings) {
        self.dns_at.get_or_insert(value.at);
        let (config, mut any) = (&mut self.config, false);
        words(value, found, &mut |word, found| {
            any = true;
            if word.text.contains(':') || value::looks_like_ipv4(word.text) {
                let Some((address, zone)) = found.keep(word.at, value::name_server(word.text)) else { return };
                if let Some(zone) = zone {
                    found.report(word.at, Reason::LinuxOnly);
                    let zone = (config.dns.len(), found.copy(zone));
                    found.push(&mut config.linux.dns_zones, zone);
                }
                found.push(&mut config.dns, address);
            } else if found.keep(word.at, value::domain(word.text)).is_some() {
                let domain = found.copy(word.text);
                found.push(&mut config.search_domains, domain);
            }
        });
        if !any {
            found.report(value.at, Reason::EmptyValue);
        }
    }

    /// A value that is read without its white space.
    fn word(&mut self, key: Setting, value: Span<'_>, found: &mut Findings) {
        let Some(text) = found.note(value.squeezed()) else { return };
        let (at, config) = (value.at, &mut self.config);
        match key {
            Setting::PrivateKey => {
                let key = PrivateKey::from_base64(&text).map_err(Reason::Key);
                self.private_key_faulty = key.is_err();
                config.tunnel.private_key = found.keep(at, key).filter(|key| !key.is_zero());
            }
            Setting::ListenPort => {
                config.listen_port = found.keep(at, value::port(&text));
            }
            Setting::FwMark => config.fwmark = found.keep(at, value::fwmark(&text)),
            _ if value::decimal(&text) == Some(0) => {
                config.mtu = None;
                found.report(at, Reason::ZeroMtu);
            }
            _ => {
                let mtu = found.keep(at, value::number(&text, MIN_MTU.into(), u16::MAX.into()));
                config.mtu = mtu.and_then(|mtu| u16::try_from(mtu).ok());
                self.mtu_at = Some(at);
            }
        }
    }

    /// What only shows when all lines are read.
    pub(super) fn finish(mut self, found: &mut Findings) -> QuickConfig {
        found.key = None;
        if self.config.tunnel.private_key.is_none() && !self.private_key_faulty {
            let nowhere = Position { line: 1, column: 1 };
            found.section = self.header.map(|_| Section::Interface);
            found.report(self.header.unwrap_or(nowhere), Reason::MissingPrivateKey);
        }
        found.section = Some(Section::Interface);
        self.report_contradictions(found);
        if let Some(mtu) = self.config.mtu {
            self.config.tunnel.mtu = mtu;
        }
        self.config
    }

    /// Reports values that do not go together.
    fn report_contradictions(&self, found: &mut Findings) {
        if let (Some(included), Some(excluded)) = (self.included_at, self.excluded_at) {
            let first = included.min(excluded);
            let (later, key) = match included > excluded {
                true => (included, Setting::IncludedApplications),
                false => (excluded, Setting::ExcludedApplications),
            };
            found.key = Some(settings::name(key));
            found.report(later, Reason::BothApplicationLists { other_line: first.line });
        }
        if let (Some(out), Some(alone)) = (self.kept_out_at, self.alone_at) {
            found.key = None;
            found.report(out.max(alone), Reason::BothSplits { other_line: out.min(alone).line });
        }
        let small = self.config.mtu.is_some_and(|mtu| mtu < IPV6_MIN_MTU);
        if let (true, Some(at)) = (small && self.config.addresses.iter().any(|a| a.addr().is_ipv6()), self.mtu_at) {
            found.key = Some(settings::name(Setting::Mtu));
            found.report(at, Reason::MtuBelowIpv6);
        }
        let nameless = self.config.dns.is_empty() && !self.config.search_domains.is_empty();
        if let (true, Some(at)) = (nameless, self.dns_at) {
            found.key = Some(settings::name(Setting::Dns));
            found.report(at, Reason::NoNameServer);
        }
    }
}

/// Calls `each` with the pieces between commas and white space, as `wg-quick` splits them.
fn words(value: Span<'_>, found: &mut Findings, each: &mut dyn FnMut(Span<'_>, &mut Findings)) {
    for item in listed(value, found) {
        for word in item.split(char::is_whitespace) {
            if !word.text.is_empty() {
                each(word, found);
            }
        }
    }
}

/// The pieces between commas; empty ones are reported, once.
pub(super) fn listed<'t>(value: Span<'t>, found: &mut Findings) -> impl Iterator<Item = Span<'t>> + use<'t> {
    let items = move || value.split(|c| c == ',');
    if let Some(empty) = items().find(|item| item.text.is_empty()) {
        found.report(empty.at, Reason::EmptyItem);
    }
    items().filter(|item| !item.text.is_empty())
}

fn applications(list: &mut Vec<String>, value: Span<'_>, found: &mut Findings) {
    for item in listed(value, found) {
        if found.keep(item.at, value::application(item.text)).is_some() {
            let name = found.copy(item.text);
            found.push(list, name);
        }
    }
}

fn command(list: &mut Vec<String>, value: Span<'_>, found: &mut Findings) {
    let command = found.copy(value.text);
    found.push(list, command);
}

fn table(value: Span<'_>, found: &mut Findings) -> Table {
    match found.keep(value.at, value::table(value.text)) {
        Some(value::Wanted::To(table)) => table,
        Some(value::Wanted::Named) => Table::Name(found.copy(value.text)),
        None => Table::default(),
    }
}
