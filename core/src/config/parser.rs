//! Reads a configuration text from its first line to its last, and gathers all that is to be said about it.
use crate::config::diagnostic::{Diagnostic, Section, Severity};
use crate::config::foreign;
use crate::config::interface::InterfaceDraft;
use crate::config::lines::{Line, Position, Span, lines};
use crate::config::peer::{self, PeerDraft};
use crate::config::quick::QuickConfig;
use crate::config::reason::Reason;
use crate::config::settings::{self, Empty, Repeat, Row, Setting};
use crate::config::spelling;
use alloc::vec::Vec;

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` if one of the diagnostics is an error.
    pub config: Option<QuickConfig>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a text in the dialect of `wg-quick(8)` and `wg setconf`, and of the phone applications.
///
/// It is read as `wg` and `wg-quick` read it. Where they refuse what others write, this warns: of keys that other products
/// read, of lists without values or with a comma too many. Where they take what may not be meant, and packets could leave
/// unprotected, it is an error here: a private key, a public key or a table given twice in a section, a `DNS` without
/// value, a peer's second section that drops the allowed IPs of the first.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    let mut parser = Parser::default();
    for line in lines(text) {
        parser.line(line);
    }
    parser.finish()
}

/// What has been found so far, and the section and key it is about.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) section: Option<Section>,
    pub(super) key: Option<&'static str>,
    list: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn report(&mut self, at: Position, reason: Reason) {
        self.list.push(Diagnostic {
            severity: reason.severity(),
            line: at.line,
            column: at.column,
            section: self.section,
            key: self.key,
            reason,
        });
    }

    /// The value, or `None` and a report at `at`.
    pub(super) fn keep<T>(&mut self, at: Position, value: Result<T, Reason>) -> Option<T> {
        value.map_err(|reason| self.report(at, reason)).ok()
    }
}

/// The lines on which the keys of one section were first given.
#[derive(Default)]
pub(super) struct Seen(Vec<(&'static str, u32)>);

impl Seen {
    /// Notes `row` on `line`; returns the line it was first on, if another.
    fn note(&mut self, row: &Row, line: u32) -> Option<u32> {
        let first = self.0.iter().find(|(name, _)| *name == row.name).map(|(_, line)| *line);
        if first.is_none() {
            self.0.push((row.name, line));
        }
        first
    }
}

/// Where the present line stands.
#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Inside(Section),
    /// In a section nobody knows.
    Nowhere,
}

#[derive(Default)]
struct Parser {
    place: Place,
    interface: InterfaceDraft,
    peers: Vec<PeerDraft>,
    found: Findings,
}

impl Parser {
    fn line(&mut self, line: Line<'_>) {
        self.found.key = None;
        match line {
            Line::Section(name) => self.section(name),
            _ if self.place == Place::Nowhere => {}
            Line::Malformed(at, reason) => self.found.report(at, reason),
            Line::Entry { key, value, whole } => self.entry(key, value, whole),
        }
    }

    fn section(&mut self, name: Span<'_>) {
        self.found.section = None;
        if settings::same_name(name.text, "Interface") {
            self.place = Place::Inside(Section::Interface);
            self.found.section = Some(Section::Interface);
            match self.interface.header {
                Some(first) => self.found.report(name.at, Reason::RepeatedInterface { first_line: first.line }),
                None => self.interface.header = Some(name.at),
            }
        } else if settings::same_name(name.text, "Peer") {
            self.place = Place::Inside(Section::Peer);
            self.found.section = Some(Section::Peer);
            self.peers.push(PeerDraft::new(name.at));
        } else {
            self.place = Place::Nowhere;
            self.found.report(name.at, Reason::UnknownSection);
        }
    }

    fn entry(&mut self, key: Span<'_>, value: Span<'_>, whole: Span<'_>) {
        if key.text.is_empty() {
            return self.found.report(key.at, Reason::MissingEquals);
        }
        let row = settings::find(key.text);
        self.found.key = row.map(|row| row.name);
        let Place::Inside(section) = self.place else {
            return self.found.report(key.at, Reason::OutsideSection);
        };
        let Some(row) = row else { return self.unknown(key, section) };
        if row.section != section {
            return self.found.report(key.at, Reason::WrongSection { belongs: row.section });
        }
        let value = if is_command(row.setting) { whole } else { value };
        if value.text.is_empty() && row.empty != Empty::Means {
            let ignored = row.empty == Empty::Ignored;
            let reason = if ignored { Reason::EmptyIgnored } else { Reason::EmptyValue };
            return self.found.report(value.at, reason);
        }
        self.deliver(section, row, key.at, value);
    }

    /// A key of nobody is an error, one of another product is passed over.
    fn unknown(&mut self, key: Span<'_>, section: Section) {
        let foreign = foreign::find(key.text);
        self.found.key = foreign.map(|foreign| foreign.name);
        let similar = || spelling::similar(key.text, section);
        let reason = foreign.map_or_else(|| Reason::UnknownKey { similar: similar() }, Reason::ForeignKey);
        self.found.report(key.at, reason);
    }

    /// Hands the value to the draft of its section.
    fn deliver(&mut self, section: Section, row: &'static Row, key_at: Position, value: Span<'_>) {
        let found = &mut self.found;
        let seen = match (section, self.peers.last_mut()) {
            (Section::Peer, Some(peer)) => &mut peer.seen,
            _ => &mut self.interface.seen,
        };
        match (row.repeat, seen.note(row, value.at.line)) {
            (Repeat::LastCounts, Some(first_line)) => found.report(key_at, Reason::Repeated { first_line }),
            (Repeat::Refused, Some(first_line)) => found.report(key_at, Reason::Ambiguous { first_line }),
            _ => {}
        }
        match (section, self.peers.last_mut()) {
            (Section::Peer, Some(peer)) => peer.entry(row.setting, value, found),
            _ => self.interface.entry(row, value, found),
        }
    }

    fn finish(self) -> Parsed {
        let Self { interface, peers, mut found, .. } = self;
        let mut config = interface.finish(&mut found);
        config.tunnel.peers = peer::join(peers, &config, &mut found);
        let mut diagnostics = found.list;
        diagnostics.sort_by_key(|d| (d.line, d.column));
        let faulty = diagnostics.iter().any(|d| d.severity == Severity::Error);
        Parsed { config: (!faulty).then_some(config), diagnostics }
    }
}

/// Whether the value is a shell command, in which `#` is the shell's to understand.
const fn is_command(key: Setting) -> bool {
    matches!(key, Setting::PreUp | Setting::PostUp | Setting::PreDown | Setting::PostDown)
}
